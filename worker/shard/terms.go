package shard

import (
	"context"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/session"
)

// Registry says under which terms tenants trade. Safe for concurrent use.
type Registry interface {
	// Terms are a tenant's as of now; never nil, and never changed.
	Terms(name string) *tenant.Terms
	// Revision is that of the last change: it and all before it are in the terms.
	Revision() uint64
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
	// Sync waits until every change that was made before it was called is in the terms.
	Sync(ctx context.Context) error
}

// terms is what the shard knows of its tenants' terms.
type terms struct {
	registry Registry        // nil: there are no terms
	changed  <-chan struct{} // nil for a while after a change, until rested
	rested   <-chan time.Time
	next     <-chan struct{} // what changed is then
	seen     uint64          // the revision that the sessions were told of
	// confirm are operators' questions whether terms are obeyed, which were not yet: at least
	// by the session of tardy.
	confirm []attested
	tardy   string
}

// attested is such a question, since when.
type attested struct {
	call *inquiry.Call
	at   time.Time
}

// attestPatience is for how long an operator waits before being told who does not obey yet.
const attestPatience = 2 * time.Second

// of are a tenant's terms as of now.
func (x *terms) of(name string) *tenant.Terms {
	if x.registry == nil {
		return new(tenant.Terms)
	}
	return x.registry.Terms(name)
}

// agree brings the terms up to date before the shard's first session, so that it begins with
// nothing that the owner before had given up. Trouble that passes is waited for as long as
// the lease lasts; false if it drains before.
func (s *shard) agree(ctx context.Context) (bool, error) {
	x := &s.terms
	if x.registry == nil {
		return true, nil
	}
	x.changed = x.registry.Changed()
	for {
		synced, err := s.sync(ctx)
		x.seen = x.registry.Revision()
		if err == nil || ctx.Err() != nil || !ledger.Transient(err) {
			return synced, err
		}
		s.log.Warn().Err(err).Msg("the shard cannot read its tenants' terms; trying again")
		select {
		case <-time.After(termsPause):
		case <-s.lease.Draining:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// sync waits until the registry has every change; false if the lease drains before: a registry
// that is cut off may have none for long.
func (s *shard) sync(ctx context.Context) (bool, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	synced := make(chan struct{})
	var err error
	go func() {
		defer close(synced)
		err = s.terms.registry.Sync(ctx)
	}()
	select {
	case <-synced:
		return err == nil, err
	case <-s.lease.Draining:
		end()
		<-synced
		return false, nil
	}
}

// termsPause is between two tries to read the terms.
const termsPause = 100 * time.Millisecond

// renewals is the part of its time that a shard looks through its tenants for those whose terms
// changed, at most: somebody may import ten thousand while they trade.
const renewals = 0.1

// renew sends changed terms to the sessions that they concern, and lets go on who waited under
// other ones.
func (s *shard) renew(ctx context.Context, draining bool) {
	x, began := &s.terms, time.Now()
	defer func() {
		x.rested = time.After(time.Duration(float64(time.Since(began)) * (1/renewals - 1)))
	}()
	x.changed, x.next = nil, x.registry.Changed() // before the terms are read: what changes from now on is another change
	x.seen = x.registry.Revision()
	for name, t := range s.live {
		t.renew(x.of(name))
	}
	if draining {
		return
	}
	s.following.renew(x)
	for name, a := range s.aside {
		if t := s.live[name]; t == nil && s.outdated(name, a) {
			delete(s.aside, name)
			s.admit(ctx, name)
		}
	}
}

// goOn looks for changes again: for those since the last ones, too.
func (x *terms) goOn() { x.changed, x.rested = x.next, nil }

// outdated says that what a tenant was set aside for may be no reason any more, by its terms.
func (s *shard) outdated(name string, a aside) bool {
	terms := s.terms.of(name)
	switch {
	case terms.Revision == a.terms.Revision:
		return false
	case a.held > 0: // other settings may hold it no longer
		return terms.Line != a.terms.Line
	case a.paused: // it may be until another moment
		hand, _ := terms.Hand(time.Now())
		return hand.Mode != tenant.Pause || !hand.Until.IsZero() || !a.wake.IsZero()
	}
	return true
}

// renew sends a session its tenant's terms, if they are other ones than it was given.
func (t *served) renew(terms *tenant.Terms) {
	if terms.Revision == t.terms.Revision {
		return
	}
	t.terms = terms
	select {
	case <-t.changes: // those it did not take are no longer of use
	default:
	}
	t.changes <- terms
}

// noted takes in what a session says of itself.
func (t *served) noted(n session.Note) {
	if n.Obeys == nil {
		t.note = n
		return
	}
	t.obeys, t.open = n.Obeys, n.Open
}

// attest answers, once it is so, that every session of the shard obeys the terms of a revision.
func (s *shard) attest(c *inquiry.Call) {
	if s.terms.registry == nil {
		c.Refuse(inquiry.Failed, "this worker knows of no terms")
		return
	}
	c.Take()
	s.terms.confirm = append(s.terms.confirm, attested{c, time.Now()})
}

// confirm answers the questions whose answer is known: yes, or that it takes too long.
func (s *shard) confirm() {
	x := &s.terms
	if len(x.confirm) == 0 {
		return
	}
	obeyed := s.obeyed()
	x.confirm = slices.DeleteFunc(x.confirm, func(a attested) bool {
		if (x.seen < a.call.Revision || !obeyed) && time.Since(a.at) < attestPatience {
			return false
		}
		a.call.Answer(inquiry.Answer{Obeyed: &inquiry.Obeyed{
			Revision: x.seen, Sessions: len(s.live), Missing: few(s.missing()), Open: few(s.unanswered()),
		}})
		return true
	})
}

// obeyed says that every session has taken over the terms that it was sent. It is asked after
// whatever happens in the shard, which may have ten thousand sessions: as long as one has not,
// it looks at no other one.
func (s *shard) obeyed() bool {
	if t := s.live[s.terms.tardy]; t != nil && t.late() {
		return false
	}
	for name, t := range s.live {
		if t.late() {
			s.terms.tardy = name
			return false
		}
	}
	return true
}

// missing are the tenants whose sessions have not yet.
func (s *shard) missing() (names []string) {
	for name, t := range s.live {
		if t.late() {
			names = append(names, name)
		}
	}
	return names
}

// late says that a session has not yet taken over the terms that it was sent. One that ends
// makes no request any more.
func (t *served) late() bool { return !t.ending && t.obeys != t.terms }

// unanswered are the tenants that may not trade now, and of which an earlier request has no
// answer: it may still reach the broker.
func (s *shard) unanswered() (names []string) {
	now := time.Now()
	stopped := func(name string) bool {
		mode := s.terms.of(name).Mode(now)
		return mode == tenant.Pause || mode == tenant.Halt
	}
	for name, t := range s.live {
		if t.open && stopped(name) {
			names = append(names, name)
		}
	}
	for name := range s.doubts {
		if t := s.live[name]; (t == nil || !t.open) && stopped(name) {
			names = append(names, name)
		}
	}
	return names
}

// few are the first of some names, in order.
func few(names []string) []string {
	slices.Sort(names)
	return names[:min(len(names), inquiry.MaxNames)]
}
