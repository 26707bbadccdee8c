package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"
)

func newLimits(c *common) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "limits",
		Short: "Bound what tenants may order: one, a group, or the whole fleet",
		Long: `Limits are checked in the tenant's session before an order goes to its broker; what breaks
one ends as blocked, with the rule, the limit and the value. Those of the tenant, of its
groups and of the fleet all hold: of each the tightest. "fleetctl tenant show" says which
one that is.`,
		Example: `  fleetctl limits set acme --max-qty 100 --orders-per-minute 60 --reason "as agreed"
  fleetctl limits set --label strategy=pairs --hours "America/New_York mon-fri 09:30-16:00" --reason policy
  fleetctl limits set --all --file limits.yaml --reason policy
  fleetctl limits show --all`,
	})
	cmd.AddCommand(newLimitsShow(c), newLimitsSet(c), newLimitsRemove(c))
	return cmd
}

// limitFields are the flags of limits.
var limitFields = []field[tenant.Limits]{
	money("max-qty", "shares or contracts of one order", func(l *tenant.Limits) **decimal.Decimal { return &l.MaxQty }),
	money("max-notional", "worth of one order in dollars", func(l *tenant.Limits) **decimal.Decimal { return &l.MaxNotional }),
	count("orders-per-second", "orders in any second", func(l *tenant.Limits) *int { return &l.OrdersPerSecond }),
	count("orders-per-minute", "orders in any minute", func(l *tenant.Limits) *int { return &l.OrdersPerMinute }),
	count("orders-per-day", "orders in a trading day", func(l *tenant.Limits) *int { return &l.OrdersPerDay }),
	money("notional-per-second", "dollars in any second", func(l *tenant.Limits) **decimal.Decimal { return &l.NotionalPerSecond }),
	money("notional-per-minute", "dollars in any minute", func(l *tenant.Limits) **decimal.Decimal { return &l.NotionalPerMinute }),
	money("notional-per-day", "dollars in a trading day", func(l *tenant.Limits) **decimal.Decimal { return &l.NotionalPerDay }),
	count("open-orders", "orders that are open, or may be", func(l *tenant.Limits) *int { return &l.OpenOrders }),
	money("credit", "dollars of open and unknown orders and the day's purchases less its sales", func(l *tenant.Limits) **decimal.Decimal { return &l.Credit }),
	money("collar-percent", "percent on the wrong side of the reference price; without one nothing passes", func(l *tenant.Limits) **decimal.Decimal { return &l.CollarPercent }),
	span("price-max-age", "how old a reference price may be", func(l *tenant.Limits) *tenant.Duration { return &l.PriceMaxAge }),
	list("allowed", "the only symbols that may be traded", func(l *tenant.Limits) *[]string { return &l.Allowed }),
	list("restricted", "symbols that may not be traded", func(l *tenant.Limits) *[]string { return &l.Restricted }),
	list("types", "the only types of orders, as market,limit", func(l *tenant.Limits) *[]order.Type { return &l.Types }),
	{"no-short", "true or false: `whether` nothing is sold that is not held", func(l *tenant.Limits, v string) error {
		if v != "true" && v != "false" && v != "" {
			return errors.New("it is not true or false")
		}
		l.NoShort = v == "true"
		return nil
	}},
	{"hours", "`when` orders may be placed, as \"America/New_York mon-fri 09:30-16:00\"; all hold that are given", func(l *tenant.Limits, v string) error {
		if v == "" {
			l.Hours = nil
			return nil
		}
		words := strings.Fields(v)
		if len(words) != 3 {
			return errors.New("it is not a zone, days, and times, as \"America/New_York mon-fri 09:30-16:00\"")
		}
		from, until, _ := strings.Cut(words[2], "-")
		h := tenant.Hours{Zone: words[0], Days: words[1], From: from, Until: until}
		l.Hours = append(l.Hours, h)
		return h.Validate()
	}},
	span("duplicate-window", "for how long no order may be as another in symbol, side and size", func(l *tenant.Limits) *tenant.Duration { return &l.DuplicateWindow }),
	count("max-backlog", "intents that wait when another one is published", func(l *tenant.Limits) *int { return &l.MaxBacklog }),
	count("publishes-per-minute", "intents that are published in any minute", func(l *tenant.Limits) *int { return &l.PublishesPerMinute }),
}

func money(name, usage string, at func(*tenant.Limits) **decimal.Decimal) field[tenant.Limits] {
	return field[tenant.Limits]{name, "the most " + usage + ", as a `number`", func(l *tenant.Limits, v string) error {
		*at(l) = nil
		if v == "" {
			return nil
		}
		d, err := decimal.NewFromString(v)
		if err != nil {
			return errors.New("it is no decimal number")
		}
		*at(l) = &d
		return nil
	}}
}

func count(name, usage string, at func(*tenant.Limits) *int) field[tenant.Limits] {
	return field[tenant.Limits]{name, "the most " + usage + ", as a `number`", func(l *tenant.Limits, v string) (err error) {
		*at(l), err = whole(v)
		return err
	}}
}

func span(name, usage string, at func(*tenant.Limits) *tenant.Duration) field[tenant.Limits] {
	return field[tenant.Limits]{name, usage + ", as `30s`", func(l *tenant.Limits, v string) error {
		*at(l) = 0
		if v == "" {
			return nil
		}
		d, err := time.ParseDuration(v)
		*at(l) = tenant.Duration(d)
		return err
	}}
}

func list[T ~string](name, usage string, at func(*tenant.Limits) *[]T) field[tenant.Limits] {
	return field[tenant.Limits]{name, usage + ", as a `list` with commas", func(l *tenant.Limits, v string) error {
		*at(l) = nil
		for word := range strings.SplitSeq(v, ",") {
			if word = strings.TrimSpace(word); word != "" {
				*at(l) = append(*at(l), T(word))
			}
		}
		return nil
	}}
}

func newLimitsSet(c *common) *cobra.Command {
	e := &changing{common: c}
	var (
		on    whom
		file  string
		edits []edit[tenant.Limits]
	)
	cmd := &cobra.Command{
		Use:   "set {TENANT | --label KEY=VALUE | --all} --reason WHY",
		Short: "Set limits; those that no flag names stay, an empty value takes one away",
		Long: `Sets the limits of a tenant, a group or the fleet. With --file they become those of a YAML
file with the names of the flags, as max_qty: 100, and then what the flags say.`,
		Example: `  fleetctl limits set acme --max-qty 100 --orders-per-minute 60 --reason "as agreed"
  fleetctl limits set acme --max-qty "" --reason "no longer bounded"
  fleetctl limits set --all --file limits.yaml --reason policy`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			scope, err := on.scope(args)
			if err != nil {
				return err
			}
			to, err := limitChange(file, edits)
			if err != nil {
				return err
			}
			d, err := e.open(cmd)
			if err != nil {
				return err
			}
			defer d.close()
			return e.setLimits(cmd, d, scope, to, "the limits of "+scope.String()+" are set")
		},
	}
	e.add(cmd)
	on.add(cmd)
	cmd.Flags().StringVar(&file, "file", "", "a YAML file of limits, which replace those that are there")
	addFields(cmd, &edits, limitFields)
	return cmd
}

// limitChange is what the file and the flags make of limits.
func limitChange(file string, edits []edit[tenant.Limits]) (func(tenant.Limits) (tenant.Limits, error), error) {
	if file == "" && len(edits) == 0 {
		return nil, cli.Usagef("say which limits: a flag as --max-qty, or --file")
	}
	var read *tenant.Limits
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, cli.Usagef("--file: %w", err)
		}
		l, err := tenant.ParseLimits(data)
		if err != nil {
			return nil, cli.Usagef("--file: %s: %w", file, err)
		}
		read = &l
	}
	change := func(l tenant.Limits) (tenant.Limits, error) {
		if read != nil {
			l = *read
		}
		l.Hours = append([]tenant.Hours(nil), l.Hours...)
		if err := apply(&l, edits); err != nil {
			return l, cli.Usage(err)
		}
		if err := l.Validate(); err != nil {
			return l, cli.Usage(err)
		}
		return l, nil
	}
	_, err := change(tenant.Limits{}) // a mistake shows before anything is asked
	return change, err
}

// setLimits changes the limits of a scope: a tenant's are among its settings.
func (e *changing) setLimits(cmd *cobra.Command, d *desk, scope registry.Scope, to func(tenant.Limits) (tenant.Limits, error), text string) error {
	if name := scope.Tenant; name != "" {
		return change(e, cmd, d, registry.TenantKey(name), text, func(now *tenant.Settings) (*tenant.Settings, error) {
			if now == nil {
				return nil, unregistered(name)
			}
			then := *now
			var err error
			then.Limits, err = to(now.Limits)
			return &then, err
		})
	}
	return change(e, cmd, d, registry.LimitsKey(scope), text, func(now *tenant.Limits) (*tenant.Limits, error) {
		if now == nil {
			now = new(tenant.Limits)
		}
		then, err := to(*now)
		if err != nil || fleetctl.Same(tenant.Limits{}, &then) {
			return nil, err // there is no key without limits
		}
		return &then, nil
	})
}

func newLimitsRemove(c *common) *cobra.Command {
	e := &changing{common: c}
	var of whom
	cmd := &cobra.Command{
		Use:     "remove {TENANT | --label KEY=VALUE | --all} --reason WHY",
		Short:   "Take all limits of a tenant, a group or the fleet away",
		Example: `  fleetctl limits remove --label strategy=pairs --reason "the group is closed"`,
		Args:    cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			scope, err := of.scope(args)
			if err != nil {
				return err
			}
			d, err := e.open(cmd)
			if err != nil {
				return err
			}
			defer d.close()
			none := func(tenant.Limits) (tenant.Limits, error) { return tenant.Limits{}, nil }
			return e.setLimits(cmd, d, scope, none, scope.String()+" has no limits of its own")
		},
	}
	e.add(cmd)
	of.add(cmd)
	return cmd
}

func newLimitsShow(c *common) *cobra.Command {
	var of whom
	cmd := &cobra.Command{
		Use:   "show {TENANT | --label KEY=VALUE | --all}",
		Short: "Show the limits that were set for a tenant, a group or the fleet",
		Long: `Shows what was set for one scope. Which limits hold for a tenant, of all its scopes together,
"fleetctl tenant show" says.`,
		Example: "  fleetctl limits show acme\n  fleetctl limits show --all -o json",
		Args:    cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			scope, err := of.scope(args)
			if err != nil {
				return err
			}
			r, _, nc, err := c.readRegistry(cmd)
			if err != nil {
				return err
			}
			defer nc.Close()
			l, _ := r.Limits(scope)
			if scope.Tenant != "" {
				s, ok := r.Settings(scope.Tenant)
				if !ok {
					return unregistered(scope.Tenant)
				}
				l = s.Limits
			}
			if c.output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(l)
			}
			fields := fleetctl.Fields(l)
			if len(fields) == 0 {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s has no limits of its own\n", scope)
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, f := range fields {
				fmt.Fprintf(table, "%s\t%s\n", f.Name, f.Value)
			}
			return table.Flush()
		},
	}
	of.add(cmd)
	return cmd
}
