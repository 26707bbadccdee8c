package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

// settling is what retry and drop have in common: they show what they would do, and do it
// with --yes only.
type settling struct {
	*common
	choice
	reason string
	yes    bool
}

func (s *settling) add(cmd *cobra.Command) {
	s.choice.add(cmd)
	cmd.Flags().StringVar(&s.reason, "reason", "", "why; written to the ledger (required)")
	cmd.Flags().BoolVar(&s.yes, "yes", false, "do it; without it only shown")
}

// chosen are the failed intents that are meant and not settled. Those named must be there.
func (s *settling) chosen(cmd *cobra.Command, args []string) ([]fleetctl.Failed, error) {
	f, err := s.filter(args)
	switch {
	case err != nil:
		return nil, err
	case !f.Narrow():
		return nil, cli.Usagef("say which: TENANT [INTENT...], or --since, --until, --label, --symbol")
	}
	if err := cli.CheckReason(s.reason, order.MaxLabelValue); err != nil {
		return nil, err
	}
	f.All = len(f.IDs) > 0
	found, err := s.list(cmd, f)
	if err != nil {
		return nil, err
	}
	for _, id := range f.IDs {
		if !slices.ContainsFunc(found, func(f fleetctl.Failed) bool { return f.Outcome.IntentID == id }) {
			return nil, missing(f, id)
		}
	}
	for i := range found {
		if f := &found[i]; f.Settled() {
			return nil, fmt.Errorf("intent %s of tenant %s is settled already: %s; see fleetctl failed show %[2]s %[1]s", f.Outcome.IntentID, f.Tenant, f.Done())
		}
	}
	return found, nil
}

// preview says what would be done.
func (s *settling) preview(cmd *cobra.Command, what string, found []fleetctl.Failed) error {
	if s.output == cli.JSON {
		return printLines(cmd, found)
	}
	out := cmd.OutOrStdout()
	fleetctl.PrintFailed(out, found)
	if len(found) > 0 {
		fmt.Fprintf(out, "\nnothing was done; add --yes to %s\n", what)
	}
	return nil
}

func newFailedRetry(c *common) *cobra.Command {
	s := &settling{common: c}
	var t tempo
	cmd := &cobra.Command{
		Use:   "retry [TENANT [INTENT...]]",
		Short: "Drive failed intents again: look each up at the broker, place it if it is not there",
		Long: `Publishes new intents that drive failed ones again. The order of each bears the client
order id of the failed one: the worker first looks that up at the broker, and if the order
is there after all, that is the outcome, and no second order is made. It takes its place
behind the tenant's intents that wait: release a tenant that is held first.

Without --yes it shows what it would drive again, and does nothing. Those of a tenant go one
at a time, in their order, also behind one that is not settled; behind one that has no
outcome in time nothing is published. The exit code is 1 if one is not settled.`,
		Example: `  fleetctl failed retry acme 0192f0c1 --reason "broker is back"
  fleetctl failed retry acme 0192f0c1 --reason "broker is back" --yes
  fleetctl failed retry --since 2h --label strategy=pairs --reason "outage over" --yes`,
		Args: cli.Args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.check(); err != nil {
				return err
			}
			found, err := s.chosen(cmd, args)
			if err != nil {
				return err
			}
			why := fleetctl.Why{By: cliUser(), Reason: s.reason, Lifetime: t.lifetime}
			var gone []error // what cannot be driven again is said now, all of it
			for i := range found {
				_, err := found[i].Again(why)
				gone = append(gone, err)
			}
			if err := errors.Join(gone...); err != nil {
				return err
			}
			if !s.yes || len(found) == 0 {
				return s.preview(cmd, "drive them again", found)
			}
			return s.driveAgain(cmd, len(found), func(p *producer.Producer, report func(fleetctl.Result) error) error {
				return fleetctl.Drive(cmd.Context(), p, found, why, t.rate, report)
			})
		},
	}
	s.add(cmd)
	t.add(cmd, "")
	return cmd
}

func newFailedDrop(c *common) *cobra.Command {
	s := &settling{common: c}
	cmd := &cobra.Command{
		Use:   "drop [TENANT [INTENT...]]",
		Short: "Settle failed intents that are not to be driven again",
		Long: `Writes to the ledger that somebody has looked at failed intents and that they are not to be
driven again, with who said it and why. They are no longer listed then. It changes nothing
at the broker: whether the order is there is to be looked up first. A tenant that
is held stays so (fleetctl release).

Without --yes it shows what it would drop, and does nothing.`,
		Example: `  fleetctl failed drop acme 0192f0c1 --reason "not at the broker; too late now" --yes
  fleetctl failed drop acme --until 24h --reason "of yesterday"`,
		Args: cli.Args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := s.chosen(cmd, args)
			if err != nil {
				return err
			}
			if !s.yes {
				return s.preview(cmd, "drop them", found)
			}
			l, nc, err := s.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			why := fleetctl.Why{By: cliUser(), Reason: s.reason}
			for i := range found {
				f := &found[i]
				said, seq, err := f.Drop(cmd.Context(), l, why)
				if err != nil {
					return err
				}
				if err := s.said(cmd, f.Tenant, seq, said, fmt.Sprintf("%s %s is dropped", f.Tenant, f.Outcome.IntentID)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	s.add(cmd)
	return cmd
}
