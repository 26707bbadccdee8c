// Command worker serves shards of the ledger: it submits tenants' intents to their
// brokers and commits what becomes of them.
package main

import (
	"context"
	"os"
	_ "time/tzdata" // trading days and hours are those of places, also where no zones are installed

	"github.com/orderfleet/orderfleet/shared/cli"
)

// Signals are the worker's own: the first drains, the second abandons.
func main() { os.Exit(cli.Run(context.Background(), newRoot())) }
