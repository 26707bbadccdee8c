package chaos

import (
	"context"
	"fmt"
	"strings"

	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// limited is tenants that trade under the same limits.
type limited struct {
	name   string
	limits tenant.Limits
}

// groups are a tenth of the tenants each; the rest trade without limits. At the rate of the
// load each limit is reached again and again: that of a minute all the time, that of a second
// by what has waited.
var groups = []limited{
	{"minute", tenant.Limits{OrdersPerMinute: 12}},
	{"second", tenant.Limits{OrdersPerSecond: 2}},
	{"open", tenant.Limits{OpenOrders: 10}},
	{"size", tenant.Limits{MaxQty: new(decimal.NewFromInt(5))}},
}

// The labels of tenants: the operator stops desks.
const (
	groupLabel = "limits"
	deskLabel  = "desk"
	desks      = 3
)

// role is what a tenant is in a run.
type role struct {
	name string
	desk string
	// group has its limits; nil: it has none.
	group *limited
}

func roleOf(n int) role {
	r := role{name: fmt.Sprintf("t%04d", n), desk: fmt.Sprintf("d%d", n%desks)}
	if k := n % 10; k < len(groups) {
		r.group = &groups[k]
	}
	return r
}

// in says that a switch lies on the tenant.
func (r *role) in(s registry.Scope) bool {
	return s == registry.All || s == registry.OfTenant(r.name) || s == registry.OfLabel(deskLabel, r.desk)
}

// roles are all tenants.
func (o Options) roles() []role {
	all := make([]role, o.Tenants)
	for n := range all {
		all[n] = roleOf(n)
	}
	return all
}

// limits are those of the tenants that have some.
func (o Options) limits() map[string]tenant.Limits {
	all := make(map[string]tenant.Limits)
	for _, r := range o.roles() {
		if r.group != nil {
			all[r.name] = r.group.limits
		}
	}
	return all
}

// tenantsFile is for workers that reach the broker at an address.
func (o Options) tenantsFile(broker string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "broker: http://%s\ntenants:\n", broker)
	for _, r := range o.roles() {
		fmt.Fprintf(&b, "  %s: {key_id: %s, secret: %s, labels: {%s: %s", r.name, r.name, secretOf(r.name), deskLabel, r.desk)
		if r.group != nil {
			fmt.Fprintf(&b, ", %s: %s", groupLabel, r.group.name)
		}
		b.WriteString("}}\n")
	}
	return b.String()
}

func secretOf(name string) string { return "secret-of-" + name }

// setLimits writes the limits of the groups, in the operator's name.
func (s *system) setLimits(ctx context.Context, store *registry.Store) error {
	for i := range groups {
		k := registry.LimitsKey(registry.OfLabel(groupLabel, groups[i].name))
		if _, err := registry.Edit(ctx, store, s.operator.signer, k, "chaos", func(*tenant.Limits) (*tenant.Limits, error) {
			return &groups[i].limits, nil
		}); err != nil {
			return err
		}
	}
	return nil
}
