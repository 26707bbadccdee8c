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
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/deploy/stress"
	"github.com/spf13/cobra"
)

// errViolated says that the check failed; the report has said how.
var errViolated = errors.New("orders were lost, duplicated or reordered")

// usageError is a mistake in the command line: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := execute(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stress: "+err.Error())
		if _, ok := errors.AsType[usageError](err); ok {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func execute(ctx context.Context) error {
	// A part ends when its parent says so; Ctrl-C reaches the whole group.
	bare := map[string]parts.Role{stress.RoleBare: stress.Bare}
	if done, err := parts.Run(context.WithoutCancel(ctx), os.Args, bare); done {
		return err
	}
	return newRoot().ExecuteContext(ctx)
}

func newRoot() *cobra.Command {
	o := stress.Options{Clients: parts.Own, Shards: 8, Patience: 30 * time.Second}
	var (
		output  string
		compare bool
	)
	cmd := &cobra.Command{
		Use:   "stress",
		Short: "Send many orders of many tenants through the whole system and check every one",
		Long: `Starts a NATS server, the paper broker and a worker as processes of their own,
publishes all orders at once, and compares the broker's ledger with the fleet's:
orders lost, duplicated or reordered make the exit code 1. Beside it the bare SDK
loop runs, with no queue at all, as the yardstick of this machine.`,
		Example: `  stress                                   # 100 tenants, 1000 orders each
  stress --tenants 1000 --orders 100 -o json
  stress --compare                         # a client per goroutine, shared, locked
  stress --tenants 100 --orders 100 --idle-tenants 100000
  stress --rate 2000 --orders 200          # latency below saturation`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		},
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return usageError{err}
			}
			if output != "text" && output != "json" {
				return usageError{fmt.Errorf("output: %q is not text or json", output)}
			}
			ways := []parts.Clients{o.Clients}
			if compare {
				ways = parts.AllClients
			}
			o.Progress = progress(os.Stderr)
			reports, err := stress.Run(cmd.Context(), o, ways)
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), reports, output == "json", compare)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := cmd.Flags()
	f.IntVar(&o.Tenants, "tenants", 100, "tenants that publish")
	f.IntVar(&o.Orders, "orders", 1000, "orders of each tenant")
	f.IntVar(&o.Shards, "shards", o.Shards, "shards of the ledger")
	f.IntVar(&o.Rate, "rate", 0, "orders published a second in all; 0 is all at once")
	f.IntVar(&o.IdleTenants, "idle-tenants", 0, "tenants besides that the ledger knows and that have no work")
	f.BoolVar(&o.NoDuplicateCheck, "no-duplicate-check", false, "switch the broker's check of client order ids off")
	f.StringVar((*string)(&o.Clients), "clients", string(o.Clients), "how the worker holds HTTP clients: own, shared or locked")
	f.BoolVar(&compare, "compare", false, "run all three ways of holding clients, side by side")
	f.DurationVar(&o.Patience, "patience", o.Patience, "how long nothing may happen before the rest counts as lost")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
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

// progress shows how far a phase is, on a terminal only.
func progress(to *os.File) func(string, int, int) {
	if !isatty.IsTerminal(to.Fd()) {
		return nil
	}
	var last string
	return func(phase string, done, of int) {
		if last != "" && last != phase {
			fmt.Fprintln(to)
		}
		last = phase
		fmt.Fprintf(to, "\r\x1b[K%s: %d of %d", phase, done, of)
		if done == of {
			fmt.Fprintln(to)
			last = ""
		}
	}
}
