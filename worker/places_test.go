package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// TestTroubleHoldsNoPlace: there are far more tenants in trouble than places for sessions.
// The others trade all the same; the broker of the troubled ones is asked seldom; and when
// it is back all that they asked for is booked, once, in order.
func TestTroubleHoldsNoPlace(t *testing.T) {
	for _, tc := range []struct {
		name  string
		kind  broker.VerdictKind
		books bool // the broker books what it does not answer
	}{
		{"no connection", broker.Unsent, false},
		{"answers lost, booked", broker.Unknown, true},
		{"answers lost, not booked", broker.Unknown, false},
		{"rate limited", broker.RetryAfter, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			const tenants, each = 20, 4
			requests, down := 0, true
			r.books.meddle = func(call, id string, book func()) *broker.Verdict {
				r.books.mu.Lock()
				troubled := down && strings.HasPrefix(id, "bad")
				if troubled {
					requests++
				}
				r.books.mu.Unlock()
				if !troubled {
					return nil
				}
				if call == "place" && tc.books {
					book()
				}
				return &broker.Verdict{Kind: tc.kind, Wait: 300 * time.Millisecond, Message: "in trouble"}
			}
			r.work(func(c *worker.Config) { c.MaxSessions = shards })
			for n := range tenants {
				for i := range each {
					in := buy(fmt.Sprint(i))
					in.ExpiresAt = time.Now().Add(time.Hour)
					r.publish(fmt.Sprintf("bad%02d", n), in)
				}
			}
			for n := range tenants {
				for i := range each {
					r.publish(fmt.Sprintf("good%02d", n), buy(fmt.Sprint(i)))
				}
			}
			began := time.Now()
			for n := range tenants {
				r.outcomes(fmt.Sprintf("good%02d", n), each)
			}
			r.books.mu.Lock()
			// A breaker lets five requests go before it opens, and then about one a second;
			// the wait of a rate limit is 300 ms.
			most := tenants * (10 + int(time.Since(began)/(300*time.Millisecond)))
			if requests > most {
				t.Errorf("%d requests of tenants in trouble, more than %d", requests, most)
			}
			down = false
			r.books.mu.Unlock()
			for n := range tenants {
				tenant := fmt.Sprintf("bad%02d", n)
				for i, o := range r.outcomes(tenant, each) {
					if o.IntentID != fmt.Sprint(i) || o.Status != order.Accepted {
						t.Fatalf("%s: outcome %d is %+v", tenant, i, o)
					}
				}
				if ids := r.books.ids(tenant); len(ids) != each || !slices.IsSorted(ids) {
					t.Errorf("%s: booked %v", tenant, ids)
				}
			}
		})
	}
}

// TestABusyTenantGivesWay: a tenant that is never without work does not keep its place while
// others wait for one.
func TestABusyTenantGivesWay(t *testing.T) {
	r := newRigOf(t, 1)
	stop, stopped := make(chan struct{}), make(chan struct{})
	r.work(func(c *worker.Config) { c.MaxSessions = 1 })
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				r.publish("busy", buy(fmt.Sprint(i)))
			}
		}
	}()
	r.outcomes("busy", 20)
	for n := range 10 {
		r.publish(fmt.Sprintf("other%d", n), buy("one"))
	}
	for n := range 10 {
		r.outcomes(fmt.Sprintf("other%d", n), 1)
	}
	close(stop)
	<-stopped
}

// TestDrainWhileAside: tenants that gave their places up are in doubt, or not, when their
// shard is given up, and go on at the next owner.
func TestDrainWhileAside(t *testing.T) {
	r := newRig(t)
	const tenants = 10
	down := true
	asked := make(chan struct{}, 1000)
	r.books.meddle = func(call, id string, book func()) *broker.Verdict {
		r.books.mu.Lock()
		troubled := down
		r.books.mu.Unlock()
		if !troubled {
			return nil
		}
		if call == "place" {
			book()
			asked <- struct{}{}
		}
		return &broker.Verdict{Kind: broker.Unknown, Message: "no answer"}
	}
	w := r.work(func(c *worker.Config) { c.MaxSessions = shards })
	for n := range tenants {
		r.publish(fmt.Sprintf("t%d", n), buy("one"))
	}
	for range tenants { // each has had its turn, and lost its answer
		<-asked
	}
	w.stop()
	r.books.mu.Lock()
	down = false
	r.books.mu.Unlock()
	r.work()
	for n := range tenants {
		tenant := fmt.Sprintf("t%d", n)
		if o := r.outcomes(tenant, 1)[0]; o.Status != order.Accepted || !o.Recovered {
			t.Errorf("%s: %+v", tenant, o)
		}
		if ids := fmt.Sprint(r.books.ids(tenant)); ids != "[one]" {
			t.Errorf("%s: booked %s", tenant, ids)
		}
	}
}
