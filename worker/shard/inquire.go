package shard

import (
	"context"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
)

// desk is where operators' questions reach the shard. Goroutines of its own speak to the
// askers, so that the shard never waits for one.
type desk struct {
	calls  chan *inquiry.Call // nil: nobody can ask
	clerk  *clerk             // nil: there is none
	ctx    context.Context    // ends what it has done for askers
	closes context.CancelFunc
	closed sync.WaitGroup
}

// open opens the desk of a folded shard: from now on its owner is asked here, and its clerk
// works.
func (s *shard) open(ctx context.Context) {
	if !s.folded {
		return
	}
	d := &s.desk
	ctx, d.closes = context.WithCancel(ctx)
	d.ctx = ctx
	d.clerk = s.hire(ctx)
	if s.cfg.Conn == nil {
		return
	}
	d.calls = make(chan *inquiry.Call)
	owner := inquiry.Owner{Worker: s.cfg.Session.Worker, Shard: s.lease.Shard, Epoch: s.lease.Epoch}
	d.closed.Go(func() {
		if err := inquiry.Serve(ctx, s.cfg.Conn, owner, d.calls); err != nil {
			s.log.Warn().Err(err).Msg("operators cannot ask this shard's owner anything")
		}
	})
}

// close takes in no more questions, has those under way refused, and ends the clerk's work.
func (d *desk) close() {
	if d.closes != nil {
		d.closes()
	}
}

// wait waits until the desk is closed and every asker was told.
func (d *desk) wait() {
	if d.clerk != nil {
		d.clerk.work.Wait()
	}
	d.closed.Wait()
}

// inquire answers a question, or hands it to somebody who does. One that comes while another
// worker may own the shard is left to that one.
func (s *shard) inquire(c *inquiry.Call) {
	if until := s.lease.Until(); !until.IsZero() && !time.Now().Before(until) {
		c.Drop()
		return
	}
	if c.Verb == inquiry.Obey {
		s.attest(c)
		return
	}
	if shard := s.cfg.Session.Ledger.ShardOf(c.Tenant); shard != s.lease.Shard {
		c.Refuse(inquiry.WrongShard, "tenant %s is of shard %d", c.Tenant, shard)
		return
	}
	switch c.Verb {
	case inquiry.State:
		c.Answer(inquiry.Answer{State: s.stateOf(c.Tenant)})
	case inquiry.Reconcile:
		if s.desk.clerk == nil {
			c.Refuse(inquiry.Failed, "this worker reconciles nothing")
			return
		}
		s.desk.clerk.attend(c)
	case inquiry.Reseal:
		s.reseal(c)
	default:
		c.Refuse(inquiry.UnknownVerb, "this release does not know what %.32q asks", c.Verb)
	}
}

// stateOf is what the shard knows of a tenant.
func (s *shard) stateOf(name string) *inquiry.TenantState {
	st := &inquiry.TenantState{
		Phase:   s.phase(name),
		Read:    s.position,
		Waiting: s.fold.Waiting(name) + len(s.rest[name]),
		Doubts:  s.doubts[name].Intents,
	}
	first := func(seq uint64) {
		if seq != 0 && (st.First == 0 || seq < st.First) {
			st.First = seq
		}
	}
	first(s.fold.First(name))
	if rest := s.rest[name]; len(rest) > 0 {
		first(rest[0].Seq)
	}
	if g := s.gaps[name]; g != nil {
		st.From, st.Before = g.next, g.end
		first(g.next)
	}
	if t := s.live[name]; t != nil {
		st.Inbox, st.Given = len(t.inbox), t.taken
		if n := t.note; n.Why != "" {
			st.Why, st.Since, st.Until = n.Why, utc(n.Since), utc(n.Until)
		}
		first(t.pending())
	}
	if a, ok := s.aside[name]; ok {
		st.HeldBy, st.Why = a.held, a.why
		if st.Why != "" {
			st.Since, st.Until = utc(a.since), utc(a.wake)
		}
	}
	return st
}

// phase is the tenant's state as the package's documentation draws it.
func (s *shard) phase(name string) inquiry.Phase {
	t := s.live[name]
	_, aside := s.aside[name]
	switch {
	case t != nil && t.ending:
		return inquiry.Ending
	case t != nil && t.behind:
		return inquiry.Behind
	case t != nil:
		return inquiry.Live
	case aside:
		return inquiry.Aside
	case s.waiting.has(name):
		return inquiry.Waiting
	}
	return inquiry.Idle
}

// utc is a moment of the wall clock.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Round(0).UTC()
}
