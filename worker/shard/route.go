package shard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/session"
)

// route hands intents to sessions until the lease drains and all sessions have ended
// (nil), or ctx ends, or the tail or a session fails.
func (s *shard) route(ctx context.Context) error {
	if !s.folded { // drained before it knew who has work, and what of it is in doubt
		return nil
	}
	s.beginFollowing(ctx)
	entries, draining, done := s.entries, s.lease.Draining, ctx.Done()
	ticker := time.NewTicker(settleInterval)
	defer ticker.Stop()
	var outlasted <-chan time.Time
	alarm, armed := time.NewTimer(time.Hour), time.Time{}
	defer alarm.Stop()
	for {
		if next := s.alarms.next(); !next.Equal(armed) {
			if armed = next; next.IsZero() {
				alarm.Stop()
			} else {
				alarm.Reset(time.Until(next))
			}
		}
		select {
		case e, ok := <-entries:
			if !ok {
				return s.tailErr
			}
			s.deliver(ctx, e)
		case q := <-s.asks:
			q.Reply <- s.answer(q)
		case n := <-s.notes:
			s.live[n.Tenant].noted(n)
		case <-s.terms.changed:
			s.renew(ctx, draining == nil)
		case <-s.terms.rested:
			s.terms.goOn()
		case c := <-s.desk.calls:
			s.inquire(c)
		case e := <-s.ended:
			if err := s.retire(e); err != nil {
				return err
			}
			if draining != nil {
				s.fill(ctx)
			}
		case name := <-s.following.found:
			s.following.follow(s, name)
		case q := <-s.following.asks:
			s.following.answer(s, q)
		case e := <-s.following.ended:
			if err := s.following.retire(s, e); err != nil {
				return err
			}
		case <-alarm.C:
			if armed = (time.Time{}); draining != nil {
				s.wake(ctx, time.Now())
			}
		case <-ticker.C:
			s.settled()
			s.forget(time.Now())
			s.following.fill(s, time.Now())
			s.following.forget(time.Now())
		case <-draining:
			s.log.Debug().Int("sessions", len(s.live)).Msg("draining")
			entries, draining = nil, nil
			s.desk.close()
			s.following.end()
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
		s.confirm()
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
	if e.Class == ledger.Outcomes {
		s.following.heard(s, e)
	}
	if e.Class == ledger.Outcomes && t != nil {
		t.outcome = e.Data
		if !s.ours(e) {
			t.supersede()
		}
		return // its session wrote it, or looks at the ledger before its next request
	}
	s.apply(e)
	switch e.Class {
	case ledger.Intents:
	case ledger.Controls:
		s.control(ctx, e)
		return
	case ledger.Outcomes, ledger.Updates, ledger.Epochs:
		return
	}
	_, aside := s.aside[e.Tenant]
	switch {
	case t == nil && aside:
		// It waits in the fold.
	case t == nil:
		s.admit(ctx, e.Tenant)
	case t.behind || t.ending:
		// Its session, or its next one, asks for it.
	case cap(t.inbox)-len(t.inbox) > session.Reserved:
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

// complainInterval is how often a shard says at most that it has too few sessions.
const complainInterval = 10 * time.Second

// admit starts a session for a tenant that has work, or lets it wait for room.
func (s *shard) admit(ctx context.Context, name string) {
	if len(s.live) < s.cfg.MaxSessions {
		s.start(ctx, name)
		return
	}
	if !s.waiting.push(name) || s.waiting.len() > 1 {
		return
	}
	if now := time.Now(); now.Sub(s.complained) >= complainInterval {
		s.complained = now
		s.log.Warn().Int("sessions", len(s.live)).Msg("all sessions are taken; tenants take turns")
	}
	for _, t := range s.live {
		t.giveWay()
	}
}

// giveWay tells a session, once, that others wait for its place.
func (t *served) giveWay() {
	if !t.yielded {
		t.yielded = true
		close(t.yield)
	}
}

// start gives a tenant its session.
func (s *shard) start(ctx context.Context, name string) {
	t := &served{
		inbox:      make(chan session.Item, session.InboxSize),
		yield:      make(chan struct{}),
		behind:     true, // it begins with the ledger
		superseded: make(chan struct{}),
		terms:      s.terms.of(name),
		changes:    make(chan *tenant.Terms, 1),
	}
	t.obeys = t.terms
	s.live[name] = t
	if s.waiting.len() > 0 {
		t.giveWay()
	}
	one := session.New(&s.cfg.Session, session.Start{
		Tenant:     name,
		Shard:      s.lease.Shard,
		Epoch:      s.lease.Epoch,
		Doubt:      s.doubts[name],
		Begin:      s.begin,
		State:      s.states[name],
		Terms:      t.terms,
		Changes:    t.changes,
		Inbox:      t.inbox,
		Asks:       s.asks,
		Notes:      s.notes,
		Draining:   s.lease.Draining,
		Yield:      t.yield,
		Superseded: t.superseded,
		Until:      s.lease.Until,
	})
	delete(s.states, name)
	go func() {
		err := one.Run(ctx)
		s.ended <- ended{name, one.InDoubt(), one.State(), err}
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
	case q.Held > 0, !q.Wake.IsZero(), q.Paused, q.Turn && s.waiting.len() > 0, q.Idle && len(t.inbox) == 0:
		s.takeBack(t, q)
		return session.Answer{Verb: session.End}
	case q.Turn, q.Idle: // nobody waits, or something came just now
		return session.Answer{Verb: session.Live}
	}
	if g := s.gaps[q.Tenant]; g != nil && len(s.rest[q.Tenant]) == 0 {
		t.spans(g.next, g.end-1)
		return session.Answer{Verb: session.Search, From: g.next, Until: g.end}
	}
	if due := t.given(s.due(q.Tenant)); len(due) > 0 {
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
	if !e.state.Spent(time.Now()) {
		s.states[e.tenant] = e.state
	}
	if s.stays(e.tenant, t) {
		return nil
	}
	if t.ending && s.hasWork(e.tenant) {
		s.waiting.push(e.tenant)
	}
	return nil
}

// forget drops what sessions left that matters no more.
func (s *shard) forget(now time.Time) {
	maps.DeleteFunc(s.states, func(_ string, st session.State) bool { return st.Spent(now) })
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
		case <-s.notes:
		case e := <-s.ended:
			if err := s.retire(e); err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}
