package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

func newReconcile(c *common) *cobra.Command {
	var (
		q     fleetctl.Reconcile
		all   bool
		since cli.Moment
	)
	cmd := &cobra.Command{
		Use:   "reconcile TENANT...",
		Short: "Compare tenants' orders and positions at their brokers with the ledger; exit code 1 if they differ",
		Long: `Has the owner of each tenant's shard compare what the broker shows with what the ledger says
it should be, and lists what differs: orders that nobody asked for, orders that are not
there, fills and ends that are not on the ledger, positions off by a quantity. It takes a
small part of the tenant's rate limit, so that a long history takes its time; --since
bounds it.

--repair has the updates written that are missing, as the worker would have written them in
time. It never places, changes or cancels an order.

Exit code 0 if everything agrees, or does now that it is repaired; 1 if something differs,
or a tenant could not be reconciled.`,
		Example: `  fleetctl reconcile acme
  fleetctl reconcile --all --since 24h -o json
  fleetctl reconcile acme --repair --reason "the stream was away"`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case all == (len(args) > 0):
				return cli.Usage(errors.New("name tenants, or say --all"))
			case q.Repair && q.Reason == "":
				return cli.Usagef("--reason: say why it is repaired; the worker logs it")
			}
			for _, name := range args {
				if err := order.ValidTenant(name); err != nil {
					return cli.Usage(err)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Tenants, q.Since, q.By = args, since.Time, cliUser()
			return c.reconcile(cmd, q)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all tenants that ever had an outcome")
	cmd.Flags().Var(&since, "since", "compare only orders submitted so lately (2h), or since a time (RFC 3339), and open ones")
	cmd.Flags().BoolVar(&q.Repair, "repair", false, "have the updates written that are missing")
	cmd.Flags().StringVar(&q.Reason, "reason", "", "why it is repaired; logged by the worker (required with --repair)")
	return cmd
}

func (c *common) reconcile(cmd *cobra.Command, q fleetctl.Reconcile) error {
	l, nc, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer nc.Close()
	var (
		tally fleetctl.Tally
		wrote error
	)
	out := cmd.OutOrStdout()
	enc := json.NewEncoder(out)
	err = q.Run(cmd.Context(), l, nc, cli.Progress(os.Stderr), func(r fleetctl.Reconciled) {
		tally.Add(&r)
		if c.output == cli.JSON {
			wrote = errors.Join(wrote, enc.Encode(r))
			return
		}
		r.Print(out)
	})
	if err = errors.Join(err, wrote); err != nil {
		return err
	}
	if c.output != cli.JSON {
		fmt.Fprintf(out, "%d tenants reconciled: %d differ, in %d things; %d updates were written\n",
			tally.Reconciled, tally.Differing, tally.Differences, tally.Repaired)
	}
	return tally.Err()
}
