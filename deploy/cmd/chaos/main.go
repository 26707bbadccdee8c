// Command chaos runs the whole system as processes, breaks it on a seeded schedule, and
// checks at the broker's own ledger what became of every intent.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/deploy/chaos"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

// The report has said which rule was broken, or what is wrong with the run.
var (
	errViolated = errors.New("a rule was broken")
	errFlawed   = errors.New("the run shows nothing: it is flawed")
)

func main() {
	// A part ends when its parent says so; Ctrl-C reaches the whole group.
	signal.Ignore(os.Interrupt)
	if done, err := parts.Run(context.Background(), os.Args, nil); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos: "+err.Error())
			os.Exit(1)
		}
		return
	}
	cli.Main(newRoot())
}

func newRoot() *cobra.Command {
	var (
		o      chaos.Options
		output cli.Output
		quiet  bool
	)
	cmd := cli.Command(&cobra.Command{
		Use:   "chaos",
		Short: "Break the running system on a schedule and check that no rule is broken",
		Long: `Starts three NATS servers, the paper broker and up to six workers as processes of
their own, keeps a steady load of many tenants, and injects faults: workers are
killed, frozen past their lease and drained; connections are cut, stalled and slowed;
NATS servers are killed, frozen and restarted; the broker answers late, wrongly or
not at all; its clock steps. Meanwhile an operator halts, pauses and restricts
tenants, and some trade under limits. At the end everything is healed, and the
broker's ledger, the orders' ledger, the producers' receipts and what the operator
was told are compared: a broken rule makes the exit code 1, and so does a run in
which hardly anything was traded, stopped or refused. The broker believes every
client order id, so that a second attempt would be a second order.`,
		Example: `  chaos                                   # five minutes, a seed of chance
  chaos --duration 1m --seed 7 -o json
  chaos --dir /tmp/chaos                  # keep the logs of all workers`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				o.Seed = uint64(rand.Uint32())
			}
			if err := o.Validate(); err != nil {
				return cli.Usage(err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "to run it again: %s\n", o.Command())
			o.Progress = cli.Progress(os.Stderr)
			if !quiet {
				o.Tell = tell(cmd.ErrOrStderr())
			}
			report, err := chaos.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), report, output == cli.JSON)
		},
	})
	f := cmd.Flags()
	f.Uint64Var(&o.Seed, "seed", 0, "of the schedule; one of chance if it is not given")
	f.DurationVar(&o.Duration, "duration", 5*time.Minute, "how long faults are injected")
	f.IntVar(&o.Tenants, "tenants", 200, "tenants that publish")
	f.IntVar(&o.Rate, "rate", 200, "intents published a second in all")
	f.IntVar(&o.Shards, "shards", 8, "shards of the ledger")
	f.StringVar(&o.Worker, "worker", beside("worker"), "the worker command")
	f.BoolVar(&o.LazySync, "lazy-sync", false, "let NATS acknowledge before it syncs to disk")
	f.BoolVar(&o.DuplicateCheck, "duplicate-check", false, "leave the broker's check of client order ids on")
	f.StringVar(&o.Dir, "dir", "", "keep stores and logs here (a temporary directory, kept if something is wrong)")
	f.StringVar(&o.Planted, "plant", "", "the bug that workers built with the tag planted have")
	f.DurationVar(&o.Patience, "patience", 60*time.Second, "how long nothing may happen at the end before the rest counts as lost")
	f.BoolVarP(&quiet, "quiet", "q", false, "do not tell every fault")
	cli.AddOutput(cmd, &output)
	cmd.AddCommand(newPlanted(&output))
	return cmd
}

// beside is a program in this one's directory.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// tell writes a line for every fault. Faults come from several goroutines.
func tell(w io.Writer) func(chaos.Event) {
	var mu sync.Mutex
	return func(e chaos.Event) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%s %-40s %-16s %s\n", e.At.UTC().Format(time.RFC3339), e.Fault, e.Target, e.For.Round(time.Millisecond))
	}
}

// show prints the report and fails if a rule was broken, or the run is flawed.
func show(w io.Writer, r *chaos.Report, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(w).Encode(r); err != nil {
			return err
		}
	} else {
		r.Print(w)
	}
	switch {
	case !r.Report.OK():
		return errViolated
	case !r.OK():
		return errFlawed
	}
	return nil
}
