package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/spf13/cobra"
)

func newProvision(nats *natsconn.Options) *cobra.Command {
	var (
		dryRun bool
		output cli.Output
	)
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Make the ledger's streams and bucket what the settings say",
		Long: `Creates what is missing, changes what differs, refuses whatever would lose data, and
checks that the server's account mapping brings intents to their shards. Run it as
often as you like. The settings are the ORDERFLEET_LEDGER_* variables of "worker env".`,
		Example: `  worker provision --dry-run
  ORDERFLEET_LEDGER_REPLICAS=3 worker provision`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return provision(cmd.Context(), *nats, dryRun, output == cli.JSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would change, and change nothing")
	cli.AddOutput(cmd, &output)
	return cmd
}

func provision(ctx context.Context, nats natsconn.Options, dryRun, asJSON bool, out, note io.Writer) error {
	var s ledger.Settings
	if err := process(&s); err != nil {
		return cli.Usage(err)
	}
	if err := s.Validate(); err != nil {
		return cli.Usage(namingVariable(err))
	}
	nc, err := natsconn.Dial(ctx, "orderfleet worker provision", nats)
	if err != nil {
		return err
	}
	defer nc.Close()

	carryOut := ledger.Provision
	if dryRun {
		carryOut = ledger.Plan
	}
	changes, err := carryOut(ctx, nc, s)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(out).Encode(changes)
	}
	for _, c := range changes {
		fmt.Fprintln(out, c)
	}
	if len(changes) == 0 {
		fmt.Fprintln(out, "nothing to change")
	}
	if s.Replicas == 1 || s.Storage == "memory" {
		fmt.Fprintln(note, "this ledger does not outlive a server's disk: in production use three servers with sync_interval always, and ORDERFLEET_LEDGER_REPLICAS=3")
	}
	return nil
}

// namingVariable names the variable of a setting that is out of range.
func namingVariable(err error) error {
	if bad, ok := errors.AsType[*ledger.SettingError](err); ok {
		return fmt.Errorf("%s_%s: %s", prefix, bad.Variable(), bad.Problem)
	}
	return err
}
