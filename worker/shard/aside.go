package shard

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/worker/session"
)

// wait is a tenant without a session that may make no request before a moment.
type wait struct {
	until  time.Time
	state  *session.State
	queued bool // it is over, and the tenant waits for a place
}

// wakeInterval is how often a shard looks whose wait is over.
const wakeInterval = 50 * time.Millisecond

// setAside takes back what a session was given and did not end. Its tenant has no session
// until a control comes, if it is held, or its wait is over.
func (s *shard) setAside(t *tenant, q session.Ask) {
	t.ending = true
	if q.Held > 0 {
		s.held[q.Tenant] = q.Held
	} else {
		s.waits[q.Tenant] = wait{until: q.Until, state: q.State}
	}
	items := q.Rest
	for len(t.inbox) > 0 {
		if it := <-t.inbox; it.Signal == session.None {
			items = append(items, it)
		}
	}
	var rest []ledger.Due
	for _, it := range items { // but for their messages, which can be read again
		rest = append(rest, ledger.Due{Seq: it.Intent.Seq, First: it.First})
	}
	if rest = append(rest, s.rest[q.Tenant]...); len(rest) > 0 {
		s.rest[q.Tenant] = rest
	}
}

// isAside says that a tenant without a session is to have none now.
func (s *shard) isAside(name string) bool {
	_, held := s.held[name]
	w, waits := s.waits[name]
	return held || waits && !w.queued
}

// wake queues the tenants whose wait is over.
func (s *shard) wake(ctx context.Context, now time.Time) {
	for name, w := range s.waits {
		if w.queued || now.Before(w.until) || s.live[name] != nil {
			continue
		}
		w.queued = true // it keeps its state until it has a session
		s.waits[name] = w
		s.admit(ctx, name)
	}
}

// control starts a session of a held tenant, which looks what the control says.
func (s *shard) control(ctx context.Context, e ledger.Entry) {
	if t := s.live[e.Tenant]; t != nil {
		t.control = e.Seq
		return
	}
	if at, held := s.held[e.Tenant]; held && e.Seq > at {
		delete(s.held, e.Tenant)
		s.admit(ctx, e.Tenant)
	}
}

// due is the next window of a tenant's waiting intents.
func (s *shard) due(name string) []ledger.Due {
	rest := s.rest[name]
	if len(rest) == 0 {
		return s.fold.Take(name, session.Window)
	}
	n := min(len(rest), session.Window)
	if s.rest[name] = rest[n:]; n == len(rest) {
		delete(s.rest, name)
	}
	return rest[:n]
}
