package chaos

import (
	"cmp"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Recovery is how the tenants of workers fared that left in some way, in milliseconds.
type Recovery struct {
	Kind    string `json:"kind"`  // killed, frozen, drained
	Alone   bool   `json:"alone"` // in calms, or amid everything else
	Events  int    `json:"events"`
	Tenants int    `json:"tenants"` // affected ones, over all events
	// Idle tenants had no order to send; Waiting ones, in calms, waited already before the
	// fault. They are affected, and not in the figures.
	Idle    int `json:"idle_tenants"`
	Waiting int `json:"waiting_tenants"`
	// Wait is the longest that an order of a tenant waited, from the fault, or its own
	// publish if that was later, until it reached the broker, or expired.
	WaitP50 float64 `json:"wait_p50_ms"`
	WaitP99 float64 `json:"wait_p99_ms"`
	WaitMax float64 `json:"wait_max_ms"`
	// Silence is from a tenant's last request before the fault to its first one after it:
	// the wait, and the time in which the tenant had nothing to send.
	SilenceP50 float64 `json:"silence_p50_ms"`
	SilenceP99 float64 `json:"silence_p99_ms"`
}

// timeline is when each tenant's orders were published and reached the broker.
type timeline struct {
	tenants map[string][]moment // in the order of publishing
	shards  map[int][]string    // the tenants of each
	// stopped is when each tenant was stopped by the operator.
	stopped map[string][]*proof.Stop
	limits  map[string]tenant.Limits
}

// held says that a tenant was stopped at some time between two moments: nobody waits for a
// worker then.
func (t *timeline) held(tenant string, from, to time.Time) bool {
	return slices.ContainsFunc(t.stopped[tenant], func(s *proof.Stop) bool {
		return s.Written.Before(to) && (s.Over.IsZero() || s.Over.After(from))
	})
}

// moment is an order's publish, and its first arrival at the broker, or its expiry if it
// never got there. Orders that the operator held up are none.
type moment struct {
	published, reached time.Time
	expired            bool
}

func newTimeline(h proof.History, shardOf func(string) int) *timeline {
	arrived := make(map[string]time.Time, len(h.Arrivals))
	for _, a := range h.Arrivals {
		if _, again := arrived[a.ClientOrderID]; !again {
			arrived[a.ClientOrderID] = a.Time
		}
	}
	type place struct {
		tenant string
		seq    uint64
	}
	expired := make(map[place]bool)
	for _, o := range h.Outcomes {
		if o.Status == order.Expired {
			expired[place{o.Tenant, o.IntentSeq}] = true
		}
	}
	t := &timeline{make(map[string][]moment), make(map[int][]string), make(map[string][]*proof.Stop), h.Limits}
	for i := range h.Stops {
		s := &h.Stops[i]
		t.stopped[s.Tenant] = append(t.stopped[s.Tenant], s)
	}
	for _, in := range h.Intents {
		if _, known := t.tenants[in.Tenant]; !known {
			shard := shardOf(in.Tenant)
			t.shards[shard], t.tenants[in.Tenant] = append(t.shards[shard], in.Tenant), nil
		}
		at, sent := arrived[order.ClientOrderID(in.Tenant, in.ID)]
		reached := at
		if !sent {
			reached = in.ExpiresAt
		}
		switch {
		case t.held(in.Tenant, in.At, reached):
		case sent && !at.Before(in.At): // else its id was used before
			t.tenants[in.Tenant] = append(t.tenants[in.Tenant], moment{published: in.At, reached: at})
		case !sent && expired[place{in.Tenant, in.Seq}]:
			t.tenants[in.Tenant] = append(t.tenants[in.Tenant], moment{in.At, in.ExpiresAt, true})
		}
	}
	return t
}

// What belongs to a fault: orders that were published so long before it, and so long
// after it.
const (
	reachBack  = 5 * time.Second
	reachAhead = 2 * time.Second
	// healthy tenants had nothing older than this waiting when a fault struck alone.
	healthy = 300 * time.Millisecond
)

// fate is how a tenant fared when something happened.
type fate struct {
	standing      standing
	wait, silence time.Duration
}

// standing says what a tenant had to send.
type standing int

const (
	idle    standing = iota // nothing
	served                  // something
	waiting                 // something that had waited before the fault, which was alone
)

// fateOf says how a tenant fared.
func (t *timeline) fateOf(tenant string, at time.Time, alone bool) (f fate) {
	var last, next time.Time // its requests before and after
	for _, m := range t.tenants[tenant] {
		switch {
		case m.expired:
		case m.reached.Before(at):
			last = latest(last, m.reached)
		case next.IsZero() || m.reached.Before(next):
			next = m.reached
		}
		if m.reached.Before(at) || m.published.Before(at.Add(-reachBack)) || m.published.After(at.Add(reachAhead)) {
			continue
		}
		if alone && m.published.Before(at.Add(-healthy)) {
			return fate{standing: waiting}
		}
		f.standing, f.wait = served, max(f.wait, m.reached.Sub(latest(at, m.published)))
	}
	_, limited := t.limits[tenant] // it is silent because of them, too
	if !last.IsZero() && !next.IsZero() && !limited && !t.held(tenant, last, next) {
		f.silence = next.Sub(last)
	}
	return f
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// group is the recovery of one kind in the making.
type group struct {
	Recovery
	waits, silences []time.Duration
}

func (g *group) add(f fate) {
	g.Tenants++
	switch f.standing {
	case idle:
		g.Idle++
	case waiting:
		g.Waiting++
	case served:
		g.waits = append(g.waits, f.wait)
		if f.silence > 0 {
			g.silences = append(g.silences, f.silence)
		}
	}
}

// recoveries sums up how the tenants of leaving workers fared.
func (t *timeline) recoveries(events []*Event) []Recovery {
	groups := make(map[Recovery]*group)
	for _, e := range events {
		if len(e.before) == 0 {
			continue // not a worker's
		}
		k := Recovery{Kind: e.kind, Alone: e.Alone}
		g := groups[k]
		if g == nil {
			g = &group{Recovery: k}
			groups[k] = g
		}
		g.Events++
		for _, shard := range e.held {
			for _, tenant := range t.shards[shard] {
				g.add(t.fateOf(tenant, e.At, e.Alone))
			}
		}
	}
	var all []Recovery
	for _, g := range groups {
		w, s := proof.Percentiles(g.waits, 0.5, 0.99, 1), proof.Percentiles(g.silences, 0.5, 0.99)
		g.WaitP50, g.WaitP99, g.WaitMax, g.SilenceP50, g.SilenceP99 = w[0], w[1], w[2], s[0], s[1]
		all = append(all, g.Recovery)
	}
	slices.SortFunc(all, func(a, b Recovery) int {
		if a.Alone != b.Alone {
			if a.Alone {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Kind, b.Kind)
	})
	return all
}

// worstOfOthers is the longest wait of a tenant whose worker stayed.
func (t *timeline) worstOfOthers(e *Event) (worst time.Duration) {
	for shard, tenants := range t.shards {
		if slices.Contains(e.held, shard) {
			continue
		}
		for _, tenant := range tenants {
			worst = max(worst, t.fateOf(tenant, e.At, true).wait)
		}
	}
	return worst
}
