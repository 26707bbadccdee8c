package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/spf13/cobra"
)

func newHistory(c *common) *cobra.Command {
	var (
		since cli.Moment
		kind  string
	)
	cmd := &cobra.Command{
		Use:   "history [TENANT]",
		Short: "Show who changed what, when and why; exit code 1 if a change is not verified",
		Long: `Shows every change of tenants, limits, switches, credentials, pools and operators, oldest
first: what it changed against the one before, who signed it, and why. A change that is
not signed, or not by who may, or that was written a second time, is shown as NOT VERIFIED:
it changed nothing. The history is the registry itself, from which nothing can be taken away.
Of a tenant it is its settings, credential and switch.`,
		Example: `  fleetctl history acme
  fleetctl history --since 24h --kind switch
  fleetctl history -o json | jq 'select(.verified | not)'`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f := fleetctl.DeedFilter{Kind: registry.Kind(kind), Since: since.Time}
			if kind != "" && !slices.Contains(registry.Kinds, f.Kind) {
				return cli.Usagef("--kind: %q is none of %v", kind, registry.Kinds)
			}
			if len(args) > 0 {
				if err := order.ValidTenant(args[0]); err != nil {
					return cli.Usage(err)
				}
				f.Tenant = args[0]
			}
			return c.history(cmd, f)
		},
	}
	cmd.Flags().Var(&since, "since", "only changes since then, as 2h or an RFC 3339 time")
	cmd.Flags().StringVar(&kind, "kind", "", "only changes of a `kind`: tenant, limits, switch, credential, pool, recipients, operators")
	return cmd
}

func (c *common) history(cmd *cobra.Command, f fleetctl.DeedFilter) error {
	l, nc, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer nc.Close()
	out, unverified := json.NewEncoder(cmd.OutOrStdout()), 0
	err = fleetctl.ReadHistory(cmd.Context(), registry.NewStore(l), f, func(d fleetctl.Deed) error {
		if !d.Verified {
			unverified++
		}
		if c.output == cli.JSON {
			return out.Encode(d)
		}
		d.Print(cmd.OutOrStdout())
		return nil
	})
	if err == nil && unverified > 0 {
		err = fmt.Errorf("%d changes are NOT VERIFIED: they changed nothing, but somebody wrote them; who may write the bucket %s?", unverified, "TENANTS")
	}
	return err
}
