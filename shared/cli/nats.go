package cli

import (
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/spf13/cobra"
)

// AddNATS gives a command and its subcommands the flags that say where the NATS server is and
// who we are. What they leave open comes from the environment, before the command runs.
func AddNATS(cmd *cobra.Command, o *natsconn.Options) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&o.URL, "server", "", "NATS server (NATS_URL)")
	flags.StringVar(&o.Creds, "creds", "", "credentials file (NATS_CREDS)")
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		env, err := natsconn.FromEnv()
		if err != nil {
			return Usage(err)
		}
		*o = o.Or(env)
		return nil
	}
}
