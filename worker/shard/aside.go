package shard

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/session"
)

// aside is why a tenant has no session although it has work: one of
type aside struct {
	held   uint64    // it waits for a control behind this outcome
	paused bool      // it waits for other terms, or for wake, if that is not zero
	wake   time.Time // it waits for this moment, and others wanted its place
	// what it waits for until then, since when
	why   order.Why
	since time.Time
	terms *tenant.Terms // what its session worked under, which may not be what it was sent last
}

// takeBack takes from a session, which then ends, what it was given and did not end.
func (s *shard) takeBack(t *served, q session.Ask) {
	t.ending = true
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
	if q.Held > 0 || q.Paused || !q.Wake.IsZero() {
		s.aside[q.Tenant] = aside{q.Held, q.Paused, q.Wake, q.Why, q.Since, t.obeys}
	}
}

// stays says that a tenant whose session has ended is set aside.
func (s *shard) stays(name string, t *served) bool {
	a, ok := s.aside[name]
	switch {
	case !ok:
		return false
	case s.outdated(name, a): // they changed while the session ended
		delete(s.aside, name)
		return false
	case !a.wake.IsZero():
		s.arm(alarm{a.wake, name})
		return true
	case a.paused:
		return true
	case t.control > a.held: // it came while the session ended
		delete(s.aside, name)
		return false
	}
	return true
}

// arm sets an alarm. Those that were given up go when they are the greater part: a tenant may
// be paused until next week again and again.
func (s *shard) arm(a alarm) {
	if len(s.alarms) > 2*len(s.aside) {
		s.alarms = slices.DeleteFunc(s.alarms, func(a alarm) bool { return !s.aside[a.tenant].wake.Equal(a.at) })
		heap.Init(&s.alarms)
	}
	heap.Push(&s.alarms, a)
}

// control starts a session of a held tenant, which looks what the control says.
func (s *shard) control(ctx context.Context, e ledger.Entry) {
	if t := s.live[e.Tenant]; t != nil {
		t.control = e.Seq
		return
	}
	if a := s.aside[e.Tenant]; a.held > 0 && e.Seq > a.held {
		delete(s.aside, e.Tenant)
		s.admit(ctx, e.Tenant)
	}
}

// wake admits the tenants whose moment has come.
func (s *shard) wake(ctx context.Context, now time.Time) {
	for len(s.alarms) > 0 && !now.Before(s.alarms[0].at) {
		a := heap.Pop(&s.alarms).(alarm)
		if s.aside[a.tenant].wake.Equal(a.at) { // and not one that was given up
			delete(s.aside, a.tenant)
			s.admit(ctx, a.tenant)
		}
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

// alarm is when a tenant that is set aside waits no longer.
type alarm struct {
	at     time.Time
	tenant string
}

// alarms are a heap: the earliest one comes first.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)        { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}

// next is when the first alarm goes off; zero is never.
func (a alarms) next() time.Time {
	if len(a) == 0 {
		return time.Time{}
	}
	return a[0].at
}
