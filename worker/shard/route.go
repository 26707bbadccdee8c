package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/worker/session"
)

// route hands intents to sessions until the lease drains and all sessions have ended
// (nil), or ctx ends, or the tail or a session fails.
func (s *shard) route(ctx context.Context) error {
	entries, draining, done := s.entries, s.lease.Draining, ctx.Done()
	ticker := time.NewTicker(settleInterval)
	defer ticker.Stop()
	var outlasted <-chan time.Time
	var wakes <-chan time.Time // while somebody waits
	for {
		if wakes == nil && len(s.waits) > 0 && draining != nil {
			wakes = time.After(wakeInterval)
		}
		select {
		case e, ok := <-entries:
			if !ok {
				return s.tailErr
			}
			s.deliver(ctx, e)
		case q := <-s.asks:
			q.Reply <- s.answer(q)
		case e := <-s.ended:
			if err := s.retire(e); err != nil {
				return err
			}
			if draining != nil {
				s.fill(ctx)
			}
		case <-ticker.C:
			s.settled()
		case now := <-wakes:
			wakes = nil
			if draining != nil {
				s.wake(ctx, now)
			}
		case <-draining:
			s.log.Debug().Int("sessions", len(s.live)).Msg("draining")
			entries, draining = nil, nil
			outlasted = time.After(patience)
		case <-outlasted:
			s.log.Warn().Int("sessions", len(s.live)).Dur("after", patience).Msg("the broker does not answer; the next owner looks these requests up")
			s.abandon(errTooSlow)
		case <-done:
			if draining != nil {
				return context.Cause(ctx)
			}
			done = nil // the sessions are ending
		}
		s.count()
		if draining == nil && len(s.live) == 0 {
			return nil
		}
	}
}

// deliver folds a message in and hands an intent on.
func (s *shard) deliver(ctx context.Context, e ledger.Entry) {
	s.position = e.Seq
	t := s.live[e.Tenant]
	if e.Class == ledger.Outcomes && t != nil {
		t.outcome = e.Data
		return // its session wrote it, or will learn of it when it commits
	}
	s.apply(e)
	switch e.Class {
	case ledger.Intents:
	case ledger.Controls:
		s.control(ctx, e)
		return
	case ledger.Outcomes, ledger.Updates:
		return
	}
	switch {
	case t == nil && s.isAside(e.Tenant):
		// It waits in the fold.
	case t == nil:
		s.admit(ctx, e.Tenant)
	case t.behind || t.ending:
		// Its session, or its next one, asks for it.
	case cap(t.inbox)-len(t.inbox) > session.Reserved && (t.handed < session.Window || s.waiting.len() == 0):
		t.handed, t.hadTurn = t.handed+1, true
		d := t.given(s.fold.Take(e.Tenant, 1))[0]
		t.inbox <- session.Item{Intent: e, First: d.First}
	default:
		t.behind = true
		t.inbox <- session.Item{Signal: session.Behind}
	}
}

// apply folds a message in. What cannot be read is not ours, and changes nothing.
func (s *shard) apply(e ledger.Entry) {
	if err := s.fold.Apply(e); err != nil {
		s.log.Error().Err(err).Msg("a message of the ledger makes no sense; going on without it")
	}
}

// admit starts a session for a tenant that has work, or lets it wait for room.
func (s *shard) admit(ctx context.Context, name string) {
	if len(s.live) < s.cfg.MaxSessions {
		s.start(ctx, name)
		return
	}
	if !s.waiting.push(name) || s.waiting.len() > 1 {
		return
	}
	s.log.Warn().Int("sessions", len(s.live)).Msg("all sessions are taken; tenants take turns")
	for _, t := range s.live {
		t.giveWay()
	}
}

// giveWay tells a session, once, that others wait for its place.
func (t *tenant) giveWay() {
	if !t.yielded {
		t.yielded = true
		close(t.yield)
	}
}

// start gives a tenant its session.
func (s *shard) start(ctx context.Context, name string) {
	t := &tenant{
		inbox:  make(chan session.Item, session.InboxSize),
		behind: true, // it begins with the ledger
		yield:  make(chan struct{}),
	}
	s.live[name] = t
	if s.waiting.len() > 0 {
		t.giveWay()
	}
	state := s.waits[name].state
	delete(s.waits, name)
	one := session.New(&s.cfg.Session, session.Start{
		Tenant:   name,
		Shard:    s.lease.Shard,
		Epoch:    s.lease.Epoch,
		Doubt:    s.doubts[name],
		State:    state,
		Inbox:    t.inbox,
		Asks:     s.asks,
		Draining: s.lease.Draining,
		Yield:    t.yield,
		Until:    s.lease.Until,
	})
	go func() {
		err := one.Run(ctx)
		s.ended <- ended{name, one.InDoubt(), err}
	}()
}

// answer tells a session what to do next.
func (s *shard) answer(q session.Ask) session.Answer {
	t := s.live[q.Tenant]
	s.doubt(q.Tenant, q.Doubt)
	s.passed(q.Tenant, q.Passed)
	switch {
	case q.Held > 0 && t.control > q.Held: // it came just now
		t.control = 0
		return session.Answer{Verb: session.Live}
	case q.Held > 0, !q.Until.IsZero():
		s.setAside(t, q)
		return session.Answer{Verb: session.End}
	case q.Idle && len(t.inbox) > 0: // it came just now
		return session.Answer{Verb: session.Live}
	case q.Idle, t.hadTurn && s.waiting.len() > 0:
		t.ending = true
		return session.Answer{Verb: session.End}
	}
	if g := s.gaps[q.Tenant]; g != nil && len(s.rest[q.Tenant]) == 0 {
		t.hadTurn = true
		t.spans(g.next, g.end-1)
		return session.Answer{Verb: session.Search, From: g.next, Until: g.end}
	}
	if due := t.given(s.due(q.Tenant)); len(due) > 0 {
		t.hadTurn = true
		return session.Answer{Verb: session.Read, Due: due}
	}
	t.behind = false
	return session.Answer{Verb: session.Live}
}

// retire forgets a session that has ended, and queues its tenant if it has more work.
func (s *shard) retire(e ended) error {
	t := s.live[e.tenant]
	delete(s.live, e.tenant)
	s.doubt(e.tenant, e.inDoubt)
	if first := t.pending(); first != 0 && (!t.ending || e.err != nil) {
		s.left[e.tenant] = first
	}
	if e.err != nil && !errors.Is(e.err, errTooSlow) {
		return fmt.Errorf("shard: session of tenant %s: %w", e.tenant, e.err)
	}
	if at, held := s.held[e.tenant]; held {
		if t.control < at {
			return nil
		}
		delete(s.held, e.tenant)
	}
	if _, waits := s.waits[e.tenant]; waits {
		return nil
	}
	if t.ending && s.hasWork(e.tenant) {
		s.waiting.push(e.tenant)
	}
	return nil
}

// fill starts sessions for waiting tenants while there is room.
func (s *shard) fill(ctx context.Context) {
	for s.waiting.len() > 0 && len(s.live) < s.cfg.MaxSessions {
		s.start(ctx, s.waiting.pop())
	}
}

// awaitSessions waits until every session has returned, and answers what they still
// ask. It returns the first error that is not the end of their context.
func (s *shard) awaitSessions() error {
	var first error
	for len(s.live) > 0 {
		select {
		case q := <-s.asks:
			q.Reply <- session.Answer{Verb: session.End}
		case e := <-s.ended:
			if err := s.retire(e); err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}
