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
	"time"

	"github.com/orderfleet/orderfleet/deploy/local"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

// errDisagrees says that the ledgers differ; the report has said how.
var errDisagrees = errors.New("the broker's ledger disagrees")

func main() { cli.Main(newRoot()) }

func newRoot() *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "local",
		Short: "Run the whole system in one process",
		Example: `  local demo
  local up --nats 4222 --broker 8600`,
	})
	cmd.AddCommand(newDemo(), newUp())
	return cmd
}

func newDemo() *cobra.Command {
	var output cli.Output
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Import a shipped feed of orders, wait for every outcome, compare both ledgers",
		Example: "  local demo\n  local demo -o json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), cmd.OutOrStdout(), output == cli.JSON)
		},
	}
	cli.AddOutput(cmd, &output)
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
	report, err := s.Demo(ctx, talk, cli.Progress(os.Stderr))
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
		Args:    cli.Args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return up(cmd.Context(), cmd.OutOrStdout(), o) },
	}
	cmd.Flags().IntVar(&o.NATSPort, "nats", 4222, "port of the NATS server")
	cmd.Flags().IntVar(&o.BrokerPort, "broker", 8600, "port of the paper broker")
	cmd.Flags().IntVar(&o.AdminPort, "admin", 8601, "port of its admin endpoints")
	return cmd
}

func up(ctx context.Context, out io.Writer, o local.Options) error {
	o.Log = zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.RFC3339, NoColor: !cli.IsTerminal(os.Stderr)}).
		Level(zerolog.InfoLevel).With().Timestamp().Logger()
	s, err := local.Start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `
NATS at %[1]s, paper broker at %[2]s (admin %[3]s), one worker. Every name is a tenant, with an account of its own.

  export NATS_URL=%[1]s
  go run ./producer/cmd/producer publish acme --id a1 --symbol AAPL --qty 1 --side buy --type market --tif day --until filled
  go run ./producer/cmd/producer import deploy/local/orders.jsonl
  go run ./producer/cmd/producer watch acme --since 1h --updates
  go run ./deploy/cmd/fleetctl explain acme a1
  go run ./deploy/cmd/fleetctl audit --broker %[3]s
  go run ./deploy/cmd/fleetctl reconcile --all
  go run ./deploy/cmd/fleetctl limits set --all --orders-per-minute 60 --reason "a first limit"
  go run ./deploy/cmd/fleetctl halt acme --reason drill
  go run ./deploy/cmd/fleetctl status
  go run ./deploy/cmd/fleetctl resume acme --reason "the drill is over"
  go run ./deploy/cmd/fleetctl history
  curl -s -H 'APCA-API-KEY-ID: acme' -H 'APCA-API-SECRET-KEY: secret-of-acme' '%[2]s/v2/orders?status=all'
  curl -s '%[3]s/ledger?kind=booked'

Ctrl-C stops it; what it stored is gone then.

`, s.NATSURL, s.BrokerURL, s.AdminURL)
	return errors.Join(s.Wait(ctx), s.Stop())
}
