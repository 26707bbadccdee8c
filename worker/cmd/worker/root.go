package main

import (
	"errors"

	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/spf13/cobra"
)

// usageError is a mistake in the command line or the environment: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// exitCode is 2 for a mistake of usage, 1 for any other failure.
func exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

func newRoot() *cobra.Command {
	var nats natsconn.Options
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Serve tenants: submit their intents to their brokers, commit the outcomes",
		Long: `Serves the ledger of a NATS server: every tenant that has work gets a goroutine
with a broker connection of its own. Stop it with SIGTERM or Ctrl-C: it finishes
what is at the broker, commits it, and ends; a second signal ends it at once, and
its next run resolves what was under way.

Settings come from the environment; "worker env" prints them all.`,
		Example: `  worker provision                                    # once: make the ledger
  ORDERFLEET_TENANTS_FILE=tenants.yaml worker         # serve
  worker --server nats://nats:4222 --creds worker.creds`,
		Args:          usageArgs(cobra.NoArgs),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			env, err := natsconn.FromEnv()
			if err != nil {
				return usageError{err}
			}
			nats = nats.Or(env)
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := readSettings()
			if err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), s, nats, cmd.ErrOrStderr())
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := cmd.PersistentFlags()
	flags.StringVar(&nats.URL, "server", "", "NATS server (NATS_URL)")
	flags.StringVar(&nats.Creds, "creds", "", "credentials file (NATS_CREDS)")
	cmd.AddCommand(newProvision(&nats), newEnv())
	return cmd
}

func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
