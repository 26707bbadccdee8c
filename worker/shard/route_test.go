package shard

import (
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/worker/session"
)

// TestTurnGivesBack: a session that had its turn goes on if nobody waits; otherwise it ends,
// what is in its inbox is not lost, and its tenant queues up behind who waits.
func TestTurnGivesBack(t *testing.T) {
	s, _ := heldShard(t)
	q := session.Ask{Tenant: "acme", Turn: true, Rest: []session.Item{item(13), item(14)}}
	if a := s.answer(q); a.Verb != session.Live {
		t.Fatalf("answered %d, and nobody waits", a.Verb)
	}
	s.waiting.push("other")
	if a := s.answer(q); a.Verb != session.End {
		t.Fatalf("answered %d, and others wait", a.Verb)
	}
	if err := s.retire(ended{tenant: "acme"}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.waiting.names, []string{"other", "acme"}) {
		t.Errorf("in the queue are %v", s.waiting.names)
	}
	if got := s.allDue("acme"); !slices.Equal(got, []uint64{13, 14, 15, 17}) {
		t.Errorf("due are %v", got)
	}
}

// TestSetAsideUntil: a tenant that waits for a moment has no session before, whatever comes
// for it; what it has is in the shard's account; then it starts with its own state.
func TestSetAsideUntil(t *testing.T) {
	s, _ := heldShard(t)
	now := time.Now()
	doubt := session.Doubt{Intents: 1, Last: 12, Since: now}
	at := now.Add(time.Minute)
	if a := s.answer(session.Ask{Tenant: "acme", Wake: at, Doubt: doubt, Rest: []session.Item{item(12), item(13), item(14)}}); a.Verb != session.End {
		t.Fatalf("answered %d", a.Verb)
	}
	if err := s.retire(ended{tenant: "acme", inDoubt: doubt}); err != nil {
		t.Fatal(err)
	}
	s.folded = true
	if m := mark(s.undoneFirst(), s.position); m.Low != 12 || !slices.Equal(s.legacy().Tenants, []string{"acme"}) {
		t.Errorf("the next owner learns %+v, %+v", m, s.legacy())
	}
	s.cfg.MaxSessions = 0 // who may start waits for room
	if s.wake(t.Context(), at.Add(-time.Second)); s.waiting.len() > 0 || s.alarms.next() != at {
		t.Error("awake too early")
	}
	if s.wake(t.Context(), at); s.waiting.len() != 1 || len(s.aside) > 0 || len(s.alarms) > 0 {
		t.Error("not awake in time")
	}
	if got := s.allDue("acme"); !slices.Equal(got, []uint64{12, 13, 14, 15, 17}) || s.doubts["acme"] != doubt {
		t.Errorf("due are %v, in doubt %+v", got, s.doubts)
	}
}

// TestLeftBehind: a session that was told to end, and was abandoned before its last outcomes
// were confirmed, holds the low watermark back all the same.
func TestLeftBehind(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ending bool
		err    error
		low    uint64
	}{
		{"ended in peace", true, nil, 17}, // what it was given has its outcomes; 17 is in the fold
		{"told to end, abandoned", true, errTooSlow, 11},
		{"drained", false, nil, 11},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, one := heldShard(t)
			one.ending = tc.ending
			if err := s.retire(ended{tenant: "acme", err: tc.err}); err != nil {
				t.Fatal(err)
			}
			if low := mark(s.undoneFirst(), s.position).Low; low != tc.low {
				t.Errorf("low watermark %d, wanted %d", low, tc.low)
			}
		})
	}
}

// allDue takes all that is due of a tenant.
func (s *shard) allDue(name string) (seqs []uint64) {
	for due := s.due(name); len(due) > 0; due = s.due(name) {
		for _, d := range due {
			seqs = append(seqs, d.Seq)
		}
	}
	return seqs
}
