package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/orderfleet/orderfleet/deploy/chaos"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/worker/plant"
	"github.com/spf13/cobra"
)

// errMissed says that the judge is not to be trusted.
var errMissed = errors.New("the judge missed a planted bug, or found one where there is none; is the worker built with -tags planted?")

func newPlanted(output *cli.Output) *cobra.Command {
	o := chaos.PlantedOptions()
	names := make([]string, len(plant.Bugs))
	for i, b := range plant.Bugs {
		names[i] = string(b)
	}
	cmd := &cobra.Command{
		Use:   "planted [bug ...]",
		Short: "Plant bugs in the workers, one at a time, and see that the judge finds each",
		Long: `Runs a short schedule with workers that have a bug planted, for each bug, and before
that without any. The judge has to find every bug, and nothing without one. The bugs:
` + strings.Join(names, ", ") + `.`,
		Example: `  go build -tags planted -o .bin/worker-planted ./worker/cmd/worker
  chaos planted --worker .bin/worker-planted
  chaos planted --worker .bin/worker-planted lookup fence`,
		RunE: func(cmd *cobra.Command, args []string) error {
			bugs := plant.Bugs
			if len(args) > 0 {
				bugs = nil
			}
			for _, name := range args {
				if !slices.Contains(names, name) {
					return cli.Usagef("no bug is called %q; there are %s", name, strings.Join(names, ", "))
				}
				bugs = append(bugs, plant.Bug(name))
			}
			if err := o.Validate(); err != nil {
				return cli.Usage(err)
			}
			o.Progress = cli.Progress(os.Stderr)
			all, err := chaos.Planted(cmd.Context(), o, bugs, func(c chaos.Catch) {
				if *output != cli.JSON {
					c.Print(cmd.OutOrStdout())
				}
			})
			if err != nil {
				return err
			}
			if *output == cli.JSON {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(all); err != nil {
					return fmt.Errorf("write the report: %w", err)
				}
			}
			for i := range all {
				if !all[i].Caught() {
					return errMissed
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&o.Seed, "seed", 1, "of the first schedule")
	f.DurationVar(&o.Duration, "duration", o.Duration, "how long faults are injected")
	f.StringVar(&o.Worker, "worker", beside("worker-planted"), "the worker command, built with -tags planted")
	return cmd
}
