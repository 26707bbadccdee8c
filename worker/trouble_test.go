package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// journal is a log that can be waited on.
type journal struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed when a line is added
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(bytes.TrimSpace(line)))
	close(j.more)
	j.more = make(chan struct{})
	return len(line), nil
}

// count is the number of lines with a text, and a channel that is closed by the next line.
func (j *journal) count(text string) (int, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n, j.more
}

// wait waits for n lines with a text.
func (j *journal) wait(t testing.TB, n int, text string) {
	t.Helper()
	tooLong := time.After(30 * time.Second)
	for {
		got, more := j.count(text)
		if got >= n {
			return
		}
		select {
		case <-more:
		case <-tooLong:
			t.Fatalf("%d lines with %q, wanted %d", got, text, n)
		}
	}
}

func (j *journal) log(c *worker.Config) { c.Log = zerolog.New(j) }

// TestBrokerOutage: the broker goes away under 200 tenants. It is seen as one outage, few
// requests go on reaching it, and when it is back everybody trades again; nothing is lost
// or reordered.
func TestBrokerOutage(t *testing.T) {
	const tenants, newcomers = 200, 50
	r, log := newRig(t), newJournal()
	var down atomic.Bool
	var requests atomic.Int64
	r.books.meddle = func(string, string, func()) *broker.Verdict {
		requests.Add(1)
		if !down.Load() {
			return nil
		}
		return &broker.Verdict{Kind: broker.Unknown, HTTPStatus: 503, Message: "service unavailable"}
	}
	r.work(log.log)
	each := func(id string) {
		for i := range tenants {
			in := buy(id)
			in.ExpiresAt = time.Now().Add(10 * time.Minute)
			r.publish(fmt.Sprintf("t%d", i), in)
		}
	}
	each("one")
	for i := range tenants {
		r.outcomes(fmt.Sprintf("t%d", i), 1)
	}
	down.Store(true)
	each("two")
	each("three")
	log.wait(t, tenants, `"failures":5,`) // all breakers have opened
	log.wait(t, 1, "all tenants that try are failing")

	const seconds = 3
	before := requests.Load()
	for i := range newcomers {
		r.publish(fmt.Sprintf("new%d", i), buy("one"))
	}
	<-time.After(seconds * time.Second)
	if n := requests.Load() - before; n > 4*seconds {
		t.Errorf("%d requests in %d s of outage", n, seconds)
	}
	down.Store(false)
	for i := range tenants {
		name := fmt.Sprintf("t%d", i)
		for n, o := range r.outcomes(name, 3) {
			if want := []string{"one", "two", "three"}[n]; o.Status != order.Accepted || o.IntentID != want {
				t.Errorf("%s: outcome %d: %+v", name, n, o)
			}
		}
		if ids := r.books.ids(name); strings.Join(ids, " ") != "one two three" {
			t.Errorf("%s: booked %v", name, ids)
		}
	}
	for i := range newcomers {
		r.outcomes(fmt.Sprintf("new%d", i), 1)
	}
	if n, _ := log.count("all tenants that try are failing"); n != 1 {
		t.Errorf("%d outages", n)
	}
	log.wait(t, 1, "broker outage over")
	log.wait(t, tenants, "breaker closed")
}

// TestBrokenTenantsAreNoOutage: three tenants whose requests all fail, among many that
// trade, are their own trouble; they hold up neither each other nor the others.
func TestBrokenTenantsAreNoOutage(t *testing.T) {
	const healthy = 50
	r, log := newRig(t), newJournal()
	r.books.meddle = func(_, id string, _ func()) *broker.Verdict {
		if strings.HasPrefix(id, "broken") {
			return &broker.Verdict{Kind: broker.Unsent, Message: "connection refused"}
		}
		return nil
	}
	r.work(log.log)
	for i := range 3 {
		r.publish(fmt.Sprintf("broken%d", i), buy("one"))
	}
	log.wait(t, 6, "breaker open") // each has opened its breaker, and one at least has probed since
	for i := range healthy {
		r.publish(fmt.Sprintf("t%d", i), buy("one"))
	}
	for i := range healthy {
		if o := r.outcomes(fmt.Sprintf("t%d", i), 1)[0]; o.Status != order.Accepted {
			t.Errorf("t%d: %+v", i, o)
		}
	}
	if n, _ := log.count("outage"); n != 0 {
		t.Errorf("%d lines of an outage", n)
	}
	if n, _ := log.count(`"tenant":"t`); n != 0 {
		t.Errorf("%d lines of healthy tenants", n)
	}
}

// TestOpenBreaker: while a breaker is open, intents expire in time and a drain works at
// once; nothing is sent but the probes.
func TestOpenBreaker(t *testing.T) {
	r, log := newRig(t), newJournal()
	var requests atomic.Int64
	r.books.meddle = func(string, string, func()) *broker.Verdict {
		requests.Add(1)
		return &broker.Verdict{Kind: broker.Unsent, Message: "connection refused"}
	}
	w := r.work(log.log)
	long := buy("first")
	long.ExpiresAt = time.Now().Add(3 * time.Second) // enough to open the breaker
	r.publish("acme", long)
	log.wait(t, 1, "breaker open")
	for i := range 20 {
		in := buy(fmt.Sprint(i))
		in.ExpiresAt = long.ExpiresAt.Add(time.Duration(i) * time.Millisecond)
		r.publish("acme", in)
	}
	for _, o := range r.outcomes("acme", 21) {
		if o.Status != order.Expired || o.Attempts != 0 || !strings.Contains(o.Message, "its time ran out") {
			t.Errorf("outcome %+v", o)
		}
	}
	if n := requests.Load(); n > 10 { // five to open it, then after about 1 and 3 s
		t.Errorf("%d requests", n)
	}
	r.publish("acme", buy("last"))
	w.stop()
	if n := r.count("acme"); n != 21 {
		t.Errorf("%d outcomes, and the last intent should wait for the next worker", n)
	}
}

// TestProbeIsALookup: a breaker that opened after an answer was lost is probed by the
// lookup that is due, never by sending the order again.
func TestProbeIsALookup(t *testing.T) {
	r, log := newRig(t), newJournal()
	var down atomic.Bool
	down.Store(true)
	places, lookups := 0, 0
	r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
		switch call {
		case "place":
			if places++; places == 1 {
				book()
			}
		case "by_client_id":
			lookups++
		}
		if down.Load() {
			return &broker.Verdict{Kind: broker.Unknown, HTTPStatus: 502, RequestID: "r1", Message: "bad gateway"}
		}
		return nil
	}
	r.work(log.log)
	r.publish("acme", buy("one"))
	log.wait(t, 2, "breaker open") // and a probe failed
	down.Store(false)
	if o := r.outcomes("acme", 1)[0]; o.Status != order.Accepted || !o.Recovered || o.Attempts != 1 {
		t.Errorf("outcome %+v", o)
	}
	if places != 1 || lookups < 5 {
		t.Errorf("%d places, %d lookups", places, lookups)
	}
}

// TestRateLimit: a tenant whose broker says that nothing remains waits for the reset and
// collects no refusal; its neighbour does not wait.
func TestRateLimit(t *testing.T) {
	const limit, window = 5, 300 * time.Millisecond
	r := newRig(t)
	var mu sync.Mutex
	var ends time.Time
	used, refused := 0, 0
	r.books.meddle = func(call, id string, book func()) *broker.Verdict {
		if !strings.HasPrefix(id, "busy.") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if !now.Before(ends) {
			ends, used = now.Add(window), 0
		}
		limits := broker.Limits{Limit: limit, Reset: ends.Sub(now)}
		if used == limit {
			refused++
			return &broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Limits: limits}
		}
		used++
		limits.Remaining = limit - used
		book()
		return &broker.Verdict{Kind: broker.Accepted, HTTPStatus: 200, Order: &broker.Order{ID: "b", ClientOrderID: id}, Limits: limits}
	}
	r.work()
	const intents = 4*limit + 1
	for i := range intents {
		r.publish("busy", buy(fmt.Sprintf("%02d", i)))
	}
	r.publish("other", buy("one"))
	r.outcomes("other", 1)
	for i, o := range r.outcomes("busy", intents) {
		if o.Status != order.Accepted || o.Attempts != 1 || o.IntentID != fmt.Sprintf("%02d", i) {
			t.Errorf("outcome %d: %+v", i, o)
		}
	}
	if refused > 0 {
		t.Errorf("%d requests were refused", refused)
	}
}

// TestTenantsOwnLimit: a limit of the tenant's own holds every request, lookups too, and
// what would have to wait for too long expires.
func TestTenantsOwnLimit(t *testing.T) {
	r := newRig(t)
	var requests atomic.Int64
	r.books.meddle = func(call, _ string, _ func()) *broker.Verdict {
		requests.Add(1)
		if call == "place" {
			return &broker.Verdict{Kind: broker.Rejected, HTTPStatus: 422, Message: "asset not found"} // costs a lookup
		}
		return nil
	}
	r.work(func(c *worker.Config) {
		c.Connect = func(ctx context.Context, name string) (broker.Line, error) {
			line, err := r.books.connect(ctx, name)
			line.PerMinute = 4
			return line, err
		}
	})
	for i := range 5 {
		in := buy(fmt.Sprint(i))
		in.ExpiresAt = time.Now().Add(2 * time.Second)
		r.publish("acme", in)
	}
	for i, o := range r.outcomes("acme", 5) {
		want := order.Expired
		if i < 2 {
			want = order.Rejected
		}
		if o.Status != want {
			t.Errorf("outcome %d: %+v", i, o)
		}
	}
	if n := requests.Load(); n != 4 {
		t.Errorf("%d requests, and four a minute are allowed", n)
	}
}
