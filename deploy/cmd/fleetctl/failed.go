package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

func newFailed(c *common) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:     "failed",
		Short:   "List the intents that ended as failed, and drive them again",
		Example: "  fleetctl failed list\n  fleetctl failed show acme 0192f0c1\n  fleetctl failed retry acme 0192f0c1 --reason \"broker is back\"",
	})
	cmd.AddCommand(newFailedList(c), newFailedShow(c), newFailedRetry(c))
	return cmd
}

func newFailedList(c *common) *cobra.Command {
	var (
		since cli.Moment
		all   bool
	)
	cmd := &cobra.Command{
		Use:     "list [TENANT]",
		Short:   "List failed intents that no retry has settled",
		Example: "  fleetctl failed list\n  fleetctl failed list acme --since 24h\n  fleetctl failed list --all -o json",
		Args:    cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f := fleetctl.Filter{All: all, Since: since.Time}
			if len(args) == 1 {
				f.Tenant = args[0]
			}
			found, err := c.list(cmd, f)
			if err != nil {
				return err
			}
			if c.output != cli.JSON {
				fleetctl.PrintFailed(cmd.OutOrStdout(), found)
				return nil
			}
			return printLines(cmd, found)
		},
	}
	cmd.Flags().Var(&since, "since", "only what failed so lately (2h), or since a time (RFC 3339)")
	cmd.Flags().BoolVar(&all, "all", false, "also those that a retry has settled")
	return cmd
}

// printLines writes one line of JSON for each.
func printLines[T any](cmd *cobra.Command, all []T) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	for _, one := range all {
		if err := enc.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

// list reads the failed intents.
func (c *common) list(cmd *cobra.Command, f fleetctl.Filter) ([]fleetctl.Failed, error) {
	if f.Tenant != "" {
		if err := order.ValidTenant(f.Tenant); err != nil {
			return nil, cli.Usage(err)
		}
	}
	l, nc, err := c.connect(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	return fleetctl.ListFailed(cmd.Context(), l, f, cli.Progress(os.Stderr))
}

// one reads the failed intent that the arguments name.
func (c *common) one(cmd *cobra.Command, args []string) (*fleetctl.Failed, error) {
	found, err := c.list(cmd, fleetctl.Filter{Tenant: args[0], ID: args[1], All: true})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("tenant %s has no failed intent %s; see fleetctl failed list %s --all", args[0], args[1], args[0])
	}
	return &found[len(found)-1], nil
}

func newFailedShow(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "show TENANT INTENT",
		Short:   "Show all that is known of a failed intent, as JSON",
		Example: "  fleetctl failed show acme 0192f0c1",
		Args:    cli.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := c.one(cmd, args)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(f)
		},
	}
}

func newFailedRetry(c *common) *cobra.Command {
	var (
		why     fleetctl.Why
		publish bool
	)
	cmd := &cobra.Command{
		Use:   "retry TENANT INTENT",
		Short: "Drive a failed intent again: look it up at the broker, place it if it is not there",
		Long: `Publishes a new intent that drives a failed one again. Its order bears the client order
id of the failed one: the worker first looks that up at the broker, and if the order
is there after all, that is the outcome, and no second order is made. It takes its place
behind the tenant's intents that wait: release a tenant that is held first.

Without --yes it shows what it would publish, and does nothing.`,
		Example: `  fleetctl failed retry acme 0192f0c1 --reason "broker is back"
  fleetctl failed retry acme 0192f0c1 --reason "broker is back" --yes`,
		Args: cli.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case why.Reason == "":
				return cli.Usagef("--reason: say why it is driven again; it is written to the ledger")
			case why.Lifetime <= 0:
				return cli.Usagef("--lifetime: %s is not positive", why.Lifetime)
			}
			why.By = cliUser()
			f, err := c.one(cmd, args)
			if err != nil {
				return err
			}
			again, err := f.Again(why)
			if err != nil {
				return err
			}
			if !publish {
				return preview(cmd, f, again)
			}
			return c.drive(cmd, f.Tenant, again)
		},
	}
	cmd.Flags().StringVar(&why.Reason, "reason", "", "why; written to the ledger (required)")
	cmd.Flags().DurationVar(&why.Lifetime, "lifetime", time.Minute, "how long the new intent may take")
	cmd.Flags().BoolVar(&publish, "yes", false, "publish it")
	return cmd
}

// cliUser is who sits here.
func cliUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// preview shows what would be published.
func preview(cmd *cobra.Command, f *fleetctl.Failed, again order.Intent) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "failed: %s\nwould publish for tenant %s:\n", f.Outcome.Message, f.Tenant)
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(again); err != nil {
		return err
	}
	fmt.Fprintln(out, "nothing was published; add --yes")
	return nil
}

// errNotSettled says that the retry did not find out either.
var errNotSettled = errors.New("the retry did not settle it")

func (c *common) drive(cmd *cobra.Command, tenant string, again order.Intent) error {
	_, nc, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := producer.New(cmd.Context(), nc)
	if err != nil {
		return err
	}
	r, err := fleetctl.Drive(cmd.Context(), p, tenant, again)
	if err != nil {
		return err
	}
	if c.output == cli.JSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s %s %s\n", r.ID, r.Outcome.Status, r.Outcome.BrokerOrderID, r.Outcome.Message)
	}
	if err == nil && (r.Outcome.Status == order.Failed || r.Outcome.Status == order.Expired) {
		err = fmt.Errorf("%w: %s: %s", errNotSettled, r.Outcome.Status, r.Outcome.Message)
	}
	return err
}
