package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/spf13/cobra"
)

// hands are the commands that throw the switch.
func hands(c *common) []*cobra.Command {
	return []*cobra.Command{
		newHand(c, tenant.Pause, "pause", "Let intents wait", `Intents wait on the ledger, in their order, until the tenant is resumed or --until has come; those
that expire meanwhile end as expired. What is at the broker stays there.`,
			`  fleetctl pause acme --until 2h --reason "until the desk has looked"`,
			`  fleetctl pause --label strategy=pairs --reason drill`,
			`  fleetctl pause --all --reason "broker incident"`),
		newHand(c, tenant.Run, "resume", "Let tenants go on", `Takes a pause, a halt or reduce-only off again: that of the same tenant, the same label, or all. A
tenant goes on when none lies on it any more; the command says which ones do.`,
			`  fleetctl resume acme --reason "looked into it"`,
			`  fleetctl resume --label strategy=pairs --reason "the drill is over"`,
			`  fleetctl resume --all --reason "the broker is back"`),
		newHand(c, tenant.Halt, "halt", "Refuse intents", `Intents that make or change an order end as blocked (rule halted), also those that wait.
Cancels still pass, so that a tenant can be taken out of the market; --cancel-open does that:
it publishes a cancel of all open orders for each tenant.`,
			`  fleetctl halt acme --cancel-open --reason "runaway strategy"`,
			`  fleetctl halt --label strategy=pairs --until 2026-12-01T14:30:00Z --reason "until the open"`,
			`  fleetctl halt --all --reason "broker incident"`),
		newHand(c, tenant.ReduceOnly, "reduce-only", "Let only orders through that make positions smaller", `Orders that make a position smaller pass, and so do cancels. All others end as blocked (rule
reduce_only).`,
			`  fleetctl reduce-only acme --reason "winding down"`,
			`  fleetctl reduce-only --label strategy=pairs --reason "the strategy ends"`,
			`  fleetctl reduce-only --all --until 2h --reason "the exchange has trouble"`),
	}
}

func newHand(c *common, mode tenant.Mode, name, short, long string, examples ...string) *cobra.Command {
	var (
		on    whom
		until cli.Ahead
	)
	e := &changing{common: c}
	h := fleetctl.Hand{Mode: mode}
	cmd := &cobra.Command{
		Use:   name + " {TENANT | --label KEY=VALUE | --all} --reason WHY",
		Short: short + ", and show which workers have confirmed it",
		Long: long + `

The switch is written to the registry, signed, with who threw it and why. Then the worker that
owns each shard is asked to confirm that none of its sessions makes a request any more that the
switch does not allow. From the confirmation on that is so, also if the shard changes hands.

Exit code 1 if somebody has not confirmed in time, or open orders were not cancelled: the
switch is set all the same, and workers that start later obey it.`,
		Example: strings.Join(examples, "\n"),
		Args:    cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if h.Scope, err = on.scope(args); err != nil {
				return err
			}
			h.Until = until.Time
			return e.throw(cmd, h)
		},
	}
	on.add(cmd)
	e.add(cmd)
	cmd.Flags().DurationVar(&h.Patience, "wait", 10*time.Second, "how long to wait for confirmations")
	if mode != tenant.Run {
		cmd.Flags().Var(&until, "until", "when it is over by itself: in so long (2h), or at a time (RFC 3339)")
	}
	if mode == tenant.Halt {
		cmd.Flags().BoolVar(&h.CancelOpen, "cancel-open", false, "cancel the open orders of each tenant")
	}
	return cmd
}

func (e *changing) throw(cmd *cobra.Command, h fleetctl.Hand) error {
	d, err := e.open(cmd)
	if err != nil {
		return err
	}
	defer d.close()
	h.Reason = e.reason
	t, err := h.Throw(cmd.Context(), d.ledger, d.nc, d.by, cli.Progress(os.Stderr))
	if t == nil {
		return err
	}
	out := cmd.OutOrStdout()
	if e.output == cli.JSON {
		err = errors.Join(err, json.NewEncoder(out).Encode(t))
	} else {
		t.Print(out)
	}
	if n := len(fleetctl.Unconfirmed(t.Confirmations)); n > 0 {
		err = errors.Join(err, fmt.Errorf("the switch is set, but %d of %s NOT CONFIRMED", n, cli.Count(len(t.Confirmations), "shard")))
	} else if !t.OK() {
		err = errors.Join(err, errors.New("not all open orders were cancelled"))
	}
	return err
}
