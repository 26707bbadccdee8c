package registry_test

import (
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// TestSwitches: those that lie are told, by the last change of each that counts, and no others.
func TestSwitches(t *testing.T) {
	f := newFleet(t)
	told := func(now time.Time) []tenant.Switch {
		t.Helper()
		all, err := f.store.Switches(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := told(time.Now()); len(all) != 0 {
		t.Errorf("before anything: %+v", all)
	}
	eve := registrytest.Signer(t, "eve")
	f.write(f.ann, registry.OperatorsKey, operators(f.ann))
	soon := time.Now().Add(time.Hour)
	throw := func(s registry.Scope, mode tenant.Mode, until time.Time) {
		f.write(f.ann, registry.SwitchKey(s), registry.Throw{Mode: mode, Until: until})
	}
	throw(registry.OfTenant("gone"), tenant.Halt, time.Time{})
	throw(registry.OfTenant("acme"), tenant.Pause, time.Time{})
	throw(registry.OfLabel("desk", "a"), tenant.ReduceOnly, soon)
	throw(registry.All, tenant.Halt, time.Time{})
	throw(registry.All, tenant.Run, time.Time{})
	throw(registry.OfTenant("acme"), tenant.Halt, time.Time{})
	if _, err := f.store.Remove(t.Context(), f.ann, registry.SwitchKey(registry.OfTenant("gone")), "left"); err != nil {
		t.Fatal(err)
	}
	f.write(f.ann, registry.TenantKey("beta"), tenant.Settings{Broker: "paper", Status: tenant.Disabled})
	acme := registry.SwitchKey(registry.OfTenant("acme"))
	f.raw(acme.String(), registry.Forge(eve, acme, f.last(acme), registry.Throw{Mode: tenant.Run})) // counts for nothing
	for _, test := range []struct {
		name string
		now  time.Time
		want []string
	}{
		{"now", time.Now(), []string{"reduce_only label.desk.a", "halt tenant.acme"}},
		{"when one is over", soon, []string{"halt tenant.acme"}},
	} {
		all := told(test.now)
		if len(all) != len(test.want) {
			t.Errorf("%s: %+v", test.name, all)
			continue
		}
		for i, s := range all {
			if got := string(s.Mode) + " " + s.Scope; got != test.want[i] || s.By != "ann" || s.Reason != "a test" || s.At.IsZero() {
				t.Errorf("%s: %s, not %s: %+v", test.name, got, test.want[i], s)
			}
		}
	}
}

// TestNamed: a signer goes by the name that the operators have for its key.
func TestNamed(t *testing.T) {
	f := newFleet(t)
	root := registrytest.Signer(t, "root")
	named := func(want string) {
		t.Helper()
		if s, err := f.store.Named(t.Context(), root); err != nil || s.Name() != want || s.Public() != root.Public() {
			t.Errorf("%v, %v", s, err)
		}
	}
	named("root")
	f.write(f.ann, registry.OperatorsKey, operators(f.ann))
	named("root")
	f.write(f.ann, registry.OperatorsKey, registry.OperatorList{Operators: []registry.Operator{
		{Name: "ann", Key: f.ann.Public()}, {Name: "kim", Key: root.Public()},
	}})
	named("kim")
}
