package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/updates"
)

const (
	// followerInbox is how many outcomes a follower may be behind before it reads them from
	// the ledger.
	followerInbox = 64
	// pollInterval is how long a tenant whose follower gave up its place waits at least for
	// its next turn: each costs it a request or two of its rate limit.
	pollInterval = 5 * time.Second
	// startInterval is between two followers that begin, be it because many tenants begin to
	// trade or because the shard was taken over: each reads the ledger, and dials its broker.
	startInterval = 20 * time.Millisecond
)

// following is what a shard knows of the followers of its tenants' orders. Only the shard's
// goroutine touches it, but for the channels.
type following struct {
	cfg   *updates.Config // nil: nobody follows
	most  int
	live  map[string]*followed
	begun uint64               // how many followers were started
	queue queue                // tenants that have open orders, perhaps, and no follower
	rests map[string]time.Time // until when those in the queue wait at least
	paces map[string]updates.Pace
	// unreadable are the tenants that this release cannot follow.
	unreadable map[string]struct{}

	free     time.Time       // when the last follower begins; the next one does after it
	ctx      context.Context // of the followers
	stop     context.CancelFunc
	asks     chan updates.Ask
	ended    chan unfollowed
	found    chan string // tenants with open orders from before
	scanning sync.WaitGroup
}

// followed is a tenant that has a follower.
type followed struct {
	begun   uint64 // the how manieth it is
	inbox   chan ledger.Entry
	behind  bool // inbox was full, and is closed; its follower asks for another one
	yield   chan struct{}
	yielded bool          // yield is closed: others wait for the place
	line    uint64        // see [tenant.Terms].Line
	renewed chan struct{} // has room for one: the line is another one
}

// unfollowed says that a follower's goroutine has returned.
type unfollowed struct {
	tenant string
	open   bool // it has open orders, or that is not known
	pace   updates.Pace
	err    error
}

// beginFollowing starts followers for the tenants that have open orders from before, in the
// background.
func (s *shard) beginFollowing(ctx context.Context) {
	f := &s.following
	if f.cfg = s.cfg.Updates; f.cfg == nil {
		return
	}
	f.most = max(s.cfg.MaxFollowers, 1)
	f.live, f.rests = make(map[string]*followed), make(map[string]time.Time)
	f.paces, f.unreadable = make(map[string]updates.Pace), make(map[string]struct{})
	f.asks, f.ended, f.found = make(chan updates.Ask), make(chan unfollowed), make(chan string)
	f.ctx, f.stop = context.WithCancel(ctx)
	f.scanning.Go(func() { s.scan(f.ctx) })
}

// scan finds the tenants that may have open orders.
func (s *shard) scan(ctx context.Context) {
	tenants, err := s.cfg.Session.Ledger.Unsettled(ctx, s.lease.Shard)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error().Err(err).Msg("cannot find out which tenants have open orders; their updates wait for their next order")
		}
		return
	}
	s.log.Debug().Int("tenants", len(tenants)).Msg("tenants that may have open orders")
	for _, name := range tenants {
		select {
		case s.following.found <- name:
		case <-ctx.Done():
			return
		}
	}
}

// heard hands an outcome to its tenant's follower, or starts one if the outcome is of an
// order that may be open now.
func (f *following) heard(s *shard, e ledger.Entry) {
	if f.cfg == nil {
		return
	}
	t := f.live[e.Tenant]
	switch {
	case t == nil:
		if placed(e.Data) {
			f.follow(s, e.Tenant)
		}
	case t.behind:
		// Its follower reads it from the ledger.
	case len(t.inbox) < cap(t.inbox):
		t.inbox <- e
	default:
		t.behind = true
		close(t.inbox)
	}
}

// placed says that an outcome is of an order that the broker took, or may have taken.
func placed(outcome []byte) bool {
	var o struct {
		Kind   order.Kind   `json:"kind"`
		Status order.Status `json:"status"`
	}
	if json.Unmarshal(outcome, &o) != nil || o.Status != order.Accepted && o.Status != order.Failed {
		return false
	}
	return o.Kind == order.KindOrder || o.Kind == order.KindReplace || o.Kind == order.KindClosePosition
}

// follow starts a follower of a tenant, or lets the tenant wait for a place.
func (f *following) follow(s *shard, name string) {
	if _, unreadable := f.unreadable[name]; unreadable || f.live[name] != nil || f.over() {
		return
	}
	if len(f.live) < f.most {
		f.start(s, name)
		return
	}
	f.wait(name, time.Time{})
}

// over says that nobody is started any more.
func (f *following) over() bool { return f.ctx.Err() != nil }

// wait queues a tenant up and, if there is no room, tells one that has a place.
func (f *following) wait(name string, until time.Time) {
	if f.queue.push(name) {
		f.rests[name] = until
		f.makeRoom(time.Now())
	}
}

// makeRoom tells those that have had their places for longest that others wait, if there is
// no room: as many of them as tenants wait that have rested.
func (f *following) makeRoom(now time.Time) {
	if len(f.live) < f.most {
		return
	}
	waiting := 0
	for _, name := range f.queue.names {
		if f.rested(name, now) {
			waiting++
		}
	}
	var staying []*followed
	for _, t := range f.live {
		if t.yielded {
			waiting--
		} else {
			staying = append(staying, t)
		}
	}
	if waiting <= 0 {
		return
	}
	slices.SortFunc(staying, func(a, b *followed) int { return cmp.Compare(a.begun, b.begun) })
	for _, t := range staying[:min(waiting, len(staying))] {
		t.giveWay()
	}
}

// rested says that a tenant in the queue may have its next turn.
func (f *following) rested(name string, now time.Time) bool { return !now.Before(f.rests[name]) }

func (t *followed) giveWay() {
	if !t.yielded {
		t.yielded = true
		close(t.yield)
	}
}

// start gives a tenant its follower.
func (f *following) start(s *shard, name string) {
	f.begun++
	t := &followed{
		begun: f.begun, inbox: make(chan ledger.Entry, followerInbox), yield: make(chan struct{}),
		line: s.terms.of(name).Line, renewed: make(chan struct{}, 1),
	}
	f.live[name] = t
	now := time.Now()
	f.makeRoom(now)
	if f.free = f.free.Add(startInterval); f.free.Before(now) {
		f.free = now
	}
	one := updates.New(f.cfg, updates.Start{
		Delay:   f.free.Sub(now),
		Tenant:  name,
		Shard:   s.lease.Shard,
		Epoch:   s.lease.Epoch,
		Inbox:   updates.Inbox{Position: s.position, Outcomes: t.inbox},
		Asks:    f.asks,
		Yield:   t.yield,
		Renewed: t.renewed,
		Pace:    f.paces[name],
		Until:   s.lease.Until,
	})
	delete(f.paces, name)
	go func() {
		err := guarded(f.ctx, one)
		f.ended <- unfollowed{name, one.Open(), one.Pace(), err}
	}()
}

// renew tells followers whose lines to the broker are made of other settings or keys now.
func (f *following) renew(x *terms) {
	for name, t := range f.live {
		line := x.of(name).Line
		if line == t.line {
			continue
		}
		t.line = line
		select {
		case t.renewed <- struct{}{}:
		default: // it was told, and has not looked yet
		}
	}
}

// guarded keeps a bug of ours in one tenant's follower from becoming every tenant's outage.
func guarded(ctx context.Context, one *updates.Follower) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a bug of the worker's: %v\n%s", p, debug.Stack())
		}
	}()
	return one.Run(ctx)
}

// answer gives a follower a new inbox.
func (f *following) answer(s *shard, q updates.Ask) {
	t := f.live[q.Tenant]
	t.inbox, t.behind = make(chan ledger.Entry, followerInbox), false
	q.Reply <- updates.Inbox{Position: s.position, Outcomes: t.inbox}
}

// retire forgets a follower that has ended, and queues its tenant up if it needs another one.
// It fails if another worker owns the shard.
func (f *following) retire(s *shard, e unfollowed) error {
	t := f.live[e.tenant]
	delete(f.live, e.tenant)
	if fenced, ok := errors.AsType[*updates.FencedError](e.err); ok {
		return fmt.Errorf("shard: follower of tenant %s: %w", e.tenant, fenced)
	}
	if f.over() {
		return nil
	}
	if !e.pace.Calm(time.Now()) {
		f.paces[e.tenant] = e.pace
	}
	if _, ok := errors.AsType[*updates.UnreadableError](e.err); ok {
		s.log.Error().Err(e.err).Str("tenant", e.tenant).Msg("a tenant's updates wait for another release, or another owner of the shard")
		f.unreadable[e.tenant] = struct{}{}
		f.fill(s, time.Now())
		return nil
	}
	if e.err != nil {
		s.log.Error().Err(e.err).Str("tenant", e.tenant).Msg("the follower of a tenant's updates failed; it is started again")
	}
	switch {
	case e.err != nil, e.open:
		f.wait(e.tenant, time.Now().Add(pollInterval))
	case t.behind, len(t.inbox) > 0: // something came just now
		f.wait(e.tenant, time.Time{})
	}
	f.fill(s, time.Now())
	return nil
}

// fill starts followers for waiting tenants while there is room, and makes room for the others.
func (f *following) fill(s *shard, now time.Time) {
	for len(f.live) < f.most {
		name, ok := f.queue.take(func(name string) bool { return f.rested(name, now) })
		if !ok {
			return
		}
		delete(f.rests, name)
		if f.live[name] == nil {
			f.start(s, name)
		}
	}
	f.makeRoom(now)
}

// forget drops the paces of tenants that were left alone for long enough.
func (f *following) forget(now time.Time) {
	maps.DeleteFunc(f.paces, func(_ string, p updates.Pace) bool { return p.Calm(now) })
}

// end stops the followers: the next owner of the shard looks up what they miss.
func (f *following) end() {
	if f.cfg != nil {
		f.stop()
	}
}

// await waits until every follower has returned, and returns the first of them that was
// fenced.
func (f *following) await(s *shard) (first error) {
	if f.cfg == nil {
		return nil
	}
	f.end()
	for len(f.live) > 0 {
		if err := f.retire(s, <-f.ended); err != nil && first == nil {
			first = err
		}
	}
	f.scanning.Wait()
	return first
}
