package session_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/outage"
	"github.com/orderfleet/orderfleet/worker/risk"
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
	prices risk.Prices
}

func newBench(t testing.TB, b broker.Client) *bench {
	t.Helper()
	l, nc := ledgertest.Open(t, 1, func(s *ledger.Settings) { s.Dedup = time.Second })
	return &bench{t, nc, l, b, make(chan session.Item, session.InboxSize), make(chan session.Ask), make(chan struct{}), nil}
}

// running is a session at work.
type running struct {
	*session.Session
	abandon context.CancelCauseFunc
	ended   chan error
}

// run runs a session whose shard remembers no id, until it is drained or abandoned.
func (b *bench) run(change ...func(*session.Start)) *running {
	outages := outage.New(zerolog.Nop())
	watching, unwatch := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { outages.Run(watching) })
	b.Cleanup(func() { unwatch(); watch.Wait() })
	cfg := &session.Config{
		Worker: "w", Ledger: b.ledger, Log: zerolog.Nop(),
		Connect: func(context.Context, string) (broker.Line, error) { return broker.Line{Client: b.broker}, nil },
		Outages: outages,
		Prices:  b.prices,
		Idle:    time.Hour, Settle: time.Millisecond, Grace: time.Second,
	}
	st := session.Start{Tenant: "acme", Epoch: 1, Inbox: b.inbox, Asks: b.asks, Draining: b.drain, Until: never}
	for _, c := range change {
		c(&st)
	}
	ctx, abandon := context.WithCancelCause(b.Context())
	r := &running{session.New(cfg, st), abandon, make(chan error, 1)}
	go func() { r.ended <- r.Run(ctx) }()
	q := <-b.asks // it begins with its backlog: there is none
	q.Reply <- session.Answer{Verb: session.Live}
	return r
}

func (b *bench) intent(seq uint64, id string) session.Item {
	return session.Item{Intent: ledger.Entry{Class: ledger.Intents, Tenant: "acme", Seq: seq, Time: time.Now(), Data: payload(b, id)}}
}

// one is what every intent here asks for.
func one() order.Order {
	qty, price := decimal.RequireFromString("1"), decimal.RequireFromString("100.25")
	return order.Order{Symbol: "AAPL", Qty: &qty, LimitPrice: &price, Side: order.Buy, Type: order.Limit, TimeInForce: order.Day}
}

func payload(t testing.TB, id string) []byte {
	asked := one()
	data, err := order.EncodeIntent(order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Hour), Order: &asked})
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
func (yes) Close() {}

// used says that every id was used before.
type used struct{ broker.Client }

func (used) Place(context.Context, string, *order.Order, time.Time) broker.Verdict {
	return broker.Verdict{Kind: broker.Rejected, HTTPStatus: 422, Message: "client_order_id must be unique", Submitted: time.Now()}
}

func (used) ByClientID(_ context.Context, id string) broker.Verdict {
	return broker.Verdict{Kind: broker.Found, HTTPStatus: 200, Order: &broker.Order{ID: "b", ClientOrderID: id, Order: one()}}
}
func (used) Close() {}

// lossy loses every answer to an order, and has one for every id.
type lossy struct{ used }

func (lossy) Place(context.Context, string, *order.Order, time.Time) broker.Verdict {
	return broker.Verdict{Kind: broker.Unknown, Message: "connection reset", Submitted: time.Now()}
}

// older is lossy, and says when its orders were made: long ago.
type older struct{ lossy }

func (o older) ByClientID(ctx context.Context, id string) broker.Verdict {
	v := o.lossy.ByClientID(ctx, id)
	v.Order.Created = time.Now().Add(-time.Hour)
	return v
}

// TestDuplicateBeyondMemory: an id that was used longer ago than the shard remembers is found
// at the ledger, whenever the broker's order may be that of the first use.
func TestDuplicateBeyondMemory(t *testing.T) {
	inherited := session.Doubt{Intents: 1, Last: math.MaxUint64, Since: time.Now().Add(-time.Minute)}
	for _, tc := range []struct {
		name   string
		broker broker.Client
		begin  uint64
		doubt  session.Doubt
		status order.Status
	}{
		{"refused by the broker", used{}, 0, session.Doubt{}, order.Duplicate},
		{"in doubt since an earlier owner", used{}, 2, inherited, order.Duplicate},
		{"in doubt, and remembered by the shard, which knows of no first use", used{}, 0, inherited, order.Accepted},
		{"remembered, the answer lost", lossy{}, 0, session.Doubt{}, order.Accepted},
		{"the answer lost, and the order far older than the intent", older{}, 0, session.Doubt{}, order.Duplicate},
		{"in a gap, the answer lost", lossy{}, math.MaxUint64, session.Doubt{}, order.Duplicate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, tc.broker)
			var first, again uint64
			for i, id := range []string{"one", "other", "one"} {
				if again = b.publish(id); i == 0 {
					first = again
				}
			}
			r := b.run(func(st *session.Start) { st.Begin, st.Doubt = tc.begin, tc.doubt })
			b.inbox <- b.intent(again, "one")
			o := b.outcome()
			if tc.status != order.Duplicate {
				first = 0
			}
			if o.Status != tc.status || o.DuplicateOf != first || o.IntentSeq != again {
				t.Errorf("outcome %+v", o)
			}
			close(b.drain)
			if err := <-r.ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// publish puts an order on the ledger.
func (b *bench) publish(id string) uint64 {
	b.Helper()
	ack, err := b.ledger.JetStream().Publish(b.Context(), ledger.PublishSubject("acme"), payload(b, id), jetstream.WithMsgID(order.NewID()))
	if err != nil {
		b.Fatal(err)
	}
	return ack.Sequence
}

// outcome waits for the first one.
func (b *bench) outcome() order.Outcome {
	b.Helper()
	for b.Context().Err() == nil {
		if o, _, err := b.ledger.LastOutcome(b.Context(), 0, "acme"); err == nil {
			return o
		}
	}
	b.Fatal("no outcome")
	return order.Outcome{}
}

// hooked accepts every order and then does something.
type hooked struct {
	yes
	then func()
}

func (h hooked) Place(ctx context.Context, id string, o *order.Order, at time.Time) broker.Verdict {
	defer h.then()
	return h.yes.Place(ctx, id, o, at)
}

// TestDecidedIsInDoubt: an order that the broker accepted is in doubt as long as its outcome
// is not on the ledger, also if the session had to be silent and never got to publish it.
func TestDecidedIsInDoubt(t *testing.T) {
	var quiet atomic.Bool
	accepted := make(chan struct{})
	b := newBench(t, hooked{then: func() { quiet.Store(true); close(accepted) }})
	r := b.run(func(st *session.Start) {
		st.Until = func() time.Time {
			if quiet.Load() {
				return time.Now().Add(-time.Second)
			}
			return time.Time{}
		}
	})
	b.inbox <- b.intent(1, "one")
	<-accepted
	tooSlow := errors.New("too slow")
	r.abandon(tooSlow)
	if err := <-r.ended; !errors.Is(err, tooSlow) {
		t.Errorf("ended with %v", err)
	}
	if r.InDoubt().Intents == 0 {
		t.Error("nothing is in doubt, and the broker has an order without an outcome")
	}
}

// punctual is yes, but writes nothing after its time.
type punctual struct{ hooked }

func (p punctual) Place(ctx context.Context, id string, o *order.Order, notAfter time.Time) broker.Verdict {
	if !notAfter.IsZero() && !time.Now().Before(notAfter) {
		return broker.Verdict{Kind: broker.Expired}
	}
	return p.hooked.Place(ctx, id, o, notAfter)
}

// TestSilenceIsTold: an outcome tells that its worker had to be silent, be it before the
// request or before the outcome.
func TestSilenceIsTold(t *testing.T) {
	for _, before := range []string{"the request", "the outcome"} {
		t.Run("before "+before, func(t *testing.T) {
			var quiet atomic.Bool
			hush := func() {
				quiet.Store(true)
				time.AfterFunc(50*time.Millisecond, func() { quiet.Store(false) })
			}
			hooks := hooked{then: func() {}}
			if before == "the outcome" {
				hooks.then = hush
			}
			b := newBench(t, punctual{hooks})
			r := b.run(func(st *session.Start) {
				st.Until = func() time.Time {
					if quiet.Load() {
						return time.Now().Add(-time.Second)
					}
					return time.Now().Add(time.Hour)
				}
			})
			if before == "the request" {
				hush()
			}
			b.inbox <- b.intent(1, "one")
			var o order.Outcome
			written := errors.New("written")
			err := b.ledger.Tail(t.Context(), 0, 1, func(e ledger.Entry) (err error) {
				if o, err = order.DecodeOutcome(e.Data); err == nil {
					err = written
				}
				return err
			})
			close(b.drain)
			if ended := <-r.ended; ended != nil {
				t.Error(ended)
			}
			if !errors.Is(err, written) || o.Course == nil || len(o.Course.Waits) != 1 || o.Course.Waits[0].Why != order.WhySilence {
				t.Errorf("%+v tells %+v: %v", o, o.Course, err)
			}
		})
	}
}

// TestAsksAfterItsTurn: a session that lives from its inbox asks after a window of intents
// whether it should end, if it was told that others wait.
func TestAsksAfterItsTurn(t *testing.T) {
	b := newBench(t, yes{})
	yield := make(chan struct{})
	close(yield)
	for i := range uint64(session.Window) { // all of them are there before it begins
		b.inbox <- b.intent(i+1, fmt.Sprint(i))
	}
	r := b.run(func(st *session.Start) { st.Yield = yield })
	q := <-b.asks
	if o, _, err := b.ledger.LastOutcome(t.Context(), 0, "acme"); err != nil || !q.Turn || o.IntentSeq != session.Window {
		t.Errorf("asked %+v after %+v, %v", q, o, err)
	}
	q.Reply <- session.Answer{Verb: session.End}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

// BenchmarkTurn is one turn of a session: read an intent, check it, submit it to a broker
// that answers at once, commit the outcome to a real ledger.
func BenchmarkTurn(b *testing.B) {
	h := newBench(b, yes{})
	r := h.run()
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
	if err := <-r.ended; err != nil {
		b.Error(err)
	}
}

// never is the Until of a session whose shard nobody takes.
func never() time.Time { return time.Time{} }
