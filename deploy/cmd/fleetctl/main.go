// Command fleetctl shows an operator the fleet, and what of it needs a hand.
package main

import "github.com/orderfleet/orderfleet/shared/cli"

func main() { cli.Main(newRoot()) }
