package main

import (
	"encoding/json"
	"fmt"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

func newTenantImport(c *common) *cobra.Command {
	e := &changing{common: c}
	var dryRun, live bool
	cmd := &cobra.Command{
		Use:   "import FILE --reason WHY",
		Short: "Register all tenants of a file, and change those that are there already",
		Long: `Reads a tenants file (YAML), of which it takes over the settings and labels of the tenants,
their limits and those of everybody and of labels; or JSON lines, one tenant each, as

  {"tenant": "acme", "broker": "paper", "requests_per_minute": 200, "labels": {"strategy": "pairs"}}

Tenants that are registered become what the file says; those that it does not name stay. It may
be run again: what is as the file says is left alone. Keys in a tenants file are left where they
are: fleetctl credential seals them.`,
		Example: `  fleetctl tenant import tenants.yaml --dry-run
  fleetctl tenant import clients.jsonl --reason "moved from the old system"`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := fleetctl.ReadTenants(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			if n := file.Live(); n > 0 && !live {
				return cli.Usagef("%d tenants of the file trade real money; say --live if that is meant", n)
			}
			if dryRun {
				return c.compareTenants(cmd, file)
			}
			return e.importTenants(cmd, file)
		},
	}
	e.add(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	cmd.Flags().BoolVar(&live, "live", false, "yes, the file has brokers that trade real money")
	return cmd
}

// compareTenants says what an import would change.
func (c *common) compareTenants(cmd *cobra.Command, file *fleetctl.Tenants) error {
	r, _, nc, err := c.readRegistry(cmd)
	if err != nil {
		return err
	}
	defer nc.Close()
	return c.printTodo(cmd, file.Against(r), "would be registered")
}

func (e *changing) importTenants(cmd *cobra.Command, file *fleetctl.Tenants) error {
	d, err := e.open(cmd)
	if err != nil {
		return err
	}
	defer d.close()
	r, err := fleetctl.ReadRegistry(cmd.Context(), d.ledger, nil)
	if err != nil {
		return err
	}
	todo := file.Against(r)
	if err := todo.CarryOut(cmd.Context(), d.store, d.by, e.reason, cli.Progress(cmd.ErrOrStderr())); err != nil {
		return err
	}
	return e.printTodo(cmd, todo, "are registered")
}

func (c *common) printTodo(cmd *cobra.Command, todo *fleetctl.Todo, what string) error {
	if c.output == cli.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(todo)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d tenants %s, %d changed, %d left as they were; %d limits of groups and everybody changed\n",
		todo.Added, what, todo.Changed, todo.Same, todo.Limits)
	return err
}
