// Command stress sends many orders of many tenants through the whole system at once, and
// checks at the broker's own ledger what became of them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/deploy/stress"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

// errViolated says that the check failed; the report has said how.
var errViolated = errors.New("orders were lost, duplicated, reordered or contradicted")

func main() {
	// A part ends when its parent says so; Ctrl-C reaches the whole group.
	signal.Ignore(os.Interrupt)
	bare := map[string]parts.Role{stress.RoleBare: stress.Bare}
	if done, err := parts.Run(context.Background(), os.Args, bare); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, "stress: "+err.Error())
			os.Exit(1)
		}
		return
	}
	cli.Main(newRoot())
}

func newRoot() *cobra.Command {
	o := stress.Options{Clients: parts.Own, Shards: 8, Patience: 30 * time.Second, IdleFor: 10 * time.Second, Calm: 6 * time.Second}
	var (
		output  cli.Output
		compare bool
		trouble int
	)
	cmd := cli.Command(&cobra.Command{
		Use:   "stress",
		Short: "Send many orders of many tenants through the whole system and check every one",
		Long: `Starts a NATS server, the paper broker and a worker as processes of their own,
publishes all orders at once, and compares the broker's ledger with the fleet's:
orders lost, duplicated, reordered or contradicted make the exit code 1. Beside it the bare SDK
loop runs, with no queue at all, as the yardstick of this machine.`,
		Example: `  stress                                   # 100 tenants, 1000 orders each
  stress --tenants 1000 --orders 100 -o json
  stress --compare                         # a client per goroutine, shared, locked
  stress --tenants 100 --orders 100 --idle-tenants 100000
  stress --rate 2000 --orders 200          # latency below saturation
  stress --isolation 100000 --rate 400 --orders 40   # the price of two tenants' trouble to the others`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return cli.Usage(err)
			}
			ways := []parts.Clients{o.Clients}
			if compare {
				ways = parts.AllClients
			}
			o.Progress = cli.Progress(os.Stderr)
			if trouble > 0 {
				return isolate(cmd.Context(), cmd.OutOrStdout(), o, trouble, output == cli.JSON)
			}
			reports, err := stress.Run(cmd.Context(), o, ways)
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), reports, output == cli.JSON, compare)
		},
	})
	f := cmd.Flags()
	f.IntVar(&o.Tenants, "tenants", 100, "tenants that publish")
	f.IntVar(&o.Orders, "orders", 1000, "orders of each tenant")
	f.IntVar(&o.Shards, "shards", o.Shards, "shards of the ledger")
	f.IntVar(&o.Rate, "rate", 0, "orders published a second in all; 0 is all at once")
	f.IntVar(&o.IdleTenants, "idle-tenants", 0, "tenants besides that the ledger knows and that have no work")
	f.BoolVar(&o.NoDuplicateCheck, "no-duplicate-check", false, "switch the broker's check of client order ids off")
	f.StringVar((*string)(&o.Clients), "clients", string(o.Clients), "how the worker holds HTTP clients: own, shared or locked")
	f.IntVar(&trouble, "isolation", 0, "measure, by turns, what a tenant with so large a backlog and a broker that takes 20 ms, and one whose broker never answers, cost the others; needs --rate")
	f.BoolVar(&compare, "compare", false, "run all three ways of holding clients, side by side")
	f.DurationVar(&o.Patience, "patience", o.Patience, "how long nothing may happen before the rest counts as lost")
	cli.AddOutput(cmd, &output)
	return cmd
}

// isolate measures and prints what tenants feel of each other.
func isolate(ctx context.Context, w io.Writer, o stress.Options, backlog int, asJSON bool) error {
	r, err := stress.MeasureIsolation(ctx, o, backlog)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	r.Print(w)
	return nil
}

// show prints the reports and fails if one of them has found something.
func show(w io.Writer, reports []stress.Report, asJSON, compared bool) error {
	switch {
	case asJSON && compared:
		if err := json.NewEncoder(w).Encode(reports); err != nil {
			return err
		}
	case asJSON:
		if err := json.NewEncoder(w).Encode(reports[0]); err != nil {
			return err
		}
	default:
		stress.Print(w, reports)
	}
	for _, r := range reports {
		if !r.OK() {
			return errViolated
		}
	}
	return nil
}
