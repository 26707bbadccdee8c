// Command worker serves shards of the ledger: it submits tenants' intents to their
// brokers and commits what becomes of them.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := newRoot().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "worker: "+err.Error())
		os.Exit(exitCode(err))
	}
}
