package test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// register writes tenants to the registry, those with an even number with a label.
func register(t testing.TB, store *registry.Store, by *registry.Signer, names []string) {
	t.Helper()
	for i, name := range names {
		s := tenant.Settings{Broker: "http://127.0.0.1:1", Labels: map[string]string{"half": fmt.Sprint(i % 2)}}
		if _, err := store.Write(t.Context(), by, registry.TenantKey(name), s, "test", 0); err != nil {
			t.Fatal(err)
		}
	}
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("t%04d", i)
	}
	return all
}

// resting is an order that rests at the broker.
func resting(id string) order.Intent {
	return order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Hour), Order: &order.Order{
		Symbol: "AAPL", Qty: new(decimal.RequireFromString("1")), Side: order.Buy, Type: order.Limit, TimeInForce: order.Day, LimitPrice: new(decimal.RequireFromString("1.25")),
	}}
}

func quietly(string, int, int) {}

// stop is a halt that was confirmed: of the tenants of a shard, from a moment until another.
type stop struct {
	scope       registry.Scope
	shard       int
	from, until time.Time
}

// TestHaltUnderLoad throws the switch a hundred times, on one tenant, on half of them, on all,
// while all trade on four workers. From each confirmation on until it is taken off again the
// broker's own ledger shows not one order of a halted tenant; the others trade on.
func TestHaltUnderLoad(t *testing.T) {
	const rounds = 100
	s := boot(t, paper.Config{})
	nc, l := s.conn, s.producer.Ledger()
	store, by := registry.NewStore(l), registrytest.Signer(t, "kim")
	all := names(24)
	register(t, store, by, all)
	s.workers(4)
	ctx, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	published := make([]int, len(all))
	for i, name := range all {
		load.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				r, err := s.producer.Publish(t.Context(), name, resting(fmt.Sprint(n)))
				if err != nil {
					t.Error(err)
					return
				}
				published[i]++
				if n%8 == 7 { // as fast as the fleet goes, and no faster
					if _, err := s.producer.Await(t.Context(), r); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	defer load.Wait()
	defer end()

	scopes := []registry.Scope{registry.OfTenant(all[5]), registry.OfLabel("half", "1"), registry.All}
	var stops []stop
	for round := range rounds {
		h := fleetctl.Hand{Scope: scopes[round%len(scopes)], Mode: tenant.Halt, Reason: "drill", Patience: 10 * time.Second}
		began := time.Now()
		thrown, err := h.Throw(t.Context(), l, nc, by, quietly)
		if err != nil || !thrown.OK() {
			t.Fatalf("round %d: %+v, %v", round, thrown, err)
		}
		for _, c := range thrown.Confirmations {
			stops = append(stops, stop{h.Scope, c.Shard, began.Add(c.After), time.Time{}})
		}
		refused(t, s.producer, all[5], fmt.Sprintf("halted-%d", round))
		for i := range thrown.Confirmations {
			stops[len(stops)-1-i].until = time.Now()
		}
		h.Mode = tenant.Run
		if thrown, err = h.Throw(t.Context(), l, nc, by, quietly); err != nil || !thrown.OK() {
			t.Fatalf("round %d: %+v, %v", round, thrown, err)
		}
	}
	end()
	load.Wait()
	n := rounds
	for _, p := range published {
		n += p
	}
	s.await(n)
	history := s.history()
	if r := proof.Check(history); !r.OK() {
		t.Errorf("%+v", r)
	}
	labels := make(map[string]registry.Scope)
	for i, name := range all {
		labels[name] = registry.OfLabel("half", fmt.Sprint(i%2))
	}
	during, orders := 0, 0
	for _, a := range history.Arrivals {
		if a.Method != http.MethodPost || !strings.HasSuffix(a.Path, "/orders") {
			continue
		}
		orders++
		for _, stop := range stops {
			if l.ShardOf(a.Account) != stop.shard || a.Time.Before(stop.from) || a.Time.After(stop.until) {
				continue
			}
			if during++; stop.scope == registry.All || stop.scope == registry.OfTenant(a.Account) || stop.scope == labels[a.Account] {
				t.Errorf("%s reached the broker at %s: %s was halted from %s until %s", a.ClientOrderID, a.Time, stop.scope, stop.from, stop.until)
			}
		}
	}
	t.Logf("%d orders, of which %d while others were halted", orders, during)
	if during == 0 {
		t.Error("nobody traded while another was halted: the test shows nothing")
	}
}

// refused publishes an intent of a halted tenant, and has its outcome.
func refused(t *testing.T, p *producer.Producer, name, id string) {
	t.Helper()
	r, err := p.Publish(t.Context(), name, resting(id))
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.Await(t.Context(), r)
	if err != nil || o.Status != order.Blocked || o.Rule != "halted" {
		t.Errorf("%s: %+v, %v", id, o, err)
	}
}

// TestHaltCancelsOpenOrders: with it the open orders of every tenant are cancelled, also of
// one that has a backlog.
func TestHaltCancelsOpenOrders(t *testing.T) {
	s := boot(t, paper.Config{})
	nc, l := s.conn, s.producer.Ledger()
	defer s.worker().Kill() //nolint:errcheck // it may be gone
	s.publish(orders(3, 5))
	s.await(15)
	h := fleetctl.Hand{Mode: tenant.Halt, Reason: "drill", CancelOpen: true, Patience: 10 * time.Second}
	thrown, err := h.Throw(t.Context(), l, nc, registrytest.Signer(t, "kim"), quietly)
	if err != nil || !thrown.OK() || len(thrown.Cancels) != 3 {
		t.Fatalf("%+v, %v", thrown, err)
	}
	for _, c := range thrown.Cancels {
		if c.Message != "cancel requested for 5 orders" {
			t.Errorf("%+v", c)
		}
	}
}

// TestHaltNobodyHears: a shard that nobody serves is not confirmed, and that is said; whoever
// takes it over obeys.
func TestHaltNobodyHears(t *testing.T) {
	s := boot(t, paper.Config{})
	nc, l := s.conn, s.producer.Ledger()
	h := fleetctl.Hand{Scope: registry.OfTenant("t00"), Mode: tenant.Halt, Reason: "drill", Patience: 300 * time.Millisecond}
	thrown, err := h.Throw(t.Context(), l, nc, registrytest.Signer(t, "kim"), quietly)
	if err != nil || thrown.OK() || len(fleetctl.Unconfirmed(thrown.Confirmations)) != 1 {
		t.Errorf("%+v, %v", thrown, err)
	}
	defer s.worker().Kill() //nolint:errcheck // it may be gone
	refused(t, s.producer, "t00", "a")
}

// TestHaltTellsOfOthers: who throws the switch of a tenant hears which others lie on it: on all,
// and on its groups, and not on strangers.
func TestHaltTellsOfOthers(t *testing.T) {
	s := boot(t, paper.Config{})
	nc, l, by := s.conn, s.producer.Ledger(), registrytest.Signer(t, "kim")
	register(t, registry.NewStore(l), by, names(2))
	throw := func(scope registry.Scope, mode tenant.Mode) *fleetctl.Thrown {
		t.Helper()
		h := fleetctl.Hand{Scope: scope, Mode: mode, Reason: "drill", Patience: time.Millisecond}
		thrown, err := h.Throw(t.Context(), l, nc, by, quietly)
		if err != nil {
			t.Fatal(err)
		}
		return thrown
	}
	throw(registry.OfLabel("half", "0"), tenant.Pause)
	throw(registry.OfLabel("half", "1"), tenant.Halt)
	throw(registry.All, tenant.ReduceOnly)
	throw(registry.OfTenant("t0001"), tenant.Halt)
	thrown := throw(registry.OfTenant("t0000"), tenant.Run)
	if o := thrown.Others; len(o) != 2 || o[0].Scope != "all" || o[1].Scope != "label.half.0" || thrown.Tenants != 1 {
		t.Errorf("%+v", thrown)
	}
	if stranger := throw(registry.OfTenant("nobody"), tenant.Run); len(stranger.Others) != 1 || stranger.Tenants != 0 {
		t.Errorf("%+v", stranger)
	}
}

// BenchmarkHalt is how long it takes until all of four workers have confirmed a halt of ten
// thousand tenants, each with a session and a connection of its own.
func BenchmarkHalt(b *testing.B) {
	const tenants = 10_000
	s := boot(b, paper.Config{})
	nc, l := s.conn, s.producer.Ledger()
	store, by := registry.NewStore(l), registrytest.Signer(b, "kim")
	all := names(tenants)
	register(b, store, by, all)
	s.workers(4)
	s.publish(func(yield func(producer.Item) bool) {
		for _, name := range all {
			if !yield(producer.Item{Tenant: name, Intent: resting("a")}) {
				return
			}
		}
	})
	s.await(tenants)
	var worst time.Duration
	for b.Loop() {
		for _, mode := range []tenant.Mode{tenant.Halt, tenant.Run} {
			h := fleetctl.Hand{Mode: mode, Reason: "drill", Patience: 10 * time.Second}
			thrown, err := h.Throw(b.Context(), l, nc, by, quietly)
			if err != nil || !thrown.OK() || thrown.Tenants != tenants {
				b.Fatalf("%+v, %v", thrown, err)
			}
			sessions := 0
			for _, c := range thrown.Confirmations {
				sessions += c.Sessions
				worst = max(worst, c.After)
			}
			if sessions < tenants/2 {
				b.Fatalf("%d sessions: too few to show anything", sessions)
			}
		}
	}
	b.ReportMetric(float64(worst.Microseconds())/1000, "ms/worst")
}
