package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

func newRelease(c *common) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "release TENANT",
		Short: "Let a tenant go on that is held because an intent of its failed",
		Long: `A tenant whose policy is "on_failed: hold" is held when an intent of its ends as failed: the
later ones wait until somebody has looked. The release is written to the ledger, with
who said it and why; it counts for failures before it.`,
		Example: `  fleetctl failed list acme
  fleetctl release acme --reason "the order is not at the broker"`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			said := order.Control{Version: order.Version, Verb: order.Release, By: cliUser(), Reason: reason, At: time.Now().UTC()}
			if err := order.ValidTenant(args[0]); err != nil {
				return cli.Usage(err)
			}
			if err := cli.CheckReason(reason, order.MaxControlReason); err != nil {
				return err
			}
			l, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			seq, err := l.Control(cmd.Context(), args[0], said)
			if err != nil {
				return err
			}
			return c.said(cmd, args[0], seq, said, args[0]+" is released")
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; written to the ledger (required)")
	return cmd
}

// said shows what was written to the ledger of a tenant, at a sequence number.
func (c *common) said(cmd *cobra.Command, tenant string, seq uint64, said order.Control, text string) error {
	if c.output == cli.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
			Tenant string `json:"tenant"`
			Seq    uint64 `json:"seq"`
			order.Control
		}{tenant, seq, said})
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s, at sequence %d of its shard\n", text, seq)
	return err
}
