package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

const shards = 2

// rig is a NATS server with a ledger, and a broker in memory.
type rig struct {
	testing.TB
	nc     *nats.Conn
	js     jetstream.JetStream
	ledger *ledger.Ledger
	books  *books
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigOf(t, shards)
}

func newRigOf(t testing.TB, shards int) *rig {
	t.Helper()
	l, nc := ledgertest.Open(t, shards, func(s *ledger.Settings) { s.Dedup = time.Second })
	return &rig{t, nc, l.JetStream(), l, newBooks()}
}

// running is a worker at work.
type running struct {
	t       testing.TB
	drain   chan struct{}
	abandon context.CancelFunc
	ended   chan error
	line    *ledgertest.Line // to the server; nil if it cannot be cut
}

// work starts a worker; it is abandoned when the test ends.
func (r *rig) work(change ...func(*worker.Config)) *running {
	r.Helper()
	return r.workOn(r.nc, change...)
}

// workOn starts a worker on a connection, and waits until it serves every shard.
func (r *rig) workOn(nc *nats.Conn, change ...func(*worker.Config)) *running {
	r.Helper()
	serving := make(chan int, 1000)
	w := r.start(nc, append(change, func(c *worker.Config) {
		c.Serving = func(shard int) { serving <- shard }
	})...)
	shards := r.ledger.Shards()
	patience := time.After(time.Minute)
	for n := range shards { // what is published from now on is not the legacy of an earlier owner
		select {
		case <-serving:
		case err := <-w.ended:
			r.Fatalf("the worker ended when it had begun %d of %d shards: %v", n, shards, err)
		case <-patience:
			r.Fatalf("a minute after its start the worker has begun %d of %d shards", n, shards)
		}
	}
	return w
}

// start starts a worker; it is abandoned when the test ends.
func (r *rig) start(nc *nats.Conn, change ...func(*worker.Config)) *running {
	r.Helper()
	cfg := worker.Config{
		Connect:  r.books.connect,
		Settle:   100 * time.Millisecond,
		Grace:    100 * time.Millisecond,
		LeaseTTL: 10 * time.Second, // a busy machine is no death
		Log:      zerolog.Nop(),
	}
	for _, c := range change {
		c(&cfg)
	}
	ctx, abandon := context.WithCancel(context.Background())
	w := &running{t: r.TB, drain: make(chan struct{}), abandon: abandon, ended: make(chan error, 1)}
	go func() {
		defer close(w.ended)
		w.ended <- worker.Run(ctx, w.drain, nc, cfg)
	}()
	r.Cleanup(w.crash)
	return w
}

// crash abandons a worker's work, as its death would, and waits until it is gone.
func (w *running) crash() {
	w.abandon()
	for range w.ended { // until it is closed
	}
}

// stop drains a worker.
func (w *running) stop() {
	w.t.Helper()
	close(w.drain)
	if err := <-w.ended; err != nil {
		w.t.Errorf("draining ended with %v", err)
	}
}

func num(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}

// buy is a small limit order.
func buy(id string) order.Intent {
	return order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Minute), Order: &order.Order{
		Symbol: "AAPL", Qty: num("1"), Side: order.Buy, Type: order.Limit, TimeInForce: order.Day, LimitPrice: num("100"),
	}}
}

func (r *rig) publish(tenant string, in order.Intent) uint64 {
	r.Helper()
	data, err := order.EncodeIntent(in)
	if err != nil {
		r.Fatal(err)
	}
	return r.publishRaw(tenant, string(data))
}

func (r *rig) publishRaw(tenant, data string) uint64 {
	r.Helper()
	ack, err := r.js.Publish(r.Context(), ledger.PublishSubject(tenant), []byte(data))
	if err != nil {
		r.Fatal(err)
	}
	return ack.Sequence
}

// outcomes waits for the first n outcomes of a tenant.
func (r *rig) outcomes(tenant string, n int) []order.Outcome {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	var got []order.Outcome
	done := errors.New("done")
	err := r.ledger.Tail(ctx, r.ledger.ShardOf(tenant), 1, func(e ledger.Entry) error {
		if e.Class != ledger.Outcomes || e.Tenant != tenant {
			return nil
		}
		o, err := order.DecodeOutcome(e.Data)
		if err != nil {
			return err
		}
		if got = append(got, o); len(got) == n {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		r.Fatalf("%d of %d outcomes of %s: %v", len(got), n, tenant, err)
	}
	return got
}

// count is the number of a tenant's outcomes right now.
func (r *rig) count(tenant string) int {
	r.Helper()
	stream, err := r.js.Stream(r.Context(), ledger.StreamName(r.ledger.ShardOf(tenant)))
	if err != nil {
		r.Fatal(err)
	}
	subject := ledger.Outcomes.Subject(r.ledger.ShardOf(tenant), tenant)
	info, err := stream.Info(r.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		r.Fatal(err)
	}
	return int(info.State.Subjects[subject])
}

func TestAnIntentEndsInItsOutcome(t *testing.T) {
	r := newRig(t)
	r.work()
	seq := r.publish("acme", buy("one"))
	o := r.outcomes("acme", 1)[0]
	if o.Status != order.Accepted || o.IntentSeq != seq || o.IntentID != "one" || o.ClientOrderID != "acme.one" ||
		o.BrokerOrderID != "broker-1" || o.Attempts != 1 || o.Recovered || o.Epoch != 1 || o.Worker == "" {
		t.Errorf("outcome %+v", o)
	}
	times := []time.Time{o.Published, o.Received, o.Submitted, o.Answered, o.Committed}
	for i := 1; i < len(times); i++ {
		if times[i].Before(times[i-1].Add(-time.Millisecond)) || times[i].IsZero() {
			t.Errorf("times out of order: %v", times)
		}
	}
}

// TestVerdicts takes the broker through every kind of answer to an order.
func TestVerdicts(t *testing.T) {
	type meddler = func(call, id string, book func()) *broker.Verdict
	once := func(on string, v broker.Verdict, bookIt bool) meddler {
		done := false
		return func(call, _ string, book func()) *broker.Verdict {
			if call != on || done {
				return nil
			}
			done = true
			if bookIt {
				book()
			}
			return &v
		}
	}
	unknown := broker.Verdict{Kind: broker.Unknown, Message: "connection reset"}
	for _, tc := range []struct {
		name     string
		meddle   meddler
		status   order.Status
		message  string
		attempts int
		recover  bool
		booked   int
	}{
		{name: "accepted", status: order.Accepted, attempts: 1, booked: 1},
		{name: "rejected", meddle: once("place", broker.Verdict{Kind: broker.Rejected, HTTPStatus: 403, Code: 40310000, Message: "insufficient buying power"}, false),
			status: order.Rejected, message: "insufficient buying power", attempts: 1},
		{name: "answer lost, booked", meddle: once("place", unknown, true),
			status: order.Accepted, attempts: 1, recover: true, booked: 1},
		{name: "answer lost, not booked", meddle: once("place", unknown, false),
			status: order.Accepted, attempts: 2, booked: 1},
		{name: "rate limited", meddle: once("place", broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: time.Millisecond}, false),
			status: order.Accepted, attempts: 2, booked: 1},
		{name: "not sent", meddle: once("place", broker.Verdict{Kind: broker.Unsent, Message: "connection refused"}, false),
			status: order.Accepted, attempts: 1, booked: 1},
		{name: "422, not there", meddle: once("place", broker.Verdict{Kind: broker.Rejected, HTTPStatus: 422, Message: "asset not found"}, false),
			status: order.Rejected, message: "asset not found", attempts: 1},
		{name: "422, there after all", meddle: once("place", broker.Verdict{Kind: broker.Rejected, HTTPStatus: 422, Message: "must be unique"}, true),
			status: order.Accepted, attempts: 1, recover: true, booked: 1},
		{name: "answer lost, booked late", meddle: func() meddler {
			lookups := 0
			var late func()
			return func(call, _ string, book func()) *broker.Verdict {
				switch {
				case call == "place" && late == nil:
					late = book
					return &unknown
				case call == "by_client_id":
					if lookups++; lookups == 2 {
						late()
					}
				}
				return nil
			}
		}(), status: order.Accepted, attempts: 1, recover: true, booked: 1},
		{name: "refused after a lost answer that was booked late", meddle: func() meddler {
			places := 0
			var late func()
			return func(call, _ string, book func()) *broker.Verdict {
				if call != "place" {
					return nil
				}
				if places++; places == 1 {
					late = book
					return &unknown
				}
				late()
				return &broker.Verdict{Kind: broker.Rejected, HTTPStatus: 403, Message: "insufficient buying power"}
			}
		}(), status: order.Accepted, attempts: 2, recover: true, booked: 1},
		{name: "another order under our id", meddle: func(call, id string, _ func()) *broker.Verdict {
			switch call {
			case "place":
				return &broker.Verdict{Kind: broker.Rejected, HTTPStatus: 422, Message: "must be unique"}
			case "by_client_id":
				other := buy("x").Order
				other.Qty = num("7")
				return &broker.Verdict{Kind: broker.Found, Order: &broker.Order{ID: "other", ClientOrderID: id, Order: *other}}
			}
			return nil
		}, status: order.Failed, message: "another order under our id: qty", attempts: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			r.books.meddle = tc.meddle
			r.work()
			r.publish("acme", buy("one"))
			o := r.outcomes("acme", 1)[0]
			if o.Status != tc.status || o.Attempts != tc.attempts || o.Recovered != tc.recover || !strings.Contains(o.Message, tc.message) {
				t.Errorf("outcome %+v", o)
			}
			if ids := r.books.ids("acme"); len(ids) != tc.booked {
				t.Errorf("booked %v, wanted %d", ids, tc.booked)
			}
		})
	}
}

// TestUndecidable: a broker that cannot be asked until after the deadline leaves the
// intent failed, and the next one goes on.
func TestUndecidable(t *testing.T) {
	r := newRig(t)
	r.books.meddle = func(_, id string, _ func()) *broker.Verdict {
		if strings.HasSuffix(id, ".one") {
			return &broker.Verdict{Kind: broker.Unknown, Message: "no answer"}
		}
		return nil
	}
	r.work()
	in := buy("one")
	in.ExpiresAt = time.Now().Add(200 * time.Millisecond)
	r.publish("acme", in)
	r.publish("acme", buy("two"))
	got := r.outcomes("acme", 2)
	if got[0].Status != order.Failed || !strings.Contains(got[0].Message, "may have been booked") {
		t.Errorf("outcome %+v", got[0])
	}
	if got[1].Status != order.Accepted {
		t.Errorf("the next one: %+v", got[1])
	}
}

// TestDrivenAgain: an intent that failed is driven again under its own client order id: what
// is there after all is found, and nothing is booked twice.
func TestDrivenAgain(t *testing.T) {
	for _, booked := range []bool{true, false} {
		t.Run(fmt.Sprintf("booked=%v", booked), func(t *testing.T) {
			r := newRig(t)
			away := true
			r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
				if !away {
					return nil
				}
				if call == "place" && booked {
					book()
				}
				return &broker.Verdict{Kind: broker.Unknown, Message: "no answer"}
			}
			r.work()
			in := buy("one")
			in.ExpiresAt = time.Now().Add(200 * time.Millisecond)
			r.publish("acme", in)
			if o := r.outcomes("acme", 1)[0]; o.Status != order.Failed {
				t.Fatalf("outcome %+v", o)
			}
			r.books.mu.Lock()
			away = false
			r.books.mu.Unlock()
			again := buy("two")
			again.RetryOf = "one"
			r.publish("acme", again)
			o := r.outcomes("acme", 2)[1]
			if o.Status != order.Accepted || o.Recovered != booked || o.IntentID != "two" || o.ClientOrderID != "acme.one" || o.BrokerOrderID != "broker-1" {
				t.Errorf("outcome %+v", o)
			}
			if ids := fmt.Sprint(r.books.ids("acme")); ids != "[one]" {
				t.Errorf("booked %s", ids)
			}
		})
	}
}

// TestExpiry: what is too old is not sent, whether it was old when it came or became
// so while the broker was away.
func TestExpiry(t *testing.T) {
	r := newRig(t)
	r.books.meddle = func(call, _ string, _ func()) *broker.Verdict {
		return &broker.Verdict{Kind: broker.Unsent, Message: "connection refused"}
	}
	r.work()
	old, soon := buy("old"), buy("soon")
	old.ExpiresAt = time.Now().Add(-time.Second)
	soon.ExpiresAt = time.Now().Add(300 * time.Millisecond)
	r.publish("acme", old)
	r.publish("acme", soon)
	for _, o := range r.outcomes("acme", 2) {
		if o.Status != order.Expired || o.Attempts != 0 {
			t.Errorf("outcome %+v", o)
		}
	}
	if ids := r.books.ids("acme"); len(ids) != 0 {
		t.Errorf("booked %v", ids)
	}
}

// TestOrder: a tenant's intents reach the broker in its order, whatever the broker
// does, while more of them wait than a session holds.
func TestOrder(t *testing.T) {
	r := newRig(t)
	n := 0
	r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
		if call != "place" {
			return nil
		}
		switch n++; n % 7 {
		case 1:
			return &broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: time.Millisecond}
		case 4:
			book()
			return &broker.Verdict{Kind: broker.Unknown}
		}
		return nil
	}
	const intents = 300
	for i := range intents / 2 { // a backlog before the worker comes
		r.publish("acme", buy(fmt.Sprintf("%03d", i)))
	}
	r.work()
	for i := intents / 2; i < intents; i++ {
		r.publish("acme", buy(fmt.Sprintf("%03d", i)))
	}
	var last uint64
	for i, o := range r.outcomes("acme", intents) {
		if o.IntentSeq <= last || o.IntentID != fmt.Sprintf("%03d", i) || o.Status != order.Accepted {
			t.Fatalf("outcome %d: %+v", i, o)
		}
		last = o.IntentSeq
	}
	for i, id := range r.books.ids("acme") {
		if id != fmt.Sprintf("%03d", i) {
			t.Fatalf("order %d at the broker is %s", i, id)
		}
	}
}

// TestPipelining: the outcome of one order is confirmed while the next one is still at
// the broker; the outcome of the next comes after it.
func TestPipelining(t *testing.T) {
	r := newRig(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
		if call == "place" && id == "acme.two" {
			close(arrived)
			<-release
		}
		return nil
	}
	r.work()
	r.publish("acme", buy("one"))
	r.publish("acme", buy("two"))
	<-arrived
	if o := r.outcomes("acme", 1)[0]; o.IntentID != "one" {
		t.Errorf("outcome %+v", o)
	}
	if n := r.count("acme"); n != 1 {
		t.Errorf("%d outcomes while the second order is at the broker", n)
	}
	close(release)
	r.outcomes("acme", 2)
}

// TestIsolation: a tenant that the broker never answers does not hold up another.
func TestIsolation(t *testing.T) {
	r := newRig(t)
	hung := make(chan struct{})
	r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
		if strings.HasPrefix(id, "slow.") {
			<-hung
		}
		return nil
	}
	defer close(hung)
	r.work()
	for i := range 200 { // more than its inbox holds
		r.publish("slow", buy(fmt.Sprint(i)))
	}
	// Neighbours in both shards.
	for i := range 4 {
		r.publish(fmt.Sprintf("quick%d", i), buy("one"))
		r.outcomes(fmt.Sprintf("quick%d", i), 1)
	}
	if n := r.count("slow"); n != 0 {
		t.Errorf("the slow tenant has %d outcomes", n)
	}
}
