// Command producer publishes order intents and shows what becomes of them.
package main

import "github.com/orderfleet/orderfleet/shared/cli"

func main() { cli.Main(newRoot()) }
