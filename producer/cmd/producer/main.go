// Command producer publishes order intents and shows what becomes of them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "producer: "+err.Error())
		stop()
		os.Exit(exitCode(err)) //nolint:gocritic // stop was called
	}
}
