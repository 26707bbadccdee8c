package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

// driving is the flags of a replay that drives intents again.
type driving struct {
	reason   string
	yes      bool
	lifetime time.Duration
	rate     float64
}

func (d *driving) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&d.reason, "reason", "", "live: why; written to the ledger (required)")
	flags.BoolVar(&d.yes, "yes", false, "live: publish; without it only shown")
	flags.DurationVar(&d.lifetime, "lifetime", time.Minute, "live: how long each new intent may take")
	flags.Float64Var(&d.rate, "rate", 10, "live: intents a second at most")
}

// possible says which flags make no sense; from is the export that is read, if one is.
func (d *driving) possible(from string) error {
	switch {
	case d.reason == "":
		return cli.Usagef("--reason: say why; it is written to the ledger")
	case from != "":
		return cli.Usagef("--from: an export does not know what became of its intents since; read the running ledger")
	case d.lifetime <= 0:
		return cli.Usagef("--lifetime: %s is not positive", d.lifetime)
	case !(d.rate > 0):
		return cli.Usagef("--rate: %v is not positive", d.rate)
	}
	return nil
}

// drive drives again what is not settled, or shows it.
func (r *replaying) drive(cmd *cobra.Command, all []*replay.Asked) error {
	found := replay.Unsettled(all)
	why := fleetctl.Why{By: cliUser(), Reason: r.reason, Lifetime: r.lifetime}
	for _, a := range found {
		if _, err := a.Again(why); err != nil { // what cannot be driven again is said now
			return err
		}
	}
	if !r.yes || len(found) == 0 {
		return r.preview(cmd, found)
	}
	_, nc, err := r.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := producer.New(cmd.Context(), nc)
	if err != nil {
		return err
	}
	ends := make(map[order.Status]int)
	err = replay.Drive(cmd.Context(), p, found, why, r.rate, func(res fleetctl.Result) error {
		ends[res.Outcome.Status]++
		if r.output == cli.JSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(res)
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), res)
		return err
	})
	return errors.Join(r.sum(cmd, len(found), ends), err)
}

// sum says what became of those that were driven again.
func (r *replaying) sum(cmd *cobra.Command, of int, ends map[order.Status]int) error {
	if r.output == cli.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(totals{struct {
			Unsettled int                  `json:"unsettled"`
			Statuses  map[order.Status]int `json:"statuses"`
		}{of, ends}})
	}
	driven := 0
	for _, n := range ends {
		driven += n
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d of %d came to an end: %s\n", driven, of, cmp.Or(replay.Ends(ends), "none"))
	return err
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
