package main

import (
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	var nats natsconn.Options
	cmd := cli.Command(&cobra.Command{
		Use:   "worker",
		Short: "Serve tenants: submit their intents to their brokers, commit the outcomes",
		Long: `Serves the ledger of a NATS server: every tenant that has work gets a goroutine
with a broker connection of its own. Stop it with SIGTERM or Ctrl-C: it finishes
what is at the broker, commits it, and ends; a second signal ends it at once, and
its next run resolves what was under way.

Settings come from the environment; "worker env" prints them all.`,
		Example: `  worker provision                                    # once: make the ledger
  ORDERFLEET_IDENTITY_FILE=identity.txt worker        # serve the tenants of the registry
  ORDERFLEET_TENANTS_FILE=tenants.yaml worker         # serve those of a file, for development
  worker --server nats://nats:4222 --creds worker.creds`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := readSettings()
			if err != nil {
				return cli.Usage(err)
			}
			return run(cmd.Context(), s, nats, cmd.ErrOrStderr())
		},
	})
	cli.AddNATS(cmd, &nats)
	cmd.AddCommand(newProvision(&nats), newKeygen(), newEnv())
	return cmd
}
