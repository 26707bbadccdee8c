package registry_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

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
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	defer func() { cancel(); <-ended }()
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
	kim := signer(t, "kim")
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
