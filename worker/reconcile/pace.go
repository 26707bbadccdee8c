package reconcile

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

const (
	// part of a tenant's rate limit is what reconciling may use: one in so many requests.
	part = 10
	// usual is the limit, in requests a minute, of a tenant of which nobody states any.
	usual = 200
	// atOnce is how many of the requests of a minute may follow each other: one in so many.
	atOnce = 4
	// longest bounds how long an answer can make us wait for more requests to remain.
	longest = time.Minute
)

// pace leaves a tenant's rate limit to its orders: it is a bucket of tokens that lets no more
// than a part of the limit go in any minute, and waits where the broker's answers say that
// less than half of it remains.
type pace struct {
	every time.Duration // a token comes
	burst int           // tokens that the bucket holds
	open  bool          // nobody stated a limit yet: the broker's answers may
	full  time.Time     // when it will be full again
	after time.Time     // until then the broker has too little left
}

func newPace(perMinute int) *pace {
	p := &pace{open: perMinute <= 0}
	p.bound(cmp.Or(max(perMinute, 0), usual))
	return p
}

// bound sets the tenant's limit, in requests a minute.
func (p *pace) bound(perMinute int) {
	share := max(perMinute/part, 1)
	p.burst = max(share/atOnce, 1)
	// A burst, and then a token at each interval: share in all before a minute is over.
	p.every = time.Minute/time.Duration(share-p.burst+1) + 1 // rounded up
}

// take waits for a token.
func (p *pace) take(ctx context.Context) error {
	for {
		now := time.Now()
		if p.full.Before(now) {
			p.full = now
		}
		wait := max(p.full.Sub(now)-time.Duration(p.burst-1)*p.every, p.after.Sub(now))
		if wait <= 0 {
			p.full = p.full.Add(p.every)
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// learn notes what an answer says of the limit.
func (p *pace) learn(l broker.Limits) {
	if p.open && l.Limit > 0 {
		p.bound(l.Limit)
	}
	if l.Limit > 0 && 2*l.Remaining < l.Limit {
		p.after = time.Now().Add(min(l.Reset, longest))
	}
}

// idle says that a new pace would let as much go.
func (p *pace) idle(now time.Time) bool { return !p.full.After(now) && !p.after.After(now) }

// paces are those of a shard's tenants that asked their brokers lately, so that nobody gets
// more by asking again. A run that uses one has it alone: it is not among them meanwhile.
type paces struct {
	mu  sync.Mutex
	all map[string]*pace
}

// borrow takes a tenant's pace out. Those that matter no more are dropped.
func (p *paces) borrow(tenant string, perMinute int) *pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.all[tenant]
	delete(p.all, tenant)
	now := time.Now()
	maps.DeleteFunc(p.all, func(_ string, one *pace) bool { return one.idle(now) })
	if one == nil {
		one = newPace(perMinute)
	}
	return one
}

// giveBack puts a tenant's pace back.
func (p *paces) giveBack(tenant string, one *pace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[tenant] = one
}
