package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
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
that expire meanwhile end as expired. What is at the broker stays there.`),
		newHand(c, tenant.Run, "resume", "Let tenants go on", `Takes a pause, a halt or reduce-only off again: that of the same tenant, the same label, or all. A
tenant goes on when none lies on it any more; the command says which ones do.`),
		newHand(c, tenant.Halt, "halt", "Refuse intents", `Intents that make or change an order end as blocked (rule halted), also those that wait.
Cancels still pass, so that a tenant can be taken out of the market; --cancel-open does that:
it publishes a cancel of all open orders for each tenant.`),
		newHand(c, tenant.ReduceOnly, "reduce-only", "Let only orders through that make positions smaller", `Orders that make a position smaller pass, and so do cancels. All others end as blocked (rule
reduce_only).`),
	}
}

func newHand(c *common, mode tenant.Mode, name, short, long string) *cobra.Command {
	var (
		on    whom
		until cli.Ahead
	)
	e := &changing{common: c}
	h := fleetctl.Hand{Mode: mode}
	cmd := &cobra.Command{
		Use:   name + " TENANT | --all | --label KEY=VALUE",
		Short: short + ", and show which workers have confirmed it",
		Long: long + `

The switch is written to the registry, signed, with who threw it and why. Then the worker that
owns each shard is asked to confirm that none of its sessions makes a request any more that the
switch does not allow. From the confirmation on that is so, also if the shard changes hands.

Exit code 1 if somebody has not confirmed in time, or open orders were not cancelled: the
switch is set all the same, and workers that start later obey it.`,
		Example: fmt.Sprintf("  fleetctl %[1]s acme --reason \"runaway strategy\"\n  fleetctl %[1]s --label strategy=pairs --reason drill\n  fleetctl %[1]s --all --reason \"broker incident\"", name),
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
		err = errors.Join(err, fmt.Errorf("%d of %d shards are NOT CONFIRMED; the switch is set, and whoever serves them next obeys it", n, len(t.Confirmations)))
	} else if !t.OK() {
		err = errors.Join(err, errors.New("not all open orders were cancelled"))
	}
	return err
}
