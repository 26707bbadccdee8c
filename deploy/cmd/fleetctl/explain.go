package main

import (
	"encoding/json"
	"os"

	"github.com/orderfleet/orderfleet/deploy/explain"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

func newExplain(c *common) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "explain TENANT INTENT",
		Short: "Tell the whole life of an intent: what it waited for, what the broker said, where the time went",
		Long: `Tells the life of an intent on one screen: who published it and when, which worker took it
up, what it waited for, each request of the broker with its answer, what was committed,
what the broker said of the order later, and the time between. Of an intent that is not
done it tells what that waits for; the owner of its shard is asked.

INTENT is an intent id, a client order id, a broker order id, or # and a sequence number.
Retries and repeats of one client order id are one life, with the replaces and cancels of
its order. The exit code is 1 if there is no such thing.

Who published an intent is what the publisher says of itself; nobody has checked it.
Times are those of whoever wrote them down: the NATS server, a worker, the broker.`,
		Example: `  fleetctl explain acme 0192f0c1
  fleetctl explain acme acme.rebalance-1
  fleetctl explain acme 904837e3-3b76-47ec-b432-046db621571b -o json
  fleetctl explain acme '#41' --from ledger-2026-11-24`,
		Args: cli.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := order.ValidTenant(args[0]); err != nil {
				return cli.Usage(err)
			}
			life, err := c.explain(cmd, from, args[0], args[1])
			if err != nil {
				return err
			}
			if c.output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(life)
			}
			return life.Print(cmd.OutOrStdout(), cli.IsTerminal(cmd.OutOrStdout()))
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "read an export instead of the running ledger")
	return cmd
}

// explain reads a life from an export, or from the running ledger; then the fleet is asked
// what the life waits for, if it is not done.
func (c *common) explain(cmd *cobra.Command, from, tenant, what string) (*explain.Life, error) {
	ctx, progress := cmd.Context(), cli.Progress(os.Stderr)
	if from != "" {
		export, err := history.Open(from)
		if err != nil {
			return nil, err
		}
		defer export.Close() //nolint:errcheck // it was only read
		life, err := explain.Read(ctx, export, tenant, what, progress)
		if err == nil {
			life.Recorded(export.Extent().AsOf)
		}
		return life, err
	}
	l, nc, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	life, err := explain.Read(ctx, history.Live(l), tenant, what, progress)
	if err != nil || life.Waiting == nil {
		return life, err
	}
	scene, err := explain.Look(ctx, l, tenant)
	if err != nil {
		return nil, err
	}
	life.See(scene)
	return life, nil
}
