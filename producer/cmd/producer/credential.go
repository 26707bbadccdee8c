package main

import (
	"cmp"
	"context"
	"os"
	"os/user"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/vault/vaultcmd"
	"github.com/spf13/cobra"
)

// newCredential is how a tenant changes its own keys, with no right to anything else. Its
// signature has to be among the operators' list, as its own (fleetctl operator).
func newCredential(c *common) *cobra.Command {
	return vaultcmd.New(&vaultcmd.Program{
		Name:   "producer",
		Reason: "by the tenant itself",
		Output: &c.output,
		Signer: func(*cobra.Command) (*registry.Signer, error) {
			file := cmp.Or(os.Getenv(registry.SigningKey), c.nats.NKey, c.nats.Creds)
			if file == "" {
				return nil, cli.Usagef("a change is signed with the key of the NATS identity (NATS_NKEY, NATS_CREDS), or that in the file %s: there is none", registry.SigningKey)
			}
			return registry.ReadSigner(ourName(), file)
		},
		Connect: func(ctx context.Context) (*ledger.Ledger, *nats.Conn, error) {
			return ledger.Dial(ctx, "orderfleet producer", c.nats)
		},
	})
}

// ourName is who we are, for people.
func ourName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "somebody"
}
