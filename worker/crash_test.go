package worker_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// TestCrashWhileSubmitting: a worker dies while an order is at the broker, booked or
// not. The next one finds out, and marks what it found.
func TestCrashWhileSubmitting(t *testing.T) {
	for _, booked := range []bool{true, false} {
		t.Run(fmt.Sprintf("booked=%v", booked), func(t *testing.T) {
			r := newRig(t)
			arrived, dead := make(chan struct{}), make(chan struct{})
			r.books.meddle = func(call, id string, book func()) *broker.Verdict {
				if call != "place" || id != "acme.two" {
					return nil
				}
				if booked {
					book()
				}
				close(arrived)
				<-dead
				return &broker.Verdict{Kind: broker.Unknown}
			}
			first := r.work()
			for _, id := range []string{"one", "two", "three"} {
				r.publish("acme", buy(id))
			}
			<-arrived
			r.outcomes("acme", 1)
			first.abandon()
			r.books.mu.Lock()
			r.books.meddle = nil
			r.books.mu.Unlock()
			close(dead)
			first.crash()

			r.work()
			got := r.outcomes("acme", 3)
			if two := got[1]; two.IntentID != "two" || two.Status != order.Accepted || two.Recovered != booked || two.Epoch != 2 {
				t.Errorf("outcome %+v", two)
			}
			if ids := fmt.Sprint(r.books.ids("acme")); ids != "[one two three]" {
				t.Errorf("booked %s", ids)
			}
		})
	}
}

// TestCrashAtRandom kills workers again and again while orders flow.
func TestCrashAtRandom(t *testing.T) {
	r := newRig(t)
	const tenants, intents = 6, 60
	for i := range intents {
		for n := range tenants {
			r.publish(fmt.Sprintf("t%d", n), buy(fmt.Sprintf("%03d", i)))
		}
	}
	for kills := range 12 {
		placed, enough := 0, make(chan struct{})
		r.books.mu.Lock()
		r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
			if call != "place" {
				return nil
			}
			r.books.mu.Lock()
			placed++
			n := placed
			r.books.mu.Unlock()
			if n == 10+kills {
				close(enough)
			}
			if n >= 10+kills { // the answer never arrives
				if n%2 == 0 {
					book()
				}
				return &broker.Verdict{Kind: broker.Unknown}
			}
			return nil
		}
		r.books.mu.Unlock()
		w := r.work(func(c *worker.Config) { c.Settle = time.Millisecond })
		<-enough
		w.crash()
	}
	r.books.mu.Lock()
	r.books.meddle = nil
	r.books.mu.Unlock()
	r.work()
	for n := range tenants {
		tenant := fmt.Sprintf("t%d", n)
		for i, o := range r.outcomes(tenant, intents) {
			if o.IntentID != fmt.Sprintf("%03d", i) || o.Status != order.Accepted {
				t.Fatalf("%s: outcome %d is %+v", tenant, i, o)
			}
		}
		ids := r.books.ids(tenant)
		if len(ids) != intents {
			t.Errorf("%s: %d orders for %d intents: %v", tenant, len(ids), intents, ids)
		}
		for i, id := range ids {
			if id != fmt.Sprintf("%03d", i) {
				t.Fatalf("%s: order %d is %s", tenant, i, id)
			}
		}
	}
}

// TestFenced: a worker that is cut off while an order is at the broker, and hears of it
// when another one has resolved it, commits nothing, and rejoins.
func TestFenced(t *testing.T) {
	r := newRig(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	hold := true
	r.books.meddle = func(call, id string, book func()) *broker.Verdict {
		if call != "place" || id != "acme.one" || !hold {
			return nil
		}
		hold = false
		book()
		close(arrived)
		<-release
		return &broker.Verdict{Kind: broker.Accepted, Order: &broker.Order{ID: "broker-1"}}
	}
	line := new(ledgertest.Line)
	states := make(chan string, 100)
	r.workOn(ledgertest.ConnectOver(t, line, r.nc.ConnectedUrl()), func(c *worker.Config) {
		c.Name, c.LeaseTTL = "older", fleet.DefaultTTL
		c.Ready = func(why string) { states <- why }
	})
	r.publish("acme", buy("one"))
	<-arrived
	line.Cut()
	for why := range states { // it says so before its lease can have run out
		if strings.Contains(why, "no heartbeat acknowledged") {
			break
		}
	}
	r.work(func(c *worker.Config) { c.Name = "newer" })
	o := r.outcomes("acme", 1)[0]
	if o.Status != order.Accepted || !o.Recovered || o.Epoch != 2 || o.Worker != "newer" {
		t.Errorf("the newer worker's outcome: %+v", o)
	}
	close(release) // the older one has its answer
	line.Mend()
	for why := range states {
		if why == "" {
			break
		}
	}
	r.publish("acme", buy("two"))
	r.outcomes("acme", 2)
	if n := r.count("acme"); n != 2 {
		t.Errorf("%d outcomes for 2 intents", n)
	}
	if ids := fmt.Sprint(r.books.ids("acme")); ids != "[one two]" {
		t.Errorf("booked %s", ids)
	}
}

// TestAnOldIDAfterACrash: an id that its tenant used longer ago than the shard remembers comes
// again, and its worker dies. Whoever follows finds an order under it, and does not take it
// for this intent's.
func TestAnOldIDAfterACrash(t *testing.T) {
	r := newRigOf(t, 1)
	first := r.work()
	one := r.publish("acme", buy("one"))
	r.outcomes("acme", 1)
	first.crash()
	r.books.mu.Lock()
	r.books.booked[0].Created = time.Now().Add(-time.Hour)
	r.books.mu.Unlock()
	low := r.fill(6000)
	r.publish("acme", buy("one"))
	r.publish("acme", buy("two"))
	r.rewrite(0, func(lease *fleet.Record) { lease.Low = low })
	r.work()
	got := r.outcomes("acme", 3)
	if again := got[1]; again.Status != order.Duplicate || again.DuplicateOf != one {
		t.Errorf("outcome %+v", again)
	}
	if two := got[2]; two.Status != order.Accepted {
		t.Errorf("outcome %+v", two)
	}
	if ids := fmt.Sprint(r.books.ids("acme")); ids != "[one two]" {
		t.Errorf("booked %s", ids)
	}
}

// TestDrain: a worker that drains says first that it is no longer ready, finishes what is
// at the broker and leaves the rest, of which nothing is in doubt.
func TestDrain(t *testing.T) {
	r := newRig(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	lookups := 0
	r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
		switch {
		case call == "place" && id == "acme.000":
			close(arrived)
			<-release
		case call == "by_client_id":
			lookups++
		}
		return nil
	}
	states := make(chan string, 100)
	w := r.work(func(c *worker.Config) { c.Ready = func(why string) { states <- why } })
	const intents = 100
	for i := range intents {
		r.publish("acme", buy(fmt.Sprintf("%03d", i)))
	}
	<-arrived
	close(w.drain)
	for <-states != "draining" {
	}
	close(release)
	if err := <-w.ended; err != nil {
		t.Fatal(err)
	}
	if n := r.count("acme"); n == 0 || n == intents {
		t.Errorf("%d outcomes after draining", n)
	}
	r.work()
	for i, o := range r.outcomes("acme", intents) {
		if o.Recovered || o.Status != order.Accepted {
			t.Errorf("outcome %d: %+v", i, o)
		}
	}
	if ids := r.books.ids("acme"); len(ids) != intents || !slices.IsSorted(ids) {
		t.Errorf("booked %v", ids)
	}
	if lookups != 0 {
		t.Errorf("%d lookups after a clean hand-over", lookups)
	}
}

// TestDrainIsBounded: a broker that does not answer does not hold up a drain, and the next
// owner finds out what became of the request.
func TestDrainIsBounded(t *testing.T) {
	r := newRig(t)
	arrived, dead := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(arrived) })
	r.books.abandoned = dead
	r.books.meddle = func(call, id string, book func()) *broker.Verdict {
		if call != "place" || id != "acme.one" {
			return nil
		}
		book()
		once()
		<-dead
		return &broker.Verdict{Kind: broker.Unknown}
	}
	w := r.work()
	r.publish("acme", buy("one"))
	<-arrived
	w.stop()
	if n := r.count("acme"); n != 0 {
		t.Errorf("%d outcomes", n)
	}
	r.books.mu.Lock()
	r.books.meddle = nil
	r.books.mu.Unlock()
	r.work()
	if o := r.outcomes("acme", 1)[0]; o.Status != order.Accepted || !o.Recovered {
		t.Errorf("outcome %+v", o)
	}
	if ids := fmt.Sprint(r.books.ids("acme")); ids != "[one]" {
		t.Errorf("booked %s", ids)
	}
}

// TestDrainWhileWaiting: a tenant that waits for its broker does not hold up a drain.
func TestDrainWhileWaiting(t *testing.T) {
	r := newRig(t)
	asked := make(chan struct{}, 1)
	r.books.meddle = func(call, _ string, _ func()) *broker.Verdict {
		select {
		case asked <- struct{}{}:
		default:
		}
		return &broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: time.Hour}
	}
	w := r.work()
	r.publish("acme", buy("one"))
	<-asked
	w.stop()
	if n := r.count("acme"); n != 0 {
		t.Errorf("%d outcomes of an intent that still waits", n)
	}
}

// TestTurns: with room for two sessions only, fifty tenants take turns, and a busy one
// does not starve the rest.
func TestTurns(t *testing.T) {
	r := newRig(t)
	const tenants, intents = 50, 5
	for i := range 300 {
		r.publish("busy", buy(fmt.Sprint(i)))
	}
	for i := range intents {
		for n := range tenants {
			r.publish(fmt.Sprintf("t%d", n), buy(fmt.Sprint(i)))
		}
	}
	r.work(func(c *worker.Config) { c.MaxSessions = shards })
	for n := range tenants {
		r.outcomes(fmt.Sprintf("t%d", n), intents)
	}
	for i, o := range r.outcomes("busy", 300) {
		if o.IntentID != fmt.Sprint(i) || o.Status != order.Accepted {
			t.Fatalf("outcome %d: %+v", i, o)
		}
	}
}

// TestIdleTenantsCostNoGoroutine: a session without work ends and hangs up, and its
// tenant is served again when it has work.
func TestIdleTenantsCostNoGoroutine(t *testing.T) {
	r := newRig(t)
	r.work(func(c *worker.Config) { c.Idle = 20 * time.Millisecond })
	r.publish("acme", buy("one"))
	r.outcomes("acme", 1)
	for hungUp(r, "acme") == 0 || strings.Contains(stacks(), "session.(*Session).Run") {
		if t.Context().Err() != nil {
			t.Fatal("the session does not end")
		}
		runtime.Gosched()
	}
	r.publish("acme", buy("two"))
	if o := r.outcomes("acme", 2)[1]; o.Status != order.Accepted {
		t.Errorf("outcome %+v", o)
	}
}

func hungUp(r *rig, tenant string) int {
	r.books.mu.Lock()
	defer r.books.mu.Unlock()
	return r.books.tenants[tenant].hangups
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
