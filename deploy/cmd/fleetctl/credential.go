package main

import (
	"encoding/json"
	"fmt"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/vault/vaultcmd"
	"github.com/spf13/cobra"
)

func newCredential(c *common) *cobra.Command {
	cmd := vaultcmd.New(&vaultcmd.Program{Name: "fleetctl", Output: &c.output, Connect: c.connect, Signer: c.signer})
	cmd.AddCommand(newReseal(c))
	return cmd
}

func newReseal(c *common) *cobra.Command {
	e := &changing{common: c}
	var all, always bool
	cmd := &cobra.Command{
		Use:   "reseal {TENANT... | --all} --reason WHY",
		Short: "Have tenants' keys sealed to the recipients of now, by the workers, while they trade",
		Long: `After the recipients have changed (fleetctl recipient), the keys that were sealed before are
still sealed to the old ones. This has the worker that serves each tenant open them and seal
them anew; what it made takes their place. Keys that are sealed to just the recipients of
now are left alone, unless --always is given. Exit code 1 if some are not sealed to them.`,
		Example: `  fleetctl credential reseal --all --reason "new identity"
  fleetctl credential reseal acme --always --reason "drill"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return cli.Usagef("say whose: TENANT..., or --all")
			}
			for _, name := range args {
				if err := order.ValidTenant(name); err != nil {
					return cli.Usage(err)
				}
			}
			return e.reseal(cmd, args, always)
		},
	}
	e.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "of all tenants that have keys")
	cmd.Flags().BoolVar(&always, "always", false, "those that are sealed to the recipients of now, too")
	return cmd
}

// reseal seals the keys of tenants anew; of all if none are named.
func (e *changing) reseal(cmd *cobra.Command, names []string, always bool) error {
	d, err := e.open(cmd)
	if err != nil {
		return err
	}
	defer d.close()
	if len(names) == 0 {
		r, err := fleetctl.ReadRegistry(cmd.Context(), d.ledger, nil)
		if err != nil {
			return err
		}
		names = r.Holders()
	}
	done, failed := 0, 0
	var wrote error
	q := fleetctl.Reseal{Tenants: names, Always: always, By: d.by, Reason: e.reason}
	err = q.Run(cmd.Context(), d.ledger, d.nc, cli.Progress(cmd.ErrOrStderr()), func(r fleetctl.Resealed) {
		if r.Revision != 0 {
			done++
		}
		if r.Problem != "" {
			failed++
		}
		if err := e.resealed(cmd, r); err != nil {
			wrote = err
		}
	})
	switch {
	case err != nil:
		return err
	case wrote != nil:
		return wrote
	case failed > 0:
		return fmt.Errorf("the keys of %d of %d tenants are not sealed to the recipients of now: keep the old identities", failed, len(names))
	}
	if e.output != cli.JSON {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d of %d sealed anew; all are sealed to the recipients of now\n", done, len(names))
	}
	return err
}

func (e *changing) resealed(cmd *cobra.Command, r fleetctl.Resealed) (err error) {
	switch {
	case e.output == cli.JSON:
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	case r.Problem != "":
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: NOT sealed anew: %s\n", r.Tenant, r.Problem)
	case r.Revision != 0:
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: sealed anew by %s, at revision %d\n", r.Tenant, r.Worker, r.Revision)
	}
	return err
}
