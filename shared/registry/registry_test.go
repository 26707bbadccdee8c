package registry_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// fleet is a ledger with its registry.
type fleet struct {
	t      testing.TB
	ledger *ledger.Ledger
	store  *registry.Store
	ann    *registry.Signer
}

func newFleet(t testing.TB) *fleet {
	l, _ := ledgertest.Open(t, 1)
	return &fleet{t, l, registry.NewStore(l), registrytest.Signer(t, "ann")}
}

// write changes a key behind its last change.
func (f *fleet) write(by *registry.Signer, k registry.Key, body any) uint64 {
	f.t.Helper()
	last, err := f.store.Last(f.t.Context(), k)
	if err != nil {
		f.t.Fatal(err)
	}
	revision, err := f.store.Write(f.t.Context(), by, k, body, "a test", last)
	if err != nil {
		f.t.Fatal(err)
	}
	return revision
}

// raw writes whatever it is to a key, as somebody who may write the bucket can.
func (f *fleet) raw(name string, data []byte) uint64 {
	f.t.Helper()
	ack, err := f.ledger.JetStream().Publish(f.t.Context(), "$KV.TENANTS."+name, data)
	if err != nil {
		f.t.Fatal(err)
	}
	return ack.Sequence
}

// read is what stands at a revision of the bucket.
func (f *fleet) read(revision uint64) []byte {
	f.t.Helper()
	stream, err := f.ledger.JetStream().Stream(f.t.Context(), "KV_TENANTS")
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := stream.GetMsg(f.t.Context(), revision)
	if err != nil {
		f.t.Fatal(err)
	}
	return m.Data
}

// watch runs a registry until the test ends, and waits until it has everything.
func (f *fleet) watch() *registry.Registry {
	f.t.Helper()
	r := registry.New(f.ledger, func(c registry.Change) { f.t.Logf("rejected %s at %d: %v", c.Name, c.Revision, c.Err) })
	ctx, stop := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	f.t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			f.t.Errorf("the registry ended: %v", err)
		}
	})
	f.sync(r)
	return r
}

func (f *fleet) sync(r *registry.Registry) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	if err := r.Sync(ctx); err != nil {
		f.t.Fatal(err)
	}
}

// both runs a check on a registry that saw the changes as they were made and on one that reads
// them afterwards.
func (f *fleet) both(live *registry.Registry, check func(t *testing.T, r *registry.Registry)) {
	f.t.Helper()
	f.sync(live)
	t := f.t.(*testing.T)
	t.Run("as it is made", func(t *testing.T) { check(t, live) })
	t.Run("read afterwards", func(t *testing.T) { check(t, f.watch()) })
}

func money(s string) *decimal.Decimal { return new(decimal.RequireFromString(s)) }

var paper = tenant.Settings{Broker: "paper", Labels: map[string]string{"strategy": "pairs"}}

func TestTermsAreWhatTheScopesSay(t *testing.T) {
	f := newFleet(t)
	live := f.watch()
	own := paper
	own.Limits = tenant.Limits{MaxQty: money("10"), OrdersPerMinute: 60}
	f.write(f.ann, registry.TenantKey("acme"), own)
	f.write(f.ann, registry.TenantKey("beta"), tenant.Settings{Broker: "paper"})
	f.write(f.ann, registry.LimitsKey(registry.All), tenant.Limits{MaxQty: money("100"), OpenOrders: 5})
	group := f.write(f.ann, registry.LimitsKey(registry.OfLabel("strategy", "pairs")), tenant.Limits{OrdersPerMinute: 30})
	f.write(f.ann, registry.SwitchKey(registry.OfTenant("beta")), registry.Throw{Mode: tenant.Halt})
	end := f.write(f.ann, registry.SwitchKey(registry.OfTenant("beta")), nil)

	f.both(live, func(t *testing.T, r *registry.Registry) {
		acme, beta, other := r.Terms("acme"), r.Terms("beta"), r.Terms("other")
		if !acme.Limits.MaxQty.Equal(decimal.NewFromInt(10)) || acme.Limits.OrdersPerMinute != 30 || acme.Limits.OpenOrders != 5 {
			t.Errorf("acme's limits: %+v", acme.Limits)
		}
		if acme.Revision != group || acme.Line != 1 {
			t.Errorf("acme's terms are of revision %d and line %d, want %d and 1", acme.Revision, acme.Line, group)
		}
		if !beta.Limits.MaxQty.Equal(decimal.NewFromInt(100)) || len(beta.Switches) != 0 || beta.Revision != end {
			t.Errorf("beta's terms: %+v", beta)
		}
		if other.Limits.OpenOrders != 5 {
			t.Errorf("a stranger's terms: %+v", other)
		}
		if r.Revision() != end || !slices.Equal(r.Names(), []string{"acme", "beta"}) || !slices.Equal(r.Affected(registry.OfLabel("strategy", "pairs")), []string{"acme"}) {
			t.Errorf("revision %d, names %v", r.Revision(), r.Names())
		}
	})
}
