package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/spf13/cobra"
)

func newTenant(c *common) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "tenant",
		Short: "Say who the tenants are: their broker, their pace, their labels",
		Long: `The registry of tenants is the bucket TENANTS. Workers watch it: a change is theirs at once,
with no restart, also while the tenant trades. Each change is signed by who makes it, and
kept for ever: "fleetctl history" shows them. The signing key is that of the identity towards
NATS (NATS_NKEY, NATS_CREDS), or in the file that ` + registry.SigningKey + ` names; otherwise one of
your own is made. Keys of tenants are set by "fleetctl credential", limits by "fleetctl limits".`,
		Example: `  fleetctl tenant add acme --broker paper --requests-per-minute 200 --label strategy=pairs --reason "new client"
  fleetctl tenant set acme --broker live --live --reason "passed its tests"
  fleetctl tenant set acme --status disabled --reason "contract ended"
  fleetctl tenant list --label strategy=pairs`,
	})
	cmd.AddCommand(newTenantAdd(c), newTenantSet(c), newTenantRemove(c), newTenantShow(c), newTenantList(c), newTenantImport(c))
	return cmd
}

// settingFields are the flags of a tenant's settings.
var settingFields = []field[tenant.Settings]{
	{"broker", "the broker: live, paper, broker-api, broker-api-sandbox, or a `URL`", func(s *tenant.Settings, v string) error {
		s.Broker = v
		return nil
	}},
	{"account", "the `id` of the account that a correspondent's keys act for, at the Broker API", func(s *tenant.Settings, v string) error {
		s.Account = v
		return nil
	}},
	{"requests-per-minute", "requests a minute at most, as a `number`", func(s *tenant.Settings, v string) (err error) {
		s.RequestsPerMinute, err = whole(v)
		return err
	}},
	{"on-failed", "what an intent that failed does to the later ones, in a `word`: continue or hold", func(s *tenant.Settings, v string) error {
		s.OnFailed = v
		return nil
	}},
	{"pool", "the rate pool, by `name`, of which its requests are taken", func(s *tenant.Settings, v string) error {
		s.Pool = v
		return nil
	}},
	{"weight", "its part of the pool against the others', as a `number`", func(s *tenant.Settings, v string) (err error) {
		s.Weight, err = whole(v)
		return err
	}},
	{"status", "a `word`: active or disabled, which halts it", func(s *tenant.Settings, v string) error {
		s.Status = tenant.Status(v)
		return nil
	}},
	{"label", "a label, `key=value`; several if given several times; key= takes one away", func(s *tenant.Settings, v string) error {
		key, value, ok := strings.Cut(v, "=")
		if !ok {
			return errors.New("it is not key=value")
		}
		if value == "" {
			delete(s.Labels, key)
			return nil
		}
		if s.Labels == nil {
			s.Labels = make(map[string]string)
		}
		s.Labels[key] = value
		return nil
	}},
}

// whole reads a number; empty is 0, which is none.
func whole(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, errors.New("it is no whole number")
	}
	return n, nil
}

// settingEdits are those that the command line makes, and whether it says that real money is
// meant.
type settingEdits struct {
	changing
	edits []edit[tenant.Settings]
	live  bool
}

func (e *settingEdits) add(cmd *cobra.Command) {
	e.changing.add(cmd)
	addFields(cmd, &e.edits, settingFields)
	cmd.Flags().BoolVar(&e.live, "live", false, "yes, the broker trades real money")
}

// make makes the edits. Nobody comes to trade real money by a slip.
func (e *settingEdits) make(now tenant.Settings) (*tenant.Settings, error) {
	then := now
	then.Labels = make(map[string]string)
	for k, v := range now.Labels {
		then.Labels[k] = v
	}
	if err := apply(&then, e.edits); err != nil {
		return nil, cli.Usage(err)
	}
	if len(then.Labels) == 0 {
		then.Labels = nil
	}
	if err := then.Validate(); err != nil {
		return nil, cli.Usage(err)
	}
	if then.Live() && !now.Live() && !e.live {
		return nil, cli.Usagef("--broker: %s trades real money; say --live if that is meant", then.BaseURL())
	}
	return &then, nil
}

func newTenantAdd(c *common) *cobra.Command {
	e := &settingEdits{changing: changing{common: c}}
	cmd := &cobra.Command{
		Use:     "add TENANT --broker BROKER --reason WHY",
		Short:   "Register a tenant",
		Example: `  fleetctl tenant add acme --broker paper --requests-per-minute 200 --label strategy=pairs --reason "new client"`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("broker") {
				return cli.Usagef("--broker: say which: paper, live, broker-api, broker-api-sandbox, or a URL")
			}
			if _, err := e.make(tenant.Settings{}); err != nil { // a mistake shows before anything is asked
				return err
			}
			return e.run(cmd, args[0], "is registered, and trades when it has keys (fleetctl credential set)", func(now *tenant.Settings) (*tenant.Settings, error) {
				if now != nil {
					return nil, fmt.Errorf("%s is registered already: change it with fleetctl tenant set", args[0])
				}
				return e.make(tenant.Settings{})
			})
		},
	}
	e.add(cmd)
	return cmd
}

func newTenantSet(c *common) *cobra.Command {
	e := &settingEdits{changing: changing{common: c}}
	cmd := &cobra.Command{
		Use:   "set TENANT --reason WHY",
		Short: "Change what a tenant is; what no flag names stays",
		Example: `  fleetctl tenant set acme --requests-per-minute 1000 --label strategy=momentum --reason "upgraded"
  fleetctl tenant set acme --status disabled --reason "contract ended"
  fleetctl tenant set acme --requests-per-minute "" --label strategy= --reason "no longer bounded"`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(e.edits) == 0 {
				return cli.Usagef("say what to change: a flag as --requests-per-minute")
			}
			return e.run(cmd, args[0], "is changed", func(now *tenant.Settings) (*tenant.Settings, error) {
				if now == nil {
					return nil, unregistered(args[0])
				}
				return e.make(*now)
			})
		},
	}
	e.add(cmd)
	return cmd
}

func unregistered(name string) error {
	return fmt.Errorf("nobody registered %s: fleetctl tenant add does", name)
}

// run changes a tenant's settings.
func (e *settingEdits) run(cmd *cobra.Command, name, text string, to func(*tenant.Settings) (*tenant.Settings, error)) error {
	if err := order.ValidTenant(name); err != nil {
		return cli.Usage(err)
	}
	d, err := e.open(cmd)
	if err != nil {
		return err
	}
	defer d.close()
	pool := ""
	err = change(&e.changing, cmd, d, registry.TenantKey(name), name+" "+text, func(now *tenant.Settings) (*tenant.Settings, error) {
		then, err := to(now)
		if err == nil && (now == nil || now.Pool != then.Pool) {
			pool = then.Pool
		}
		return then, err
	})
	if err != nil || pool == "" {
		return err
	}
	if c, _, err := d.store.Get(cmd.Context(), registry.PoolKey(pool)); err != nil || c.Record.Removed() {
		fmt.Fprintf(cmd.ErrOrStderr(), "pool %s is not there: the intents of %s wait until fleetctl pool set makes it\n", pool, name)
	}
	return nil
}

func newTenantRemove(c *common) *cobra.Command {
	r := &changing{common: c}
	cmd := &cobra.Command{
		Use:   "remove TENANT --reason WHY",
		Short: "Take a tenant out of the registry: its intents are blocked from then on",
		Long: `Takes the tenant's settings, limits, keys and switch out of the registry. Its intents end as
blocked then; orders that are open at its broker stay there and are no longer followed: to
cancel them, fleetctl halt --cancel-open first. The history of the tenant stays, as its ledger does.`,
		Example: `  fleetctl tenant remove acme --reason "contract ended"`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if err := order.ValidTenant(name); err != nil {
				return cli.Usage(err)
			}
			d, err := r.open(cmd)
			if err != nil {
				return err
			}
			defer d.close()
			k := registry.TenantKey(name)
			revision, err := d.store.Remove(cmd.Context(), d.by, k, r.reason)
			if errors.Is(err, registry.ErrNothing) {
				return unregistered(name)
			}
			if err != nil {
				return err
			}
			for _, more := range []registry.Key{registry.CredentialKey(name), registry.SwitchKey(registry.OfTenant(name))} {
				if _, err := d.store.Remove(cmd.Context(), d.by, more, r.reason); err != nil && !errors.Is(err, registry.ErrNothing) {
					return fmt.Errorf("%s is removed, but %s is not: %w", name, more, err)
				}
			}
			return r.report(cmd, d, k, revision, name+" is removed, with its limits, keys and switch", nil)
		},
	}
	r.add(cmd)
	return cmd
}

func newTenantShow(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "show TENANT",
		Short: "Show what a tenant is, under which limits and switches it trades, and which keys it has",
		Long: `Shows the settings of a tenant; the limits that hold for it, each with the scope that it comes
from; the switches that lie on it; and of its keys what kind they are and since when.`,
		Example: "  fleetctl tenant show acme\n  fleetctl tenant show acme -o json",
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := order.ValidTenant(args[0]); err != nil {
				return cli.Usage(err)
			}
			r, l, nc, err := c.readRegistry(cmd)
			if err != nil {
				return err
			}
			defer nc.Close()
			profile, err := fleetctl.ReadProfile(cmd.Context(), registry.NewStore(l), r, args[0])
			if errors.Is(err, tenant.ErrUnknown) {
				return unregistered(args[0])
			}
			if err != nil {
				return err
			}
			if c.output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(profile)
			}
			return profile.Print(cmd.OutOrStdout())
		},
	}
}

func newTenantList(c *common) *cobra.Command {
	var label string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tenants",
		Example: "  fleetctl tenant list\n  fleetctl tenant list --label strategy=pairs -o json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			scope := registry.All
			if label != "" {
				var err error
				if scope, err = (&whom{label: label}).scope(nil); err != nil {
					return err
				}
			}
			r, _, nc, err := c.readRegistry(cmd)
			if err != nil {
				return err
			}
			defer nc.Close()
			return c.printTenants(cmd, fleetctl.ListTenants(r, scope))
		},
	}
	cmd.Flags().StringVar(&label, "label", "", "only tenants with a label, `key=value`")
	return cmd
}

func (c *common) printTenants(cmd *cobra.Command, all []fleetctl.Listed) error {
	if c.output == cli.JSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		for _, t := range all {
			if err := enc.Encode(t); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TENANT\tSTATUS\tMODE\tBROKER\tKEYS\tLABELS")
	for _, t := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Tenant, t.Status, t.Mode, t.Broker, t.Keys, t.LabelText())
	}
	return table.Flush()
}
