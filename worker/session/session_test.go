package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/outage"
	"github.com/orderfleet/orderfleet/worker/session"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// bench is a ledger, a broker that accepts everything at once, and the place of a shard.
type bench struct {
	testing.TB
	nc     *nats.Conn
	ledger *ledger.Ledger
	broker broker.Client
	inbox  chan session.Item
	asks   chan session.Ask
	drain  chan struct{}
}

func newBench(t testing.TB, b broker.Client) *bench {
	t.Helper()
	l, nc := ledgertest.Open(t, 1, func(s *ledger.Settings) { s.Dedup = time.Second })
	return &bench{t, nc, l, b, make(chan session.Item, session.InboxSize), make(chan session.Ask), make(chan struct{})}
}

// run runs a session whose shard remembers no id, until it is drained.
func (b *bench) run() (ended <-chan error) {
	_, ended = b.runUntil(b.Context(), never)
	return ended
}

// runUntil is run, and the lease says until when something may be written.
func (b *bench) runUntil(ctx context.Context, until func() time.Time) (*session.Session, <-chan error) {
	outages := outage.New(zerolog.Nop())
	watching, unwatch := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { outages.Run(watching) })
	b.Cleanup(func() { unwatch(); watch.Wait() })
	cfg := &session.Config{
		Worker: "w", Ledger: b.ledger, Log: zerolog.Nop(),
		Connect: func(context.Context, string) (broker.Line, error) { return broker.Line{Client: b.broker}, nil },
		Outages: outages,
		Idle:    time.Hour, Settle: time.Millisecond, Grace: time.Second,
	}
	s := session.New(cfg, session.Start{Tenant: "acme", Epoch: 1, Inbox: b.inbox, Asks: b.asks, Draining: b.drain, Until: until})
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	q := <-b.asks // it begins with its backlog: there is none
	q.Reply <- session.Answer{Verb: session.Live}
	return s, done
}

// TestDecidedIsInDoubt: the broker has accepted an order, and the session is abandoned while
// it waits for leave to write the outcome. Whoever follows must look the order up.
func TestDecidedIsInDoubt(t *testing.T) {
	placed := make(chan struct{})
	b := newBench(t, tell{yes{}, placed})
	ctx, abandon := context.WithCancel(t.Context())
	var silent atomic.Bool
	s, ended := b.runUntil(ctx, func() time.Time {
		if silent.Load() {
			return time.Now().Add(-time.Second)
		}
		silent.Store(true) // for all that comes after the request
		return time.Now().Add(time.Hour)
	})
	b.inbox <- b.intent(1, "one")
	<-placed
	abandon()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v", err)
	}
	if s.InDoubt().Intents == 0 {
		t.Error("nothing is in doubt, and the broker has an order that no outcome tells of")
	}
}

// tell says when an order was placed.
type tell struct {
	broker.Client
	placed chan<- struct{}
}

func (c tell) Place(ctx context.Context, id string, o *order.Order, notAfter time.Time) broker.Verdict {
	defer close(c.placed)
	return c.Client.Place(ctx, id, o, notAfter)
}

func (b *bench) intent(seq uint64, id string) session.Item {
	return session.Item{Intent: ledger.Entry{Class: ledger.Intents, Tenant: "acme", Seq: seq, Time: time.Now(), Data: payload(b, id)}}
}

func payload(t testing.TB, id string) []byte {
	qty, price := decimal.RequireFromString("1"), decimal.RequireFromString("100.25")
	data, err := order.EncodeIntent(order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Hour), Order: &order.Order{
		Symbol: "AAPL", Qty: &qty, LimitPrice: &price, Side: order.Buy, Type: order.Limit, TimeInForce: order.Day,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// yes accepts every order at once.
type yes struct{ broker.Client }

func (yes) Place(_ context.Context, id string, _ *order.Order, _ time.Time) broker.Verdict {
	now := time.Now()
	return broker.Verdict{Kind: broker.Accepted, HTTPStatus: 200, Submitted: now, Answered: now, Order: &broker.Order{ID: "b", ClientOrderID: id}}
}
func (yes) Hangup() {}

// used says that every id was used before.
type used struct{ broker.Client }

func (used) Place(context.Context, string, *order.Order, time.Time) broker.Verdict {
	return broker.Verdict{Kind: broker.Rejected, HTTPStatus: 422, Message: "client_order_id must be unique", Submitted: time.Now()}
}

func (used) ByClientID(_ context.Context, id string) broker.Verdict {
	return broker.Verdict{Kind: broker.Found, HTTPStatus: 200, Order: &broker.Order{ID: "b", ClientOrderID: id}}
}
func (used) Hangup() {}

// TestDuplicateBeyondMemory: an id that was used longer ago than the shard remembers is
// found at the ledger when the broker refuses it.
func TestDuplicateBeyondMemory(t *testing.T) {
	b := newBench(t, used{})
	var first, again uint64
	for i, id := range []string{"one", "other", "one"} {
		ack, err := b.ledger.JetStream().Publish(t.Context(), ledger.PublishSubject("acme"), payload(t, id))
		if err != nil {
			t.Fatal(err)
		}
		if again = ack.Sequence; i == 0 {
			first = again
		}
	}
	ended := b.run()
	b.inbox <- b.intent(again, "one")
	patience, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	o, _, err := b.ledger.LastOutcome(patience, 0, "acme")
	for ; err != nil; o, _, err = b.ledger.LastOutcome(patience, 0, "acme") { // not yet
		if patience.Err() != nil {
			t.Fatalf("after a minute intent %d has no outcome: %v", again, err)
		}
	}
	if o.Status != order.Duplicate || o.DuplicateOf != first || o.IntentSeq != again {
		t.Errorf("outcome %+v", o)
	}
	close(b.drain)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// BenchmarkTurn is one turn of a session: read an intent, check it, submit it to a broker
// that answers at once, commit the outcome to a real ledger.
func BenchmarkTurn(b *testing.B) {
	h := newBench(b, yes{})
	ended := h.run()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		h.inbox <- h.intent(uint64(i+1), fmt.Sprint(i))
	}
	for {
		if o, _, err := h.ledger.LastOutcome(b.Context(), 0, "acme"); err == nil && o.IntentSeq == uint64(b.N) {
			break
		}
	}
	b.StopTimer()
	close(h.drain)
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// never is the Until of a session whose shard nobody takes.
func never() time.Time { return time.Time{} }
