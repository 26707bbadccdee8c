package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/kelseyhightower/envconfig"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
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
		Use:   "producer",
		Short: "Publish order intents and follow what becomes of them",
		Long: `Publishes order intents to the ledger of a NATS server, where workers take them up.
The server and who we are come from the NATS_* variables ("producer env" prints them)
or from flags.

Exit codes: 0 all went well, 1 something failed, 2 a mistake in the command line.`,
		Example: `  producer publish acme --symbol AAPL --qty 1 --side buy --type market --tif day --wait
  producer import orders.jsonl
  producer watch acme --since 2h -o json`,
	})
	cli.AddNATS(cmd, &c.nats)
	cli.AddOutput(cmd, &c.output)
	cmd.AddCommand(newPublish(c), newImport(c), newWatch(c), newCredential(c), newEnv())
	return cmd
}

// connect makes a producer; close its connection.
func (c *common) connect(ctx context.Context) (*producer.Producer, *nats.Conn, error) {
	nc, err := natsconn.Dial(ctx, "orderfleet producer", c.nats)
	if err != nil {
		return nil, nil, err
	}
	p, err := producer.New(ctx, nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return p, nc, nil
}

func newEnv() *cobra.Command {
	return &cobra.Command{
		Use:     "env",
		Short:   "Print every environment variable, its default and its meaning",
		Example: "  producer env",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "VARIABLE\tDEFAULT\tMEANING")
			const row = "{{range .}}{{usage_key .}}\t{{usage_default .}}\t{{usage_description .}}\n{{end}}"
			if err := envconfig.Usagef("", &natsconn.Options{}, table, row); err != nil {
				return fmt.Errorf("print the environment: %w", err)
			}
			return table.Flush()
		},
	}
}
