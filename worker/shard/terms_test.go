package shard

import (
	"context"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/session"
)

// single is a registry that knows one tenant, and hears nothing of the server.
type single struct {
	terms   *tenant.Terms
	changed chan struct{}
}

func (r *single) Terms(string) *tenant.Terms { return r.terms }
func (r *single) Revision() uint64           { return r.terms.Revision }
func (r *single) Changed() <-chan struct{}   { return r.changed }
func (r *single) Sync(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// under are terms with a switch that is over in so long; 0 is never.
func under(revision uint64, m tenant.Mode, over time.Duration) *tenant.Terms {
	s := tenant.Switch{Mode: m}
	if over > 0 {
		s.Until = time.Now().Add(over)
	}
	return &tenant.Terms{Revision: revision, Switches: []tenant.Switch{s}}
}

// TestTermsWhileSetAside: who waits since it is paused looks again as soon as it may have to
// wait no longer, or until another moment: whenever the terms come.
func TestTermsWhileSetAside(t *testing.T) {
	for _, tc := range []struct {
		name          string
		before, after *tenant.Terms
		again         bool
	}{
		{"runs", under(1, tenant.Pause, 0), under(2, tenant.Run, 0), true},
		{"is halted", under(1, tenant.Pause, 0), under(2, tenant.Halt, 0), true},
		{"is paused for a time", under(1, tenant.Pause, 0), under(2, tenant.Pause, time.Hour), true},
		{"is paused for less", under(1, tenant.Pause, time.Hour), under(2, tenant.Pause, time.Minute), true},
		{"is paused for ever", under(1, tenant.Pause, time.Hour), under(2, tenant.Pause, 0), true},
		{"is paused again", under(1, tenant.Pause, 0), under(2, tenant.Pause, 0), false},
		{"no change", under(1, tenant.Pause, 0), under(1, tenant.Pause, 0), false},
	} {
		for _, when := range []string{"before it asks", "while it ends", "later"} {
			t.Run(tc.name+" "+when, func(t *testing.T) {
				s, one := heldShard(t)
				s.cfg.MaxSessions, s.complained = 0, time.Now() // who is admitted waits for room
				registry := &single{terms: tc.before}
				s.terms.registry = registry
				one.terms, one.obeys, one.changes = tc.before, tc.before, make(chan *tenant.Terms, 1)
				steps := []func(){
					func() {
						s.answer(session.Ask{Tenant: "acme", Paused: true, Wake: tc.before.Switches[0].Until, Rest: []session.Item{item(12)}})
					},
					func() {
						if err := s.retire(ended{tenant: "acme"}); err != nil {
							t.Fatal(err)
						}
					},
				}
				change := func() { registry.terms = tc.after; s.renew(t.Context(), false) }
				switch when {
				case "before it asks": // it has not taken them
					change()
					steps[0]()
					steps[1]()
				case "while it ends":
					steps[0]()
					change()
					steps[1]()
				default:
					steps[0]()
					steps[1]()
					change()
				}
				if _, aside := s.aside["acme"]; s.waiting.has("acme") != tc.again || aside == tc.again {
					t.Errorf("it looks again: %t, is set aside: %t", s.waiting.has("acme"), aside)
				}
			})
		}
	}
}

// TestAlarmsGivenUp: pauses that are taken off before their end leave nothing behind.
func TestAlarmsGivenUp(t *testing.T) {
	s, one := heldShard(t)
	s.cfg.MaxSessions, s.complained = 0, time.Now() // who is admitted waits for room
	registry := &single{terms: one.terms}
	s.terms.registry = registry
	for i := range uint64(100) {
		registry.terms = under(2*i+1, tenant.Pause, time.Duration(100-i)*time.Hour)
		s.live["acme"] = &served{terms: registry.terms, obeys: registry.terms}
		s.answer(session.Ask{Tenant: "acme", Paused: true, Wake: registry.terms.Switches[0].Until, Rest: []session.Item{item(12)}})
		if err := s.retire(ended{tenant: "acme"}); err != nil {
			t.Fatal(err)
		}
		if len(s.alarms) > 3 || !s.alarms.next().Equal(registry.terms.Switches[0].Until) {
			t.Fatalf("%d alarms for one tenant, the first at %s", len(s.alarms), s.alarms.next())
		}
		registry.terms = under(2*i+2, tenant.Run, 0)
		s.renew(t.Context(), false)
	}
}

// TestManyChanges: a shard does nothing else than to look for changed terms only for a part of
// its time, however many there are; and it misses none.
func TestManyChanges(t *testing.T) {
	s, one := heldShard(t)
	registry := &single{terms: under(1, tenant.Run, 0), changed: make(chan struct{})}
	s.terms.registry = registry
	one.changes = make(chan *tenant.Terms, 1)
	s.renew(t.Context(), true)
	if s.terms.changed != nil || s.terms.rested == nil {
		t.Error("it looks for other changes at once")
	}
	close(registry.changed)
	registry.terms = under(2, tenant.Halt, 0)
	<-s.terms.rested
	s.terms.goOn()
	select {
	case <-s.terms.changed:
	default:
		t.Fatal("what changed meanwhile is missed")
	}
	s.renew(t.Context(), true)
	if s.terms.seen != 2 || one.terms != registry.terms {
		t.Errorf("seen is %d, the session has %+v", s.terms.seen, one.terms)
	}
}

// TestDrainsWithoutTerms: a shard that cannot learn of its tenants' terms serves nobody, and can
// be given up.
func TestDrainsWithoutTerms(t *testing.T) {
	s, _ := heldShard(t)
	s.terms.registry = &single{terms: under(1, tenant.Run, 0)}
	draining := make(chan struct{})
	s.lease.Draining = draining
	close(draining)
	if ok, err := s.agree(t.Context()); ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
}

// TestTardyIsFound: a shard obeys once the last of its sessions does, whoever that is, and those
// that end meanwhile are not waited for.
func TestTardyIsFound(t *testing.T) {
	s, _ := heldShard(t)
	delete(s.live, "acme")
	terms := under(2, tenant.Halt, 0)
	for _, name := range []string{"a", "b", "c", "d"} {
		s.live[name] = &served{terms: terms, obeys: under(1, tenant.Run, 0)}
	}
	for left := 4; left > 0; left-- {
		if s.obeyed() {
			t.Fatalf("%d have not obeyed, and all did", left)
		}
		switch one := s.live[s.terms.tardy]; left {
		case 4:
			one.obeys = terms
		case 3:
			one.ending = true
		case 2:
			delete(s.live, s.terms.tardy)
		default:
			one.obeys = terms
		}
	}
	if !s.obeyed() {
		t.Errorf("all have obeyed; missing are %v", s.missing())
	}
}
