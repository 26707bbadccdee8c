package main

import (
	"cmp"
	"os"
	"os/user"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/vault"
	"github.com/orderfleet/orderfleet/shared/vault/vaultcmd"
	"github.com/spf13/cobra"
)

// signingKey names the file with the key that signs changes, if it is not that of the NATS
// identity.
const signingKey = "ORDERFLEET_SIGNING_KEY"

// newCredential is how a tenant changes its own keys, with no right to anything else. Its
// signature has to be among the operators' list, as its own (fleetctl operator).
func newCredential(c *common) *cobra.Command {
	return vaultcmd.New(&vaultcmd.Program{
		Name:   "producer",
		Reason: "by the tenant itself",
		Output: &c.output,
		Open: func(cmd *cobra.Command, sign bool) (*vault.Vault, *registry.Signer, func(), error) {
			var by *registry.Signer
			if sign {
				file := cmp.Or(os.Getenv(signingKey), c.nats.NKey, c.nats.Creds)
				if file == "" {
					return nil, nil, nil, cli.Usagef("a change is signed with the key of the NATS identity (NATS_NKEY, NATS_CREDS), or that in the file %s: there is none", signingKey)
				}
				var err error
				if by, err = registry.ReadSigner(ourName(), file); err != nil {
					return nil, nil, nil, err
				}
			}
			nc, err := natsconn.Dial(cmd.Context(), "orderfleet producer", c.nats)
			if err != nil {
				return nil, nil, nil, err
			}
			l, err := ledger.Open(cmd.Context(), nc)
			if err != nil {
				nc.Close()
				return nil, nil, nil, err
			}
			return vault.New(l), by, func() {
				if by != nil {
					by.Wipe()
				}
				nc.Close()
			}, nil
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
