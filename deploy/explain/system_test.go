package explain_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/explain"
	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// system is a NATS server, a paper broker, and whoever works and publishes.
type system struct {
	*testing.T
	nc       *nats.Conn
	ledger   *ledger.Ledger
	producer *producer.Producer
	broker   *paper.Broker
	url      string
}

func newSystem(t *testing.T) *system {
	t.Helper()
	l, nc := ledgertest.Open(t, 1, func(s *ledger.Settings) { s.Dedup = time.Second })
	p, err := producer.New(t.Context(), nc, producer.By("ann@desk7 test"))
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	api, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := paper.New(paper.Config{Tick: -1, RateLimit: paper.Unlimited})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, api, admin) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &system{t, nc, l, p, b, "http://" + api.Addr().String()}
}

// work starts a worker that serves the shard when this returns. End it: its death is sudden.
func (s *system) work(name string) (kill func()) {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	serving, ended := make(chan int, 10), make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- worker.Run(ctx, nil, s.nc, worker.Config{
			Name: name, Settle: 50 * time.Millisecond, Grace: 200 * time.Millisecond, Log: zerolog.Nop(),
			LeaseTTL: 2 * time.Second,
			Connect: func(_ context.Context, name string) (broker.Line, error) {
				client, err := alpaca.New(alpaca.Config{
					Tenant: name, BaseURL: s.url, Credentials: tenant.Credentials{KeyID: name, Secret: "secret"},
					Logger: zerolog.New(io.Discard).Level(zerolog.WarnLevel),
				})
				return broker.Line{Client: client, Address: s.url, HoldOnFailed: true}, err
			},
			Serving: func(shard int) { serving <- shard },
		})
	}()
	kill = func() {
		cancel()
		for range ended { // until it is closed
		}
	}
	s.Cleanup(kill)
	select {
	case <-serving:
	case <-time.After(time.Minute):
		s.Fatal("the worker serves nothing")
	}
	return kill
}

func (s *system) fault(f paper.Fault) {
	s.Helper()
	if err := s.broker.SetFault(f); err != nil {
		s.Fatal(err)
	}
}

// publish publishes an intent that is good for some time.
func (s *system) publish(in order.Intent, good time.Duration) producer.Receipt {
	s.Helper()
	in.ExpiresAt = time.Now().Add(good)
	r, err := s.producer.Publish(s.Context(), "acme", in)
	if err != nil {
		s.Fatal(err)
	}
	return r
}

func (s *system) await(r producer.Receipt) order.Outcome {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
	defer cancel()
	o, err := s.producer.Await(ctx, r)
	if err != nil {
		s.Fatal(err)
	}
	return o
}

// arrived waits until so many requests have arrived at the broker.
func (s *system) arrived(n int) {
	s.Helper()
	s.until(func() bool { return len(s.broker.Ledger().Arrived(0)) >= n })
}

// until waits until it is so.
func (s *system) until(so func() bool) {
	s.Helper()
	ticker, tooLong := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer ticker.Stop()
	for !so() {
		select {
		case <-ticker.C:
		case <-tooLong:
			s.Fatal("it does not come about")
		}
	}
}

// explain tells a life as fleetctl does.
func (s *system) explain(what string) *explain.Life {
	s.Helper()
	life, err := explain.Read(s.Context(), history.Live(s.ledger), "acme", what, quiet)
	if err != nil {
		s.Fatal(err)
	}
	if life.Waiting != nil {
		scene, err := explain.Look(s.Context(), s.ledger, "acme")
		if err != nil {
			s.Fatal(err)
		}
		life.See(scene)
	}
	return life
}

// told is a life in short: its stages, with the calls and verdicts of requests and the
// reasons of waits. Waits of the machine's own, which is busy, are left out.
func told(l *explain.Life) string {
	var all []string
	for _, s := range l.Steps {
		text := string(s.Stage)
		switch {
		case s.Try != nil:
			text = fmt.Sprintf("%s=%s", s.Try.Call, s.Try.Verdict)
		case s.Wait != nil && s.Wait.Why == "turn":
			continue
		case s.Wait != nil:
			text = "wait=" + string(s.Wait.Why)
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// check holds a life against what it should tell.
func (s *system) check(what, want string, status order.Status) *explain.Life {
	s.Helper()
	life := s.explain(what)
	got := told(life)
	if start, open := strings.CutSuffix(want, "…"); open && strings.HasPrefix(got, start) {
		got = want
	}
	if got != want || life.Status != status {
		s.Errorf("%s: %s %s, wanted %s %s", what, life.Status, got, status, want)
	}
	first := life.Intents[0]
	if first.By != "ann@desk7 test" || life.Steps[0].Stage != explain.Published || !strings.Contains(life.Steps[0].Text, first.By) {
		s.Errorf("published by %q: %+v", first.By, life.Steps[0])
	}
	return life
}

// resting is an order that stays open.
func resting(id string) order.Intent {
	in := buy(id)
	in.Order.Qty, in.Order.LimitPrice = num("1"), num("1.25")
	return in
}

func (s *system) codes(l *explain.Life) []explain.Code {
	var all []explain.Code
	if l.Waiting != nil {
		for _, r := range l.Waiting.For {
			all = append(all, r.Code)
		}
	}
	return all
}

// TestLives: lives of many kinds, on the real thing: what is told is what was made to happen.
func TestLives(t *testing.T) {
	const plain = "published received checked place=accepted answered committed"
	t.Run("accepted, slowly", func(t *testing.T) {
		s := newSystem(t)
		s.work("w1")
		s.fault(paper.Fault{Kind: paper.Latency, Delay: 30 * time.Millisecond})
		s.await(s.publish(resting("one"), time.Minute))
		life := s.check("one", plain, order.Accepted)
		for _, step := range life.Steps {
			if step.Stage == explain.Submitted && (step.Took < 30*time.Millisecond || step.Try.HTTPStatus != 200 || step.Try.RequestID == "") {
				t.Errorf("submitted: %+v %+v", step, step.Try)
			}
		}
		if life.BrokerOrderID == "" || s.explain(life.BrokerOrderID).ClientOrderID != "acme.one" {
			t.Errorf("broker order %q", life.BrokerOrderID)
		}
	})
	t.Run("rate limited", func(t *testing.T) {
		s := newSystem(t)
		s.work("w1")
		s.fault(paper.Fault{Kind: paper.RateLimit, RetryAfter: time.Second, Count: 1})
		s.await(s.publish(resting("one"), time.Minute))
		got := told(s.explain("one"))
		got = strings.Replace(got, " wait=back_off", "", 1) // a draw, perhaps too short to be told
		if got != "published received checked place=retry_after wait=rate_limit place=accepted answered committed" {
			t.Error(got)
		}
	})
	t.Run("answer lost", func(t *testing.T) {
		s := newSystem(t)
		s.work("w1")
		s.fault(paper.Fault{Kind: paper.Reset, Operation: paper.Place, When: paper.After, Count: 1})
		if o := s.await(s.publish(resting("one"), time.Minute)); !o.Recovered {
			t.Errorf("%+v", o)
		}
		s.check("one", "published received checked place=unknown lookup=found answered committed", order.Accepted)
	})
	t.Run("refused", func(t *testing.T) {
		s := newSystem(t)
		s.work("w1")
		in := resting("one")
		in.Order.Qty, in.Order.LimitPrice = num("1000000"), num("1000")
		s.await(s.publish(in, time.Minute))
		s.check("one", "published received checked place=rejected answered committed", order.Rejected)
	})
	t.Run("expired", func(t *testing.T) {
		s := newSystem(t)
		r := s.publish(resting("one"), 100*time.Millisecond)
		s.until(func() bool { return slices.Contains(s.codes(s.explain("one")), explain.Overdue) })
		if got := s.codes(s.explain("one")); !slices.Equal(got, []explain.Code{explain.Unowned, explain.Overdue}) {
			t.Errorf("without a worker it waits for %v", got)
		}
		s.work("w1")
		s.await(r)
		s.check("one", "published wait=owner taken received checked lookup=not_found …", order.Expired)
	})
	t.Run("taken over after a kill", func(t *testing.T) {
		s := newSystem(t)
		kill := s.work("w1")
		s.fault(paper.Fault{Kind: paper.Silence, Operation: paper.Place, When: paper.After, Count: 1})
		r := s.publish(resting("one"), time.Minute)
		s.arrived(1)
		s.until(func() bool { return slices.Equal(s.codes(s.explain("one")), []explain.Code{explain.AtWork}) })
		kill()
		s.work("w2")
		s.await(r)
		life := s.check("one", "published wait=owner taken received checked lookup=found answered committed", order.Accepted)
		if o := life.Intents[0].Outcome; o.Worker != "w2" || o.Epoch != 2 || !o.Recovered {
			t.Errorf("%+v", o)
		}
	})
	t.Run("a repeat", func(t *testing.T) {
		s := newSystem(t)
		s.work("w1")
		s.await(s.publish(resting("one"), time.Minute))
		data, err := order.EncodeIntent(resting("one"))
		if err != nil {
			t.Fatal(err)
		}
		ack, err := s.ledger.JetStream().Publish(t.Context(), ledger.PublishSubject("acme"), data) // as any NATS client may
		if err != nil {
			t.Fatal(err)
		}
		s.await(producer.Receipt{Tenant: "acme", ID: "one", Seq: ack.Sequence})
		life := s.check("one", plain+" published received checked committed", order.Accepted)
		if len(life.Intents) != 2 || life.Intents[1].Role != explain.Again || life.Intents[1].By != "" {
			t.Errorf("%+v", life.Intents)
		}
	})
	t.Run("replaced and cancelled", func(t *testing.T) {
		s := newSystem(t)
		s.work("w1")
		s.await(s.publish(resting("one"), time.Minute))
		s.await(s.publish(order.Intent{ID: "more", Kind: order.KindReplace, Target: "one", Order: &order.Order{Qty: num("2")}}, time.Minute))
		s.await(s.publish(order.Intent{ID: "stop", Kind: order.KindCancel, Target: "one"}, time.Minute))
		s.check("one", plain+" changed changed", order.Accepted)
		s.check("more", "published received checked lookup=found replace=accepted answered committed", order.Accepted)
		s.check("stop", "published received checked lookup=found lookup=found cancel=accepted answered committed", order.Accepted)
	})
}

// TestHeldLife: an intent waits because the one before it failed; the fleet says so, and
// afterwards the ledger does. The one that failed is driven again, in the same life.
func TestHeldLife(t *testing.T) {
	s := newSystem(t)
	s.work("w1")
	s.fault(paper.Fault{Kind: paper.Error, When: paper.After})
	bad := s.publish(resting("bad"), 100*time.Millisecond)
	if o := s.await(bad); o.Status != order.Failed {
		t.Fatalf("%+v", o)
	}
	s.broker.ClearFaults()
	later := s.publish(resting("later"), time.Minute)
	last := s.publish(resting("last"), time.Minute)
	s.until(func() bool { return slices.Equal(s.codes(s.explain("later")), []explain.Code{explain.Held}) })
	if got := s.codes(s.explain("last")); !slices.Equal(got, []explain.Code{explain.Held, explain.Behind}) {
		t.Errorf("the last one waits for %v", got)
	}
	if _, err := s.ledger.Control(t.Context(), "acme", order.Control{Verb: order.Release, By: "ann", Reason: "looked", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	s.await(later)
	s.await(last)
	life := s.explain("later")
	if got := told(life); !strings.Contains(got, "wait=held said received") {
		t.Errorf("%s", got)
	}

	failed, err := fleetctl.ListFailed(t.Context(), s.ledger, fleetctl.Filter{Tenant: "acme", IDs: []string{"bad"}, All: true}, quiet)
	if err != nil || len(failed) != 1 {
		t.Fatalf("%+v: %v", failed, err)
	}
	again, err := failed[0].Again(fleetctl.Why{By: "ann", Reason: "the broker is back", Lifetime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s.await(s.publish(again, time.Minute))
	for _, what := range []string{"bad", again.ID} {
		life = s.explain(what)
		if len(life.Intents) != 2 || life.Intents[1].Role != explain.Retry || life.Status != order.Accepted || life.ClientOrderID != "acme.bad" ||
			!strings.Contains(told(life), "lookup=found") {
			t.Errorf("%s: %s %+v", what, told(life), life)
		}
	}
}

// TestWaitingForTheBroker: of an intent that waits for its rate limit the owner of the shard
// says so, and until when.
func TestWaitingForTheBroker(t *testing.T) {
	s := newSystem(t)
	s.work("w1")
	s.fault(paper.Fault{Kind: paper.RateLimit, RetryAfter: 30 * time.Second, Count: 1})
	s.publish(resting("one"), time.Minute)
	s.publish(resting("two"), time.Minute)
	var life *explain.Life
	s.until(func() bool {
		life = s.explain("one")
		return slices.Equal(s.codes(life), []explain.Code{explain.Code(order.WhyRateLimit)})
	})
	if r := life.Waiting.For[0]; r.Since.IsZero() || time.Until(r.Until) > 31*time.Second || time.Until(r.Until) < 5*time.Second {
		t.Errorf("%+v", r)
	}
	if got := s.codes(s.explain("two")); !slices.Equal(got, []explain.Code{explain.Code(order.WhyRateLimit), explain.Behind}) {
		t.Errorf("the next one waits for %v", got)
	}
}
