package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

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
	case s.reason == "":
		return nil, cli.Usagef("--reason: say why; it is written to the ledger")
	case !f.Narrow():
		return nil, cli.Usagef("say which: TENANT [INTENT...], or --since, --until, --label, --symbol")
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

// print shows the result for one of them.
func (s *settling) print(cmd *cobra.Command, v any, format string, args ...any) error {
	if s.output == cli.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format, args...)
	return err
}

func newFailedRetry(c *common) *cobra.Command {
	s := &settling{common: c}
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use:   "retry [TENANT [INTENT...]]",
		Short: "Drive failed intents again: look each up at the broker, place it if it is not there",
		Long: `Publishes new intents that drive failed ones again. The order of each bears the client
order id of the failed one: the worker first looks that up at the broker, and if the order
is there after all, that is the outcome, and no second order is made. It takes its place
behind the tenant's intents that wait: release a tenant that is held first.

Without --yes it shows what it would drive again, and does nothing. One at a time; it
goes on with the next when one is not settled, and the exit code is 1 then.`,
		Example: `  fleetctl failed retry acme 0192f0c1 --reason "broker is back"
  fleetctl failed retry acme 0192f0c1 --reason "broker is back" --yes
  fleetctl failed retry --since 2h --label strategy=pairs --reason "outage over" --yes`,
		Args: cli.Args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lifetime <= 0 {
				return cli.Usagef("--lifetime: %s is not positive", lifetime)
			}
			found, err := s.chosen(cmd, args)
			if err != nil {
				return err
			}
			why := fleetctl.Why{By: cliUser(), Reason: s.reason, Lifetime: lifetime}
			if !s.yes {
				for i := range found {
					if _, err := found[i].Again(why); err != nil { // what cannot be driven again is said now
						return err
					}
				}
				return s.preview(cmd, "drive them again", found)
			}
			return s.retry(cmd, found, why)
		},
	}
	s.add(cmd)
	cmd.Flags().DurationVar(&lifetime, "lifetime", time.Minute, "how long each new intent may take")
	return cmd
}

// errNotSettled says that retries did not find out either.
var errNotSettled = errors.New("not settled by the retry")

// retry drives intents again, one after the other.
func (s *settling) retry(cmd *cobra.Command, found []fleetctl.Failed, why fleetctl.Why) error {
	_, nc, err := s.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := producer.New(cmd.Context(), nc)
	if err != nil {
		return err
	}
	var open []error
	for i := range found {
		again, err := found[i].Again(why)
		if err != nil {
			return err
		}
		r, err := fleetctl.Drive(cmd.Context(), p, found[i].Tenant, again)
		switch {
		case errors.Is(err, fleetctl.ErrWaits):
			open = append(open, fmt.Errorf("%s of %s, as %s: %w", r.RetryOf, r.Tenant, r.ID, err))
			continue
		case err != nil:
			return err
		case r.Outcome.Status == order.Failed || r.Outcome.Status == order.Expired:
			open = append(open, fmt.Errorf("%s of %s: %w: %s: %s", r.RetryOf, r.Tenant, errNotSettled, r.Outcome.Status, r.Outcome.Message))
		}
		if err := s.print(cmd, r, "%s\n", r); err != nil {
			return err
		}
	}
	return errors.Join(open...)
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
				said, err := f.Drop(cmd.Context(), l, why)
				if err != nil {
					return err
				}
				if err := s.print(cmd, said, "%s %s: dropped\n", f.Tenant, f.Outcome.IntentID); err != nil {
					return err
				}
			}
			return nil
		},
	}
	s.add(cmd)
	return cmd
}
