package worker_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// sharing is a board of tenants that share pools.
type sharing struct {
	*board
	mu    sync.Mutex
	pools map[string]tenant.Pool
}

func newSharing() *sharing { return &sharing{board: newBoard(), pools: make(map[string]tenant.Pool)} }

func (s *sharing) with(c *worker.Config) { c.Registry, c.Pools = s, s }

func (s *sharing) Pool(name string) (tenant.Pool, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pools[name]
	return p, ok
}

func (s *sharing) open(name string, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools[name] = tenant.Pool{Requests: requests, Window: tenant.Duration(time.Second)}
}

func (s *sharing) join(name, pool string) {
	s.set(name, func(t *tenant.Terms) { t.Pool, t.Weight = pool, 1 })
}

// TestPoolIsAwaited: what a tenant waits for is told while it waits, by its shard's owner, and
// afterwards by the outcome; the wait ends with the pool's terms, and a drain ends it at once.
func TestPoolIsAwaited(t *testing.T) {
	r, s := newRig(t), newSharing()
	s.join("acme", "desk")
	first := r.work(s.with)
	r.publish("acme", lasting("a")) // its pool is not registered
	r.publish("other", lasting("one"))
	r.outcomes("other", 1)
	waiting := func() bool {
		a, err := r.ask("acme")
		return err == nil && a.State.Why == order.WhyPool
	}
	r.eventually(waiting)
	first.stop()
	r.work(s.with)
	r.eventually(waiting)
	if n := r.count("acme"); n != 0 {
		t.Errorf("%d outcomes without a pool", n)
	}
	s.open("desk", 50)
	o := r.outcomes("acme", 1)[0]
	if o.Status != order.Accepted || o.Course == nil || len(o.Course.Waits) == 0 || o.Course.Waits[0].Why != order.WhyPool {
		t.Errorf("%+v", o)
	}

	s.join("acme", "another")
	r.publish("acme", lasting("b"))
	r.eventually(waiting)
	s.join("acme", "") // its limit is its own again
	if o := r.outcomes("acme", 2)[1]; o.Status != order.Accepted {
		t.Errorf("%+v", o)
	}
}

// TestPoolExpires: an intent whose turn in the pool does not come in time ends as expired.
func TestPoolExpires(t *testing.T) {
	r, s := newRig(t), newSharing()
	s.join("acme", "desk")
	r.work(s.with)
	in := buy("a")
	in.ExpiresAt = time.Now().Add(300 * time.Millisecond)
	r.publish("acme", in)
	if o := r.outcomes("acme", 1)[0]; o.Status != order.Expired {
		t.Errorf("%+v", o)
	}
	if ids := r.books.ids("acme"); len(ids) > 0 {
		t.Errorf("the broker has %v", ids)
	}
}

// TestPoolByTurns: with room for one session a shard, twenty tenants of a pool all get what
// they ask for, each in its order, and never more than the pool has.
func TestPoolByTurns(t *testing.T) {
	const tenants, intents, limit = 20, 4, 40
	r, s := newRig(t), newSharing()
	var mu sync.Mutex
	var arrivals []time.Time
	r.books.meddle = func(string, string, func()) *broker.Verdict {
		mu.Lock()
		defer mu.Unlock()
		arrivals = append(arrivals, time.Now())
		return nil
	}
	s.open("desk", limit)
	for i := range tenants {
		s.join(fmt.Sprint("t", i), "desk")
	}
	r.work(few, s.with)
	for n := range intents {
		for i := range tenants {
			r.publish(fmt.Sprint("t", i), lasting(fmt.Sprint(n)))
		}
	}
	for i := range tenants {
		for n, o := range r.outcomes(fmt.Sprint("t", i), intents) {
			if o.Status != order.Accepted || o.IntentID != fmt.Sprint(n) {
				t.Errorf("t%d: %+v", i, o)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(arrivals) < tenants*intents {
		t.Errorf("%d requests", len(arrivals))
	}
	for i := limit; i < len(arrivals); i++ {
		if d := arrivals[i].Sub(arrivals[i-limit]); d < time.Second {
			t.Fatalf("%d requests of %d in %s", limit+1, limit, d)
		}
	}
}

// TestPoolWithoutBanker: a worker that gets no answer from a pool's banker uses its share of what
// no banker hands out, once it has been in the fleet for long enough to know the others: one
// request in a second, of two for both workers.
func TestPoolWithoutBanker(t *testing.T) {
	t.Parallel() // it waits most of the time
	r := newRig(t)
	deaf, s := newSharing(), newSharing() // one of them knows of no pool
	brisk := func(c *worker.Config) { c.LeaseTTL = time.Second }
	r.work(deaf.with, brisk, func(c *worker.Config) { c.Name = "deaf" })
	r.start(r.nc, s.with, brisk, func(c *worker.Config) { c.Name = "other" })
	theirs := -1 // the shard of the worker that knows of no pool
	r.eventually(func() bool {
		snapshot, err := fleet.Look(t.Context(), r.ledger)
		if err != nil {
			return false
		}
		owners := make(map[string]int)
		for shard, lease := range snapshot.Leases {
			owners[snapshot.Members[lease.Owner].Name] = shard
		}
		theirs = owners["deaf"]
		return len(owners) == shards && owners["other"] != theirs
	})
	name := func(shard int) string {
		for i := 0; ; i++ {
			if name := fmt.Sprint("n", i); r.ledger.ShardOf(name) == shard {
				return name
			}
		}
	}
	pool, trader := name(theirs), name(1-theirs)
	s.open(pool, 80) // of which two are the workers'
	var mu sync.Mutex
	var arrivals []time.Time
	r.books.meddle = func(string, string, func()) *broker.Verdict {
		mu.Lock()
		defer mu.Unlock()
		arrivals = append(arrivals, time.Now())
		return nil
	}
	s.join(trader, pool)
	for n := range 4 {
		r.publish(trader, lasting(fmt.Sprint(n)))
	}
	for _, o := range r.outcomes(trader, 4) {
		if o.Status != order.Accepted {
			t.Errorf("%+v", o)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for i := 1; i < len(arrivals); i++ {
		if d := arrivals[i].Sub(arrivals[i-1]); d < time.Second {
			t.Errorf("two requests in %s: it has one in a second", d)
		}
	}
}
