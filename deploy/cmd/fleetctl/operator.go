package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/spf13/cobra"
)

func newOperator(c *common) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "operator",
		Short: "Say whose signatures count for changes of tenants, limits and switches",
		Long: `Every change of the registry is signed. As long as nobody is an operator, every signature
counts: whoever may write the bucket TENANTS can change it. Once somebody is, only the keys
of operators count, and only they can change who is one. The first is made by itself: add
your own key right after "worker provision". A tenant's own key may be added with --tenant:
then it counts for the credential of that tenant, and for nothing else.`,
		Example: `  fleetctl operator key
  fleetctl operator add ann UBQ... --reason "desk lead"
  fleetctl operator add acme UDX... --tenant acme --reason "rotates its own keys"
  fleetctl operator remove UDX... --reason "left"`,
	})
	cmd.AddCommand(newOperatorKey(c), newOperatorList(c), newOperatorAdd(c), newOperatorRemove(c))
	return cmd
}

func newOperatorKey(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "key",
		Short:   "Print the public key that signs your changes",
		Example: "  fleetctl operator key",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.signer(cmd)
			if err != nil {
				return err
			}
			defer s.Wipe()
			if c.output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					Key string `json:"key"`
				}{s.Public()})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), s.Public())
			return err
		},
	}
}

func newOperatorList(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List those whose signatures count",
		Example: "  fleetctl operator list -o json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, _, nc, err := c.readRegistry(cmd)
			if err != nil {
				return err
			}
			defer nc.Close()
			all := r.Operators()
			if c.output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(registry.OperatorList{Operators: append([]registry.Operator{}, all...)})
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "nobody: every signature counts, see fleetctl operator --help")
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tKEY\tMAY CHANGE")
			for _, o := range all {
				what := "everything"
				if o.Tenant != "" {
					what = "the credential of " + o.Tenant
				}
				fmt.Fprintf(table, "%s\t%s\t%s\n", o.Name, o.Key, what)
			}
			return table.Flush()
		},
	}
}

func newOperatorAdd(c *common) *cobra.Command {
	e := &changing{common: c}
	var of string
	cmd := &cobra.Command{
		Use:     "add NAME KEY --reason WHY",
		Short:   "Make somebody's signature count",
		Example: `  fleetctl operator add ann "$(fleetctl operator key)" --reason "the first"`,
		Args:    cli.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[0] + " is an operator"
			if of != "" {
				text = args[0] + " may change the credential of " + of
			}
			return e.operators(cmd, text, func(l *registry.OperatorList) error {
				l.Operators = append(l.Operators, registry.Operator{Name: args[0], Key: args[1], Tenant: of})
				return nil
			})
		},
	}
	e.add(cmd)
	cmd.Flags().StringVar(&of, "tenant", "", "it counts for the credential of this `tenant` alone")
	return cmd
}

func newOperatorRemove(c *common) *cobra.Command {
	e := &changing{common: c}
	cmd := &cobra.Command{
		Use:     "remove KEY --reason WHY",
		Short:   "Make somebody's signature count no longer; what it changed before stays",
		Example: `  fleetctl operator remove UDX... --reason "left"`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.operators(cmd, "the signature of "+args[0]+" counts no longer", func(l *registry.OperatorList) error {
				for i, o := range l.Operators {
					if o.Key == args[0] {
						l.Operators = append(l.Operators[:i], l.Operators[i+1:]...)
						return nil
					}
				}
				return fmt.Errorf("nobody has the key %s: see fleetctl operator list", args[0])
			})
		},
	}
	e.add(cmd)
	return cmd
}

// operators changes the list of operators.
func (e *changing) operators(cmd *cobra.Command, text string, to func(*registry.OperatorList) error) error {
	d, err := e.open(cmd)
	if err != nil {
		return err
	}
	defer d.close()
	return change(e, cmd, d, registry.OperatorsKey, text, func(now *registry.OperatorList) (*registry.OperatorList, error) {
		then := new(registry.OperatorList)
		if now != nil {
			then.Operators = append(then.Operators, now.Operators...)
		}
		if err := to(then); err != nil {
			return nil, err
		}
		return then, nil
	})
}
