package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

// driving is the flags of a replay that drives intents again.
type driving struct {
	reason string
	yes    bool
	tempo
}

func (d *driving) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&d.reason, "reason", "", "live: why; written to the ledger (required)")
	flags.BoolVar(&d.yes, "yes", false, "live: publish; without it only shown")
	d.tempo.add(cmd, "live: ")
}

// possible says which flags make no sense; from is the export that is read, if one is.
func (d *driving) possible(from string) error {
	if err := cli.CheckReason(d.reason, order.MaxLabelValue); err != nil {
		return err
	}
	if from != "" {
		return cli.Usagef("--from: an export does not know what became of its intents since; read the running ledger")
	}
	return d.tempo.check()
}

// drive drives again what is not settled, or shows it.
func (r *replaying) drive(cmd *cobra.Command, all []*replay.Asked) error {
	found := replay.Unsettled(all)
	why := fleetctl.Why{By: cliUser(), Reason: r.reason, Lifetime: r.lifetime}
	var gone []error // what cannot be driven again is said now, all of it
	for _, a := range found {
		_, err := a.Again(why)
		gone = append(gone, err)
	}
	if err := errors.Join(gone...); err != nil {
		return err
	}
	if !r.yes || len(found) == 0 {
		return r.preview(cmd, found)
	}
	return r.driveAgain(cmd, len(found), func(p *producer.Producer, report func(fleetctl.Result) error) error {
		return replay.Drive(cmd.Context(), p, found, why, r.rate, report)
	})
}

// preview shows what would be driven again.
func (r *replaying) preview(cmd *cobra.Command, found []*replay.Asked) error {
	if r.output == cli.JSON {
		for _, a := range found {
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(a.Row()); err != nil {
				return err
			}
		}
		return nil
	}
	out := cmd.OutOrStdout()
	if len(found) == 0 {
		fmt.Fprintln(out, "nothing is to be driven again: no intent of these failed or expired that nobody has settled")
		return nil
	}
	table := replay.NewTable(out, found)
	for _, a := range found {
		if err := table.Add(a.Row()); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nnothing was published; add --yes to drive these %d intents again, in this order, because: %s\n", len(found), r.reason)
	return nil
}
