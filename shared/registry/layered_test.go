package registry_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// runLayered runs one until the test ends.
func runLayered(t *testing.T, l *registry.Layered) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.Run(ctx) // its end is that of its context
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

// TestLayered: an operator's hand reaches tenants of a file, by their name and by the labels that
// the file gives them; the limits of both hold; the revision is the server's.
func TestLayered(t *testing.T) {
	f := newFleet(t)
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte("broker: http://127.0.0.1:1\ntenants:\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("  acme: {oauth: x, labels: {desk: a}, limits: {open_orders: 5}}\n")
	file, err := registry.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := registry.NewLayered(file, registry.New(f.ledger, nil))
	if got := l.Terms("acme").Mode(time.Now()); got != tenant.Pause {
		t.Errorf("%s before the server is read", got)
	}
	runLayered(t, l)
	sync := func() *tenant.Terms {
		t.Helper()
		if err := l.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		return l.Terms("acme")
	}
	first := sync()
	if first.Mode(time.Now()) != tenant.Run || first.Limits.OpenOrders != 5 {
		t.Errorf("%+v", first)
	}
	kim := registrytest.Signer(t, "kim")
	f.write(kim, registry.LimitsKey(registry.All), tenant.Limits{OpenOrders: 3})
	revision := f.write(kim, registry.SwitchKey(registry.OfLabel("desk", "a")), registry.Throw{Mode: tenant.Halt})
	second := sync()
	if second.Mode(time.Now()) != tenant.Halt || second.Limits.OpenOrders != 3 || l.Revision() != revision || second.Revision <= first.Revision {
		t.Errorf("%+v, revision %d", second, l.Revision())
	}
	changed := l.Changed()
	write("  acme: {oauth: x, labels: {desk: b}, limits: {open_orders: 2}}\n")
	<-changed
	third := sync()
	if third.Mode(time.Now()) != tenant.Run || third.Limits.OpenOrders != 2 || third.Revision <= second.Revision {
		t.Errorf("%+v", third)
	}
}

// TestLayeredRegistered: of a tenant of the file that is registered as well, the server's limits,
// labels and status hold, beside those of the file.
func TestLayeredRegistered(t *testing.T) {
	f := newFleet(t)
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	text := "broker: http://127.0.0.1:1\ntenants: {acme: {oauth: x, labels: {desk: a}, limits: {open_orders: 5}}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := registry.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := registry.NewLayered(file, registry.New(f.ledger, nil))
	runLayered(t, l)
	kim := registrytest.Signer(t, "kim")
	settings := tenant.Settings{Broker: "paper", Labels: map[string]string{"desk": "b"}, Limits: tenant.Limits{OrdersPerDay: 7}}
	registered := func(change func(*tenant.Settings)) {
		change(&settings)
		f.write(kim, registry.TenantKey("acme"), settings)
	}
	for _, step := range []struct {
		name   string
		change func()
		mode   tenant.Mode
		by     string // the scope of the switch
	}{
		{"registered", func() { registered(func(*tenant.Settings) {}) }, tenant.Run, ""},
		{"a group of the server's", func() {
			f.write(kim, registry.SwitchKey(registry.OfLabel("desk", "b")), registry.Throw{Mode: tenant.Pause})
		}, tenant.Pause, "label.desk.b"},
		{"a group of the file's", func() {
			f.write(kim, registry.SwitchKey(registry.OfLabel("desk", "a")), registry.Throw{Mode: tenant.Halt})
		}, tenant.Halt, "label.desk.a"},
		{"a group of both", func() { registered(func(s *tenant.Settings) { s.Labels = map[string]string{"desk": "a"} }) }, tenant.Halt, "label.desk.a"},
		{"disabled", func() {
			f.write(kim, registry.SwitchKey(registry.OfLabel("desk", "a")), registry.Throw{Mode: tenant.Run})
			registered(func(s *tenant.Settings) { s.Status = tenant.Disabled })
		}, tenant.Halt, "tenant.acme"},
	} {
		step.change()
		if err := l.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		terms := l.Terms("acme")
		hand, _ := terms.Hand(time.Now())
		if terms.Mode(time.Now()) != step.mode || hand.Scope != step.by {
			t.Errorf("%s: %s by %q, not %s by %q", step.name, terms.Mode(time.Now()), hand.Scope, step.mode, step.by)
		}
		if got := terms.Limits; got.OpenOrders != 5 || got.OrdersPerDay != 7 {
			t.Errorf("%s: limits %+v", step.name, got)
		}
		seen := make(map[string]int)
		for _, s := range terms.Switches {
			if seen[s.Scope]++; s.Scope != "tenant.acme" && seen[s.Scope] > 1 {
				t.Errorf("%s: the switch of %s lies twice", step.name, s.Scope)
			}
		}
	}
}

// TestLayeredPools: a file names rate pools, too; those of the server come first.
func TestLayeredPools(t *testing.T) {
	f := newFleet(t)
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte("broker: http://127.0.0.1:1\ntenants: {}\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pools: {desk: {requests: 1000, window: 1m}, night: {requests: 5, window: 1s, reserve_percent: 10}}\n")
	file, err := registry.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := registry.New(f.ledger, nil)
	l := registry.NewLayered(file, server)
	runLayered(t, l)
	pools := func() string {
		t.Helper()
		if err := l.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"desk", "night", "none"} {
			p, ok := l.Pool(name)
			got = append(got, fmt.Sprintf("%s %t %d/%s %d%%", name, ok, p.Requests, time.Duration(p.Window), p.ReservePercent))
		}
		return strings.Join(got, ", ")
	}
	if got := pools(); got != "desk true 1000/1m0s 0%, night true 5/1s 10%, none false 0/0s 0%" {
		t.Error(got)
	}
	f.write(registrytest.Signer(t, "kim"), registry.PoolKey("desk"), tenant.Pool{Requests: 200, Window: tenant.Duration(time.Minute)})
	write("pools: {desk: {requests: 1000, window: 1m}}\n")
	if got := pools(); got != "desk true 200/1m0s 0%, night false 0/0s 0%, none false 0/0s 0%" {
		t.Error(got)
	}
	if got := server.Pools(); len(got) != 1 || got[0] != "desk" {
		t.Errorf("%v", got)
	}
	write("pools: {desk: {requests: 0, window: 1m}}\n") // a mistake changes nothing
	if got := pools(); !strings.HasPrefix(got, "desk true 200") {
		t.Error(got)
	}
}
