package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/spf13/cobra"
)

// common is what all subcommands share.
type common struct {
	nats   natsconn.Options
	output cli.Output
}

func newRoot() *cobra.Command {
	c := &common{}
	cmd := cli.Command(&cobra.Command{
		Use:   "fleetctl",
		Short: "Ask a fleet what happened and why; say who its tenants are, what they may do, and who is stopped",
		Long: `Shows who serves which shards, tells the life of an intent, replays and audits any stretch of
the ledger, finds where broker and ledger differ, and settles intents that failed: those of
which the broker could not be asked in time what became of them. All that reads and asks, and
disturbs nobody. It also says who the tenants are, which keys and limits they have, and stops
them; each of these changes is signed, kept for ever with its reason, and shown by "fleetctl
history". The server and who we are come from the NATS_* variables or from flags.

Exit codes: 0 all went well, 1 something failed or differs, 2 a mistake in the command line.`,
		Example: `  fleetctl status
  fleetctl explain acme 0192f0c1
  fleetctl replay acme --since 2h
  fleetctl audit --since 24h --broker tenants.yaml
  fleetctl reconcile acme
  fleetctl failed list --since 24h
  fleetctl failed retry acme 0192f0c1 --reason "broker is back" --yes
  fleetctl tenant add acme --broker paper --reason "new client"
  fleetctl limits set --all --max-notional 100000 --reason policy
  fleetctl halt --label strategy=pairs --cancel-open --reason "runaway strategy"
  fleetctl history acme
  fleetctl release acme --reason "the order is not at the broker"`,
	})
	cli.AddNATS(cmd, &c.nats)
	cli.AddOutput(cmd, &c.output)
	for _, group := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"ask", "Ask the fleet and its ledger:", []*cobra.Command{newStatus(c), newExplain(c), newReplay(c), newExport(c), newAudit(c), newReconcile(c)}},
		{"settle", "Settle what failed:", []*cobra.Command{newFailed(c), newRelease(c)}},
		{"stop", "Stop tenants, and let them go on:", hands(c)},
		{"tenants", "Say who the tenants are, and what they may do:", []*cobra.Command{
			newTenant(c), newCredential(c), newLimits(c), newPrice(c), newPool(c), newHistory(c),
		}},
		{"trust", "Say who may do what:", []*cobra.Command{newOperator(c), newRecipient(c), newNATS(c)}},
	} {
		cmd.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, sub := range group.commands {
			sub.GroupID = group.id
			cmd.AddCommand(sub)
		}
	}
	return cmd
}

// connect opens the ledger; close its connection.
func (c *common) connect(ctx context.Context) (*ledger.Ledger, *nats.Conn, error) {
	return ledger.Dial(ctx, "orderfleet fleetctl", c.nats)
}

func newStatus(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show the workers, who serves which shard, and which switches lie; exit code 1 if a shard has no owner",
		Example: "  fleetctl status\n  fleetctl status -o json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			s, err := fleetctl.ReadStatus(cmd.Context(), l)
			if err != nil {
				return err
			}
			if c.output == cli.JSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			} else {
				s.Print(cmd.OutOrStdout())
			}
			if n := s.Unowned(); err == nil && n > 0 {
				err = fmt.Errorf("%d shards have no owner: is a worker running? Its log says what it waits for", n)
			}
			return err
		},
	}
}
