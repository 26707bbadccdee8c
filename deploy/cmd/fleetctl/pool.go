package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/spf13/cobra"
)

func newPool(c *common) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "pool",
		Short: "Have tenants share one rate limit, as that of a correspondent of the Broker API",
		Long: `A pool is a number of requests in a window of time. Those tenants share it whose settings name
it: fleetctl tenant set TENANT --pool NAME --weight 2. Who wants something gets it by its
weight; cancels, and lookups that resolve a doubt, come first, up to the reserve. On however many
workers the tenants are, no window has more requests than that, wherever it begins.`,
		Example: `  fleetctl pool set desk --requests 1000 --window 1m --reason "our correspondent's limit"
  fleetctl tenant set acme --pool desk --weight 3 --reason "pays for more"
  fleetctl pool list`,
	})
	cmd.AddCommand(newPoolSet(c), newPoolRemove(c), newPoolShow(c), newPoolList(c))
	return cmd
}

// poolFields are the flags of a pool.
var poolFields = []field[tenant.Pool]{
	{"requests", "how many requests may reach the broker in a window, as a `number`", func(p *tenant.Pool, v string) (err error) {
		p.Requests, err = whole(v)
		return err
	}},
	{"window", "how long a window is, as `1m`", func(p *tenant.Pool, v string) error {
		d, err := time.ParseDuration(v)
		p.Window = tenant.Duration(d)
		return err
	}},
	{"reserve-percent", "the part for which cancels come first, as a `number`", func(p *tenant.Pool, v string) (err error) {
		p.ReservePercent, err = whole(v)
		return err
	}},
}

// poolName is a pool's name, of the arguments.
func poolName(args []string) (string, error) {
	if err := tenant.ValidWord(args[0]); err != nil {
		return "", cli.Usagef("the name of a pool %w", err)
	}
	return args[0], nil
}

func newPoolSet(c *common) *cobra.Command {
	e := &changing{common: c}
	var edits []edit[tenant.Pool]
	cmd := &cobra.Command{
		Use:   "set POOL --reason WHY",
		Short: "Make a pool, or change it; what no flag names stays",
		Long: `Makes a pool, or changes it. Workers take a change over at once. Another window begins anew: what
was requested before is not counted in it.`,
		Example: `  fleetctl pool set desk --requests 1000 --window 1m --reason "our correspondent's limit"
  fleetctl pool set desk --reserve-percent 10 --reason "many cancels at the close"`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := poolName(args)
			if err != nil {
				return err
			}
			if len(edits) == 0 {
				return cli.Usagef("say what to set: a flag as --requests")
			}
			d, err := e.open(cmd)
			if err != nil {
				return err
			}
			defer d.close()
			return change(e, cmd, d, registry.PoolKey(name), "pool "+name+" is set", func(now *tenant.Pool) (*tenant.Pool, error) {
				then := tenant.Pool{Window: tenant.Duration(time.Minute)}
				if now != nil {
					then = *now
				}
				if err := apply(&then, edits); err != nil {
					return nil, cli.Usage(err)
				}
				if err := then.Validate(); err != nil {
					return nil, cli.Usage(err)
				}
				return &then, nil
			})
		},
	}
	e.add(cmd)
	addFields(cmd, &edits, poolFields)
	return cmd
}

func newPoolRemove(c *common) *cobra.Command {
	e := &changing{common: c}
	cmd := &cobra.Command{
		Use:   "remove POOL --reason WHY",
		Short: "Take a pool away that no tenant names any more",
		Long: `Takes a pool away. It is refused while tenants name it: their intents would wait for a pool that
is not there.`,
		Example: `  fleetctl pool remove desk --reason "everybody has keys of their own"`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := poolName(args)
			if err != nil {
				return err
			}
			d, err := e.open(cmd)
			if err != nil {
				return err
			}
			defer d.close()
			r, err := fleetctl.ReadRegistry(cmd.Context(), d.ledger, nil)
			if err != nil {
				return err
			}
			if using := sharers(r)[name]; len(using) > 0 {
				return fmt.Errorf("%d tenants share pool %s, %s first: fleetctl tenant set %s --pool \"\" takes one out", len(using), name, using[0], using[0])
			}
			k := registry.PoolKey(name)
			revision, err := d.store.Remove(cmd.Context(), d.by, k, e.reason)
			if errors.Is(err, registry.ErrNothing) {
				return noPool(name)
			}
			if err != nil {
				return err
			}
			return e.report(cmd, d, k, revision, "pool "+name+" is removed", nil)
		},
	}
	e.add(cmd)
	return cmd
}

func noPool(name string) error {
	return fmt.Errorf("there is no pool %s: fleetctl pool set makes it", name)
}

// sharers are the tenants that name each pool, in order.
func sharers(r *registry.Registry) map[string][]string {
	all := make(map[string][]string)
	for _, name := range r.Names() {
		if s, ok := r.Settings(name); ok && s.Pool != "" {
			all[s.Pool] = append(all[s.Pool], name)
		}
	}
	return all
}

// shownPool is a pool as it is shown. Its names in JSON are part of the contract.
type shownPool struct {
	Name string `json:"name"`
	tenant.Pool
	Tenants []string `json:"tenants"`
	// Missing: tenants name it, and nobody made it; their intents wait.
	Missing bool `json:"missing,omitzero"`
}

func newPoolShow(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "show POOL",
		Short:   "Show a pool, and who shares it",
		Example: "  fleetctl pool show desk\n  fleetctl pool show desk -o json",
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := poolName(args)
			if err != nil {
				return err
			}
			r, _, nc, err := c.readRegistry(cmd)
			if err != nil {
				return err
			}
			defer nc.Close()
			p, ok := r.Pool(name)
			if !ok {
				return noPool(name)
			}
			shown := shownPool{Name: name, Pool: p, Tenants: append([]string{}, sharers(r)[name]...)}
			if c.output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(shown)
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintf(table, "requests\t%d in any %s\n", p.Requests, time.Duration(p.Window))
			fmt.Fprintf(table, "reserve\t%d%% for cancels first\n", p.Reserve())
			for _, t := range shown.Tenants {
				s, _ := r.Settings(t)
				fmt.Fprintf(table, "tenant\t%s, weight %d\n", t, max(s.Weight, 1))
			}
			return table.Flush()
		},
	}
}

func newPoolList(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the pools; exit code 1 if tenants name one that nobody made",
		Example: "  fleetctl pool list\n  fleetctl pool list -o json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, _, nc, err := c.readRegistry(cmd)
			if err != nil {
				return err
			}
			defer nc.Close()
			all, missing := listPools(r)
			if c.output == cli.JSON {
				err = printLines(cmd, all)
			} else {
				table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "POOL\tREQUESTS\tWINDOW\tRESERVE\tTENANTS")
				for _, p := range all {
					if p.Missing {
						fmt.Fprintf(table, "%s\tNOT THERE\t\t\t%d\n", p.Name, len(p.Tenants))
						continue
					}
					fmt.Fprintf(table, "%s\t%d\t%s\t%d%%\t%d\n", p.Name, p.Requests, time.Duration(p.Window), p.Reserve(), len(p.Tenants))
				}
				err = table.Flush()
			}
			if err == nil && missing > 0 {
				err = fmt.Errorf("tenants name %d pools that are not there: their intents wait until fleetctl pool set makes them", missing)
			}
			return err
		},
	}
}

// listPools are all pools, and those that tenants name although they are not there.
func listPools(r *registry.Registry) (all []shownPool, missing int) {
	shared := sharers(r)
	all = []shownPool{}
	for _, name := range r.Pools() {
		p, _ := r.Pool(name)
		all = append(all, shownPool{Name: name, Pool: p, Tenants: append([]string{}, shared[name]...)})
		delete(shared, name)
	}
	for _, name := range slices.Sorted(maps.Keys(shared)) {
		all = append(all, shownPool{Name: name, Tenants: shared[name], Missing: true})
	}
	return all, len(shared)
}
