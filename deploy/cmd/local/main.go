// Command local runs the whole system in one process: once over a shipped feed (demo), or
// until it is stopped (up).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/orderfleet/orderfleet/deploy/local"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

// errDisagrees says that the ledgers differ; the report has said how.
var errDisagrees = errors.New("the broker's ledger disagrees")

// usageError is a mistake in the command line: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "local: "+err.Error())
		if _, ok := errors.AsType[usageError](err); ok {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// noArgs refuses positional arguments, which may be a subcommand that there is not.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}

func newRoot() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run the whole system in one process",
		Example: `  local demo
  local up --nats 4222 --broker 8600`,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(newDemo(), newUp())
	return cmd
}

func newDemo() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Import a shipped feed of orders, wait for every outcome, compare both ledgers",
		Example: "  local demo\n  local demo -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usageError{fmt.Errorf("output: %q is not text or json", output)}
			}
			return demo(cmd.Context(), cmd.OutOrStdout(), output == "json")
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func demo(ctx context.Context, out io.Writer, asJSON bool) (err error) {
	talk := out
	if asJSON {
		talk = os.Stderr
	}
	s, err := local.Start(ctx, local.Options{Log: zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	fmt.Fprintf(talk, "NATS at %s, paper broker at %s, one worker\n\n", s.NATSURL, s.BrokerURL)
	report, err := s.Demo(ctx, talk, progress(os.Stderr))
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(out).Encode(report)
	} else {
		report.Print(out)
	}
	if err == nil && !report.OK() {
		err = errDisagrees
	}
	return err
}

func newUp() *cobra.Command {
	var o local.Options
	cmd := &cobra.Command{
		Use:     "up",
		Short:   "Run the system until Ctrl-C, to publish to",
		Example: "  local up\n  local up --nats 4333",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return up(cmd.Context(), cmd.OutOrStdout(), o) },
	}
	cmd.Flags().IntVar(&o.NATSPort, "nats", 4222, "port of the NATS server")
	cmd.Flags().IntVar(&o.BrokerPort, "broker", 8600, "port of the paper broker")
	cmd.Flags().IntVar(&o.AdminPort, "admin", 8601, "port of its admin endpoints")
	return cmd
}

func up(ctx context.Context, out io.Writer, o local.Options) error {
	o.Log = zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.RFC3339, NoColor: !isatty.IsTerminal(os.Stderr.Fd())}).
		Level(zerolog.InfoLevel).With().Timestamp().Logger()
	s, err := local.Start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `
NATS at %[1]s, paper broker at %[2]s (admin %[3]s), one worker. Every name is a tenant, with an account of its own.

  export NATS_URL=%[1]s
  go run ./producer/cmd/producer publish acme --symbol AAPL --qty 1 --side buy --type market --tif day --wait
  go run ./producer/cmd/producer import deploy/local/orders.jsonl
  go run ./producer/cmd/producer watch acme --since 1h
  curl -s -H 'APCA-API-KEY-ID: acme' -H 'APCA-API-SECRET-KEY: secret-of-acme' '%[2]s/v2/orders?status=all'
  curl -s '%[3]s/ledger?kind=booked'

Ctrl-C stops it; what it stored is gone then.

`, s.NATSURL, s.BrokerURL, s.AdminURL)
	<-ctx.Done()
	return s.Stop()
}

// progress shows how far a phase is, on a terminal only.
func progress(to *os.File) func(string, int, int) {
	if !isatty.IsTerminal(to.Fd()) {
		return func(string, int, int) {}
	}
	return func(phase string, done, of int) {
		fmt.Fprintf(to, "\r\x1b[K%s: %d of %d", phase, done, of)
		if done >= of {
			fmt.Fprint(to, "\r\x1b[K")
		}
	}
}
