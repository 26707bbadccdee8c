package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/spf13/cobra"
)

func newAudit(c *common) *cobra.Command {
	var (
		f      stretchFlags
		o      audit.Options
		broker string
	)
	cmd := &cobra.Command{
		Use:   "audit [TENANT...]",
		Short: "Prove or refute from the ledgers that the fleet did what it promises; exit code 1 if not",
		Long: `Reads a stretch of the fleet's ledger, and compares it with the broker's: every intent has
exactly one outcome or is still due, outcomes are in the order of their intents and by the
owner of their time, expiries were honoured, updates add up, each accepted outcome has
exactly one order at the broker and each order of the fleet's an intent.

--broker names the tenants file of the workers: the orders of each account are listed with
the tenant's keys, at half the usual limit of requests. For a paper broker it is the
address of its ledger (its admin address). Without it only the fleet's ledger is audited.
Tenants that have orders but are not in the file, have no keys there, or whose account does
not answer are named, and the others audited; the audit is then incomplete, and its exit
code is 1.

The digest stands for every message that was read: who audits the same stretch, or an
export of it, gets the same.`,
		Example: `  fleetctl audit
  fleetctl audit acme --since 24h --broker tenants.yaml
  fleetctl audit --from ledger-2026-11-24 -o json
  fleetctl audit --broker http://127.0.0.1:8081`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.stretch(args)
			if err != nil {
				return err
			}
			if o.Slack < 0 || o.Grace < 0 {
				return cli.Usagef("--slack and --grace cannot be negative")
			}
			asked, err := openBroker(broker)
			if err != nil {
				return err
			}
			src, done, err := f.source(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer done()
			o.Progress = cli.Progress(os.Stderr)
			r, err := audit.Run(cmd.Context(), src, asked, s, o)
			if err != nil {
				return err
			}
			if c.output == cli.JSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			} else {
				r.Print(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			return r.Err()
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&broker, "broker", "", "tenants file of the workers, or address of a paper broker's ledger")
	cmd.Flags().DurationVar(&o.Slack, "slack", audit.DefaultSlack, "how far clocks may differ")
	cmd.Flags().DurationVar(&o.Grace, "grace", audit.DefaultGrace, "how long after its time an intent may have no outcome")
	return cmd
}

// openBroker opens what --broker names; nil if it names nothing.
func openBroker(name string) (audit.Broker, error) {
	switch {
	case name == "":
		return nil, nil
	case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
		return audit.Paper(strings.TrimSuffix(name, "/")), nil
	}
	tenants, err := tenant.LoadFile(name)
	if err != nil {
		return nil, cli.Usagef("--broker: %w", err)
	}
	return audit.Accounts(tenants), nil
}
