package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/rs/zerolog"
)

// errExpired ends a term whose heartbeat was not acknowledged in time.
var errExpired = fmt.Errorf("%w: %s in time", ErrLost, noAnswer)

// errBlind ends a term that can write but sees no change.
var errBlind = fmt.Errorf("%w: the changes of bucket %s do not arrive; may this worker read it?", ErrLost, ledger.FleetBucket)

// term is one membership, from its first heartbeat to its end. The goroutine in run owns
// it; those that it starts report over channels, and run waits for all of them.
type term struct {
	Config
	id     string
	self   Member
	log    zerolog.Logger
	bucket *ledger.Bucket
	serve  Serve

	deadline *deadline
	over     time.Time           // when the membership is over, unless a heartbeat is acknowledged before
	alarm    *time.Timer         // fires at the deadline, and when it is over
	revision uint64              // of our last heartbeat
	beating  bool                // one is under way
	owed     bool                // and another is to follow at once
	sent     [sentKept]time.Time // when the last heartbeats were sent, by their numbers
	echo     time.Time           // when we last saw one of them in the bucket

	announce func(state string) // to the worker: "" is ready
	view     *view
	told     int  // how many members Members was told of
	joined   bool // the view has been current, with our own heartbeat in it

	held map[int]*holding
	// known is what we know of a shard's lease beyond the view: the revision at which
	// it was not as the view says.
	known map[int]uint64
	// newer is the greatest epoch that was found in a shard's outcomes.
	newer map[int]uint64
	pause map[int]pause
	// unreleased are the shards that we serve no more and whose leases may bear our name.
	// Whoever follows has to wait until that is mended, or our heartbeat runs out.
	unreleased map[int]bool

	running sync.WaitGroup
	changes chan ledger.KeyChange
	lost    chan error // what the watch ended with
	beats   chan beat
	ended   chan ended
}

// beat is the fate of a heartbeat.
type beat struct {
	number   uint64
	revision uint64
	err      error
}

// ended says that a holding's goroutine is done.
type ended struct {
	shard    int
	revision uint64 // of what we wrote last
	err      error
}

// pause keeps us from a shard that just failed.
type pause struct {
	until time.Time
	delay time.Duration
}

func newTerm(c Config, serve Serve, announce func(string)) *term {
	id := newID(c.Name)
	return &term{
		Config:   c,
		id:       id,
		self:     Member{Name: c.Name, Since: time.Now().UTC(), Joining: true},
		log:      c.Log.With().Str("member", id).Logger(),
		bucket:   c.Ledger.Bucket(ledger.FleetBucket),
		serve:    serve,
		deadline: newDeadline(),
		announce: announce,
		view:     newView(c.Ledger.Shards()),
		held:     make(map[int]*holding),
		known:    make(map[int]uint64),
		newer:    make(map[int]uint64),
		pause:    make(map[int]pause),

		unreleased: make(map[int]bool),
		changes:    make(chan ledger.KeyChange),
		lost:       make(chan error, 1),
		beats:      make(chan beat, 1),
		ended:      make(chan ended),
	}
}

// run is the membership. It returns nil after a drain, errExpired when no heartbeat was
// acknowledged in time, else what ended it; in each case after all that it started.
func (t *term) run(ctx context.Context, drain <-chan struct{}) error {
	first := t.heartbeat(ctx, t.next(), 0)
	if first.err != nil {
		return first.err
	}
	t.alarm = time.NewTimer(0)
	defer t.alarm.Stop()
	t.echo = time.Now()
	t.renewed(first.number, first.revision)
	watching, unwatch := context.WithCancel(ctx)
	t.running.Go(func() { t.lost <- t.watch(watching) })

	err := t.loop(ctx, drain)
	defer t.tellMembers(nil)
	for _, h := range t.held {
		h.cancel(err)
	}
	for len(t.held) > 0 {
		t.retire(<-t.ended)
	}
	unwatch()
	t.running.Wait()
	select {
	case b := <-t.beats: // the last one, which our leave has to follow
		t.revision = max(t.revision, b.revision)
	default:
	}
	if !errors.Is(err, ErrLost) && !t.owns() {
		t.leave(ctx)
	}
	return err
}

// owns says that a lease bears our name, as far as we know, although we do not serve its
// shard.
func (t *term) owns() bool {
	for shard, e := range t.view.shards {
		switch {
		case t.held[shard] != nil:
		case t.behind(shard) && t.unreleased[shard], !t.behind(shard) && e.Owner == t.id:
			return true
		}
	}
	return false
}

// loop lives a membership until it has drained or is over.
func (t *term) loop(ctx context.Context, drain <-chan struct{}) error {
	ticker := time.NewTicker(t.renewal())
	defer ticker.Stop()
	for !t.self.Draining || len(t.held) > 0 || t.owns() {
		select {
		case <-t.alarm.C:
			if err := t.alarmed(); err != nil {
				return err
			}
		case <-ticker.C:
			if time.Since(t.echo) > echoes*t.TTL {
				return errBlind
			}
			if !t.beating {
				t.beat(ctx)
			}
			t.reconcile(ctx)
		case b := <-t.beats:
			t.answered(ctx, b)
		case c := <-t.changes:
			if err := t.see(ctx, c); err != nil {
				return err
			}
		case e := <-t.ended:
			t.retire(e)
			t.reconcile(ctx)
		case err := <-t.lost:
			return fmt.Errorf("%w: cannot see what the others do: %w", ErrLost, err)
		case <-drain:
			drain = nil
			t.self.Draining = true
			t.report()
			t.log.Info().Int("shards", len(t.held)).Msg("draining")
			t.beat(ctx)
			t.reconcile(ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// watch hands every change of the bucket to the term's goroutine.
func (t *term) watch(ctx context.Context) error {
	return t.bucket.Watch(ctx, func(c ledger.KeyChange) error {
		select {
		case t.changes <- c:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// see takes a change of the bucket in, and does what follows from it.
func (t *term) see(ctx context.Context, c ledger.KeyChange) error {
	matters, err := t.view.apply(c, time.Now())
	if err != nil {
		t.log.Error().Err(err).Msg("a key of the fleet's bucket makes no sense; going on without it")
	}
	if c.Value == nil || len(t.view.members) != t.told {
		t.tellMembers(t.view.members)
	}
	if c.Key == memberKey(t.id) {
		if c.Value == nil {
			return errExpired // the server has removed us
		}
		t.echoed(t.view.members[t.id].Beat, c.Revision)
	}
	if _, seen := t.view.members[t.id]; seen && t.view.current && !t.joined {
		t.joined, t.self.Joining = true, false
		t.beat(ctx)
		t.log.Info().Int("members", len(t.view.members)).Msg("joined the fleet")
		t.report()
	}
	if matters {
		t.reconcile(ctx)
	}
	return nil
}

// tellMembers says who is in the fleet.
func (t *term) tellMembers(members map[string]Member) {
	if t.told = len(members); t.Members != nil {
		t.Members(t.id, slices.Collect(maps.Keys(members)))
	}
}

// reconcile starts to take the shards that are ours by the assignment and free, to give up
// those that are not, and to clear our name from leases of shards that we do not serve: a
// release, or the acknowledgement of another write, was lost.
func (t *term) reconcile(ctx context.Context) {
	if !t.joined {
		return
	}
	target := make([]string, len(t.view.shards))
	if !t.self.Draining {
		target = assign(t.view.candidates(), t.holders())
	}
	for shard, owner := range target {
		h := t.held[shard]
		switch {
		case h != nil && t.view.shards[shard].Epoch > h.lease.Epoch:
			h.cancel(ErrLost)
		case h != nil && owner != t.id:
			h.drain()
		case h == nil && owner == t.id && t.takeable(shard):
			t.take(ctx, shard, t.serve)
		case h == nil && owner != t.id && t.view.shards[shard].Owner == t.id && t.takeable(shard):
			t.take(ctx, shard, serveNothing)
		}
	}
}

// holders are the view's, but for what we know better.
func (t *term) holders() []string {
	all := t.view.holders()
	for shard := range all {
		switch {
		case t.held[shard] != nil:
			all[shard] = t.id
		case t.behind(shard):
			all[shard] = ""
		}
	}
	return all
}

// behind says that the view of a shard is older than what we know.
func (t *term) behind(shard int) bool { return t.view.shards[shard].revision < t.known[shard] }

func (t *term) takeable(shard int) bool {
	return !t.behind(shard) && (t.view.free(shard) || t.view.shards[shard].Owner == t.id) && time.Now().After(t.pause[shard].until)
}

// serveNothing gives a shard up at once: what became of it under its lease is not known.
func serveNothing(context.Context, Lease) (Legacy, error) { return Legacy{}, nil }

// take starts a holding.
func (t *term) take(ctx context.Context, shard int, serve Serve) {
	ctx, cancel := context.WithCancelCause(ctx)
	h := t.hold(shard, t.view.shards[shard], cancel)
	t.held[shard] = h
	t.running.Go(func() {
		err := h.run(ctx, serve)
		t.ended <- ended{shard, h.revision, err}
	})
}

// retire forgets a holding that is done.
func (t *term) retire(e ended) {
	h := t.held[e.shard]
	h.cancel(nil)
	delete(t.held, e.shard)
	t.known[e.shard] = e.revision
	log := t.log.With().Int("shard", e.shard).Uint64("epoch", h.lease.Epoch).Logger()
	if newer, ok := errors.AsType[*NewerError](e.err); ok {
		t.newer[e.shard] = newer.Epoch
	}
	t.unreleased[e.shard] = errors.Is(e.err, errUnreleased)
	switch {
	case e.err == nil:
		log.Info().Msg("shard given up")
		delete(t.pause, e.shard)
	case ledger.IsConflict(e.err):
		log.Debug().Err(e.err).Msg("somebody was faster")
		t.known[e.shard] = e.revision + 1 // the view has to move on
	case errors.Is(e.err, ErrLost):
		log.Warn().Err(e.err).Msg("shard lost")
	case errors.Is(e.err, context.Canceled):
		log.Info().Msg("shard abandoned")
	default:
		level := zerolog.ErrorLevel
		if ledger.Transient(e.err) {
			level = zerolog.WarnLevel
		}
		p := t.pause[e.shard]
		p.delay = min(max(2*p.delay, 100*time.Millisecond), 5*time.Second)
		p.until = time.Now().Add(p.delay/2 + rand.N(p.delay/2))
		t.pause[e.shard] = p
		log.WithLevel(level).Err(e.err).Dur("pause", p.delay).Msg("shard failed; taking it again")
	}
}

// leave removes our key, so that the others need not wait for its end.
func (t *term) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(t.TTL, writeTimeout))
	defer cancel()
	if err := t.bucket.Delete(ctx, memberKey(t.id), t.revision); err != nil {
		t.log.Debug().Err(err).Msg("left without a word; the heartbeat will run out")
	}
}

// newID makes a member's id of a worker's name: a key of the bucket that nobody else has.
func newID(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
	return fmt.Sprintf("%s_%08x", clean, rand.Uint32())
}
