package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// few leaves room for one session a shard.
func few(c *worker.Config) { c.MaxSessions = shards }

// lasting is an order that is good for an hour.
func lasting(id string) order.Intent {
	in := buy(id)
	in.ExpiresAt = time.Now().Add(time.Hour)
	return in
}

// TestTroubleHoldsNoPlace: with room for one session a shard, twenty tenants whose broker
// fails do not keep twenty healthy ones from trading; they take turns and make no more
// requests than their breakers allow; and when their broker is back, each of their intents
// is booked once, in order.
func TestTroubleHoldsNoPlace(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer broker.Verdict
		booked bool
	}{
		{"not reached", broker.Verdict{Kind: broker.Unsent, Message: "connection refused"}, false},
		{"answers lost", broker.Verdict{Kind: broker.Unknown, HTTPStatus: 504, Message: "gateway timeout"}, false},
		{"answers lost, booked", broker.Verdict{Kind: broker.Unknown, HTTPStatus: 504, Message: "gateway timeout"}, true},
		{"always too many", broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			const tenants, intents = 20, 3
			r := newRig(t)
			var away atomic.Bool
			var requests atomic.Int64
			away.Store(true)
			r.books.meddle = func(call, id string, book func()) *broker.Verdict {
				if !strings.HasPrefix(id, "broken") || !away.Load() {
					return nil
				}
				requests.Add(1)
				if call == "place" && tc.booked {
					book()
				}
				v := tc.answer
				return &v
			}
			began := time.Now()
			r.work(few)
			for n := range tenants {
				for i := range intents {
					r.publish(fmt.Sprintf("broken%02d", n), lasting(fmt.Sprint(i)))
				}
			}
			for round := range 6 { // long enough for breakers to open, to be probed, and to open again
				<-time.After(200 * time.Millisecond)
				for n := range tenants {
					r.publish(fmt.Sprintf("t%02d", n), lasting(fmt.Sprint(round)))
				}
				for n := range tenants {
					if o := r.outcomes(fmt.Sprintf("t%02d", n), round+1)[round]; o.Status != order.Accepted {
						t.Errorf("t%02d: %+v", n, o)
					}
				}
			}
			// Five requests open a breaker, which then doubles its pause from half a second on; a
			// back-off without a breaker is about as long after five.
			most := int64(tenants) * (7 + 2*int64(time.Since(began)/time.Second))
			if n := requests.Load(); n < tenants || n > most {
				t.Errorf("%d requests of %d broken tenants in %s, at most %d are due", n, tenants, time.Since(began), most)
			}
			away.Store(false)
			for n := range tenants {
				name := fmt.Sprintf("broken%02d", n)
				for i, o := range r.outcomes(name, intents) {
					if o.Status != order.Accepted || o.IntentID != fmt.Sprint(i) || o.Recovered != (tc.booked && i == 0) {
						t.Errorf("%s: outcome %d: %+v", name, i, o)
					}
				}
				if ids := fmt.Sprint(r.books.ids(name)); ids != "[0 1 2]" {
					t.Errorf("%s: booked %s", name, ids)
				}
			}
		})
	}
}

// TestSetAsideExpires: an intent whose tenant is set aside ends in time: as expired, or as
// failed if an order may be at the broker.
func TestSetAsideExpires(t *testing.T) {
	r := newRig(t)
	r.books.meddle = func(_, id string, _ func()) *broker.Verdict {
		switch {
		case strings.HasPrefix(id, "unsent"):
			return &broker.Verdict{Kind: broker.Unsent, Message: "connection refused"}
		case strings.HasPrefix(id, "lost"):
			return &broker.Verdict{Kind: broker.Unknown, Message: "no answer"}
		}
		return nil
	}
	r.work(few)
	const tenants = 10
	for n := range tenants {
		in := buy("one")
		in.ExpiresAt = time.Now().Add(2 * time.Second)
		r.publish(fmt.Sprintf("unsent%d", n), in)
		r.publish(fmt.Sprintf("lost%d", n), in)
	}
	for n := range tenants {
		for name, want := range map[string]order.Status{"unsent": order.Expired, "lost": order.Failed} {
			o := r.outcomes(fmt.Sprintf("%s%d", name, n), 1)[0]
			if o.Status != want || want == order.Failed && o.Attempts != 1 {
				t.Errorf("%s%d: %+v", name, n, o)
			}
		}
	}
}

// TestDrainWhileSetAside: a worker that drains while tenants are set aside, some with an
// order that may be at the broker, says so to the next one, which looks those up.
func TestDrainWhileSetAside(t *testing.T) {
	r, log := newRig(t), newJournal()
	const tenants, intents = 10, 12
	var away atomic.Bool
	away.Store(true)
	r.books.meddle = func(call, id string, book func()) *broker.Verdict {
		if !away.Load() {
			return nil
		}
		if call == "place" {
			book() // and the answer is lost
		}
		return &broker.Verdict{Kind: broker.Unknown, Message: "no answer"}
	}
	first := r.work(few, log.log)
	for n := range tenants {
		for i := range intents {
			r.publish(fmt.Sprintf("t%d", n), lasting(fmt.Sprintf("%02d", i)))
		}
	}
	log.wait(t, tenants, "breaker open")
	first.stop()
	away.Store(false)
	r.work(few)
	for n := range tenants {
		name := fmt.Sprintf("t%d", n)
		for i, o := range r.outcomes(name, intents) {
			if o.Status != order.Accepted || o.Recovered != (i == 0) {
				t.Errorf("%s: outcome %d: %+v", name, i, o)
			}
		}
		if ids := r.books.ids(name); len(ids) != intents || !slices.IsSorted(ids) {
			t.Errorf("%s: booked %v", name, ids)
		}
	}
}

// TestABusyTenantGivesWay: a tenant that is never idle, and lives from its inbox, does not
// keep the others of its shard waiting.
func TestABusyTenantGivesWay(t *testing.T) {
	r := newRigOf(t, 1)
	var stop atomic.Bool
	ahead, done := make(chan struct{}, 3), make(chan struct{})
	r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
		if call == "place" && strings.HasPrefix(id, "busy.") {
			<-ahead // the next one is published before this one has its answer
		}
		return nil
	}
	published := 0
	go func() {
		defer close(done)
		for ; !stop.Load(); published++ {
			r.publish("busy", lasting(fmt.Sprintf("%05d", published)))
			if published >= 2 {
				ahead <- struct{}{}
			}
		}
		close(ahead)
	}()
	r.work(func(c *worker.Config) { c.MaxSessions = 1 })
	r.outcomes("busy", 1)
	for n := range 5 {
		r.publish(fmt.Sprintf("t%d", n), lasting("one"))
		r.outcomes(fmt.Sprintf("t%d", n), 1)
	}
	stop.Store(true)
	<-done
	for i, o := range r.outcomes("busy", published) {
		if o.IntentID != fmt.Sprintf("%05d", i) || o.Status != order.Accepted {
			t.Fatalf("outcome %d: %+v", i, o)
		}
	}
	if ids := r.books.ids("busy"); len(ids) != published || !slices.IsSorted(ids) {
		t.Errorf("%d booked of %d", len(ids), published)
	}
}
