package test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

// registered runs a worker that knows its tenants from the registry until the test ends, and
// returns when it serves all shards.
func (s *system) registered() {
	s.Helper()
	l := s.producer.Ledger()
	terms := registry.New(l, nil)
	ctx, cancel := context.WithCancel(context.Background())
	dial := func(_ context.Context, name string) (*alpaca.Client, tenant.Settings, error) {
		of, ok := terms.Settings(name)
		if !ok {
			return nil, of, fmt.Errorf("%w: %s", tenant.ErrUnknown, name)
		}
		client, err := alpaca.New(alpaca.Config{Tenant: name, BaseURL: of.BaseURL(), Credentials: tenant.Credentials{KeyID: name, Secret: "s"}, Logger: zerolog.Nop()})
		return client, of, err
	}
	drain, serving, ended := make(chan struct{}), make(chan int, l.Shards()), make(chan error, 2)
	go func() {
		_ = terms.Run(ctx) // its end is that of its context
		ended <- nil
	}()
	go func() {
		ended <- worker.Run(ctx, drain, s.conn, worker.Config{
			Registry: terms,
			Serving:  func(shard int) { serving <- shard },
			Log:      zerolog.Nop(),
			Connect: func(ctx context.Context, name string) (broker.Line, error) {
				client, of, err := dial(ctx, name)
				return broker.Line{Client: client, Address: of.BaseURL(), PerMinute: of.RequestsPerMinute}, err
			},
			Books: func(ctx context.Context, name string) (broker.Books, error) {
				client, _, err := dial(ctx, name)
				return client, err
			},
		})
	}()
	s.Cleanup(func() {
		close(drain)
		if err := <-ended; err != nil {
			s.Error(err)
		}
		cancel()
		if err := <-ended; err != nil {
			s.Error(err)
		}
	})
	for range l.Shards() {
		<-serving
	}
}

// TestTermsChangeWhileTrading: a tenant gets another broker, a limit, another limit and is
// disabled while it trades, with no restart. From the moment at which its owner confirms each
// change on, the brokers' own ledgers show nothing else.
func TestTermsChangeWhileTrading(t *testing.T) {
	nc := ledgertest.Provision(t, 4)
	first, second := assemble(t, nc, paper.Config{}), assemble(t, nc, paper.Config{})
	store, by := registry.NewStore(first.producer.Ledger()), registrytest.Signer(t, "kim")
	const name = "acme"
	set := func(change func(*tenant.Settings)) {
		t.Helper()
		began := time.Now()
		revision, err := registry.Edit(t.Context(), store, by, registry.TenantKey(name), "test", func(now *tenant.Settings) (*tenant.Settings, error) {
			if now == nil {
				now = new(tenant.Settings)
			}
			change(now)
			return now, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		shard := first.producer.Ledger().ShardOf(name)
		confirmed, err := fleetctl.Confirm(t.Context(), nc, []int{shard}, revision, began, time.Minute, quietly)
		if err != nil || len(fleetctl.Unconfirmed(confirmed)) > 0 {
			t.Fatalf("%+v: %v", confirmed, err)
		}
		t.Logf("revision %d confirmed after %.1f ms", revision, confirmed[0].AfterMS)
	}
	first.registered()
	set(func(s *tenant.Settings) { s.Broker = first.url })

	// Background: the tenant always has work.
	ctx, end := context.WithCancel(t.Context())
	background, published := make(chan struct{}), 0
	go func() {
		defer close(background)
		for ; ctx.Err() == nil; published++ {
			r, err := first.producer.Publish(t.Context(), name, resting(fmt.Sprintf("background-%d", published)))
			if err == nil {
				_, err = first.producer.Await(t.Context(), r)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	ask := func(id string, qty int64) order.Outcome {
		t.Helper()
		in := resting(id)
		in.Order.Qty = new(decimal.NewFromInt(qty))
		r, err := first.producer.Publish(t.Context(), name, in)
		if err != nil {
			t.Fatal(err)
		}
		o, err := first.producer.Await(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	expect := func(id string, qty int64, status order.Status, rule string) {
		t.Helper()
		if o := ask(id, qty); o.Status != status || o.Rule != rule {
			t.Errorf("%s: %s %s %s, want %s %s", id, o.Status, o.Rule, o.Message, status, rule)
		}
	}

	expect("at-the-first", 7, order.Accepted, "")
	set(func(s *tenant.Settings) { s.Broker = second.url })
	at := booked(t, first)
	expect("at-the-second", 7, order.Accepted, "")
	set(func(s *tenant.Settings) { s.Limits.MaxQty = new(decimal.NewFromInt(5)) })
	expect("too-much", 7, order.Blocked, "max_qty")
	expect("not-too-much", 5, order.Accepted, "")
	set(func(s *tenant.Settings) { s.Limits.MaxQty = new(decimal.NewFromInt(9)) })
	expect("no-longer-too-much", 7, order.Accepted, "")
	set(func(s *tenant.Settings) { s.Status = tenant.Disabled })
	expect("disabled", 1, order.Blocked, "halted")
	halted := booked(t, second)
	set(func(s *tenant.Settings) { s.Broker = first.url })
	expect("disabled-elsewhere", 1, order.Blocked, "halted")
	end()
	<-background

	if published == 0 {
		t.Error("nothing was traded in the background: the test shows nothing of it")
	}
	for where, s := range map[string]struct {
		*system
		now  int
		want string
	}{"first": {first, at, "at-the-first"}, "second": {second, halted, "at-the-second,not-too-much,no-longer-too-much"}} {
		ids := make(map[string]bool)
		bookings := bookings(t, s.system)
		for _, b := range bookings {
			ids[strings.TrimPrefix(b.ClientOrderID, name+".")] = true
		}
		for id := range strings.SplitSeq(s.want, ",") {
			if !ids[id] {
				t.Errorf("%s is not at the %s broker", id, where)
			}
			delete(ids, id)
		}
		if len(bookings) != s.now {
			t.Errorf("the %s broker has %d orders, and had %d when it was left", where, len(bookings), s.now)
		}
		for id := range ids {
			if !strings.HasPrefix(id, "background-") {
				t.Errorf("%s is at the %s broker", id, where)
			}
		}
	}
}

func bookings(t *testing.T, s *system) []proof.Booking {
	t.Helper()
	_, all, err := proof.ReadBroker(t.Context(), s.admin)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func booked(t *testing.T, s *system) int { return len(bookings(t, s)) }

// TestLedgerOfAnOlderRelease: a worker whose server has no registry yet says what to do.
func TestLedgerOfAnOlderRelease(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	if err := l.JetStream().DeleteStream(t.Context(), "KV_"+ledger.TenantsBucket); err != nil {
		t.Fatal(err)
	}
	store := registry.NewStore(l)
	_, write := store.Write(t.Context(), registrytest.Signer(t, "kim"), registry.TenantKey("acme"), tenant.Settings{Broker: "paper"}, "test", 0)
	for what, err := range map[string]error{
		"reading":  registry.New(l, nil).Run(t.Context()),
		"writing":  write,
		"its past": store.History(t.Context(), registry.Key{}, func(registry.Change) error { return nil }),
	} {
		if err == nil || !strings.Contains(err.Error(), "worker provision") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
