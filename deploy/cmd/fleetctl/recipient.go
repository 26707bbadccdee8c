package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/vault"
	"github.com/spf13/cobra"
)

func newRecipient(c *common) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "recipient",
		Short: "Say to whom tenants' keys are sealed: the public halves of the workers' identities",
		Long: `Tenants' keys are sealed to all recipients; any worker whose identity file holds one of the
identities opens them. "worker keygen" makes an identity and prints its recipient. To change
the identity while the fleet trades: worker keygen --add on every worker's file; recipient add;
credential reseal --all; recipient remove the old one; credential reseal --all; and take the
old identity out of the files.`,
		Example: `  fleetctl recipient add "$(worker keygen identity.txt)" --reason "the first"
  fleetctl recipient list
  fleetctl recipient remove age1... --reason "replaced"`,
	})
	cmd.AddCommand(newRecipientList(c), newRecipientAdd(c), newRecipientRemove(c))
	return cmd
}

func newRecipientList(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List to whom keys are sealed",
		Example: "  fleetctl recipient list -o json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			all, err := vault.New(l).Recipients(cmd.Context())
			if err != nil && !errors.Is(err, seal.ErrNoRecipients) {
				return err
			}
			if c.output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(registry.RecipientList{Recipients: append([]string{}, all...)})
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "nobody: no keys can be sealed, see fleetctl recipient --help")
				return err
			}
			for _, one := range all {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), one); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newRecipientAdd(c *common) *cobra.Command {
	e := &changing{common: c}
	cmd := &cobra.Command{
		Use:     "add RECIPIENT --reason WHY",
		Short:   "Have keys sealed to one more, from now on; see credential reseal for those that are",
		Example: `  fleetctl recipient add age1... --reason "new identity"`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.recipients(cmd, args[0]+" is a recipient", func(all seal.Recipients) (seal.Recipients, error) {
				if slices.Contains(all, args[0]) {
					return nil, errNoChange
				}
				return append(all, args[0]), nil
			})
		},
	}
	e.add(cmd)
	return cmd
}

func newRecipientRemove(c *common) *cobra.Command {
	e := &changing{common: c}
	cmd := &cobra.Command{
		Use:     "remove RECIPIENT --reason WHY",
		Short:   "Have keys sealed to one fewer, from now on; see credential reseal for those that are",
		Example: `  fleetctl recipient remove age1... --reason "replaced"`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.recipients(cmd, args[0]+" is no recipient any more", func(all seal.Recipients) (seal.Recipients, error) {
				i := slices.Index(all, args[0])
				switch {
				case i < 0:
					return nil, errors.New("that is no recipient: see fleetctl recipient list")
				case len(all) == 1:
					return nil, errors.New("that is the only recipient: nothing could be sealed any more; add another one first")
				}
				return slices.Delete(all, i, i+1), nil
			})
		},
	}
	e.add(cmd)
	return cmd
}

// recipients changes the list of them.
func (e *changing) recipients(cmd *cobra.Command, text string, to func(seal.Recipients) (seal.Recipients, error)) error {
	d, err := e.open(cmd)
	if err != nil {
		return err
	}
	defer d.close()
	return change(e, cmd, d, registry.RecipientsKey, text, func(now *registry.RecipientList) (*registry.RecipientList, error) {
		var all seal.Recipients
		if now != nil {
			all = slices.Clone(now.Recipients)
		}
		then, err := to(all)
		if err != nil {
			return nil, err
		}
		if err := then.Validate(); err != nil {
			return nil, cli.Usage(err)
		}
		return &registry.RecipientList{Recipients: then}, nil
	})
}
