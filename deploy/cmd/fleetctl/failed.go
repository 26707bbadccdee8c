package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

func newFailed(c *common) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "failed",
		Short: "List the intents that ended as failed; drive them again, or drop them",
		Example: `  fleetctl failed list
  fleetctl failed show acme 0192f0c1
  fleetctl failed retry acme 0192f0c1 --reason "broker is back"
  fleetctl failed drop --since 2h --label strategy=old --reason "not wanted any more"`,
	})
	cmd.AddCommand(newFailedList(c), newFailedShow(c), newFailedRetry(c), newFailedDrop(c))
	return cmd
}

// choice is which failed intents are meant: by name, and by flags.
type choice struct {
	since, until cli.Moment
	labels       map[string]string
	symbol       string
}

func (ch *choice) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&ch.since, "since", "only what failed so lately (2h), or since a time (RFC 3339)")
	flags.Var(&ch.until, "until", "only what failed before that")
	flags.StringToStringVar(&ch.labels, "label", nil, "only intents with this label: key=value")
	flags.StringVar(&ch.symbol, "symbol", "", "only orders of this symbol")
}

// filter takes [TENANT [INTENT...]].
func (ch *choice) filter(args []string) (fleetctl.Filter, error) {
	f := fleetctl.Filter{Since: ch.since.Time, Until: ch.until.Time, Labels: ch.labels, Symbol: ch.symbol}
	if len(args) == 0 {
		return f, nil
	}
	f.Tenant, f.IDs = args[0], args[1:]
	if err := order.ValidTenant(f.Tenant); err != nil {
		return f, cli.Usage(err)
	}
	return f, nil
}

func newFailedList(c *common) *cobra.Command {
	var (
		ch  choice
		all bool
	)
	cmd := &cobra.Command{
		Use:   "list [TENANT [INTENT...]]",
		Short: "List failed intents that nobody has settled",
		Example: `  fleetctl failed list
  fleetctl failed list acme --since 24h --symbol AAPL
  fleetctl failed list --label strategy=pairs --all -o json`,
		Args: cli.Args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := ch.filter(args)
			if err != nil {
				return err
			}
			f.All = all
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
	ch.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "also those that a retry has settled, or that were dropped")
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
	l, nc, err := c.connect(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	return fleetctl.ListFailed(cmd.Context(), l, f, cli.Progress(os.Stderr))
}

func newFailedShow(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "show TENANT INTENT",
		Short:   "Show all that is known of a failed intent, as JSON",
		Example: "  fleetctl failed show acme 0192f0c1",
		Args:    cli.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := new(choice).filter(args)
			if err != nil {
				return err
			}
			f.All = true
			found, err := c.list(cmd, f)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return missing(f, args[1])
			}
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(found[len(found)-1])
		},
	}
}

func missing(f fleetctl.Filter, id string) error {
	return fmt.Errorf("tenant %s has no failed intent %s; see fleetctl failed list %s --all", f.Tenant, id, f.Tenant)
}

// cliUser is who sits here.
func cliUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
