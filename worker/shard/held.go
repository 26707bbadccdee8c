package shard

import (
	"context"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/worker/session"
)

// hold takes back what a held session was given and did not begin. Its intents wait, and
// it has no session, until a control comes.
func (s *shard) hold(t *tenant, q session.Ask) {
	t.ending = true
	s.held[q.Tenant] = q.Held
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
