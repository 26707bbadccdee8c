package shard

import (
	"slices"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/session"
)

// heldShard is a shard with a tenant that has a session, four intents of which it read, one
// more in its inbox, and one more in the fold.
func heldShard(t *testing.T) (*shard, *served) {
	t.Helper()
	s := &shard{
		cfg:      &Config{MaxSessions: 1},
		fold:     ledger.NewFold(0, 0),
		doubts:   make(map[string]session.Doubt),
		live:     make(map[string]*served),
		aside:    make(map[string]aside),
		rest:     make(map[string][]ledger.Due),
		states:   make(map[string]session.State),
		left:     make(map[string]uint64),
		position: 20,
	}
	terms := new(tenant.Terms)
	one := &served{terms: terms, obeys: terms, inbox: make(chan session.Item, session.InboxSize), first: 11, taken: 15}
	s.live["acme"] = one
	one.inbox <- item(15)
	s.apply(ledger.Entry{Class: ledger.Intents, Tenant: "acme", Seq: 17})
	return s, one
}

func item(seq uint64) session.Item {
	return session.Item{Intent: ledger.Entry{Class: ledger.Intents, Tenant: "acme", Seq: seq}}
}

// heldAt is the question of a session that is held since an outcome.
func heldAt(seq uint64) session.Ask {
	return session.Ask{Tenant: "acme", Held: seq, Rest: []session.Item{item(12), item(13), item(14)}}
}

// TestHeldGivesBack: what a held session was given is there again for the next one, in its
// order, before what came later; until then the low watermark stays before it.
func TestHeldGivesBack(t *testing.T) {
	s, _ := heldShard(t)
	if a := s.answer(heldAt(16)); a.Verb != session.End {
		t.Fatalf("answered %d", a.Verb)
	}
	if err := s.retire(ended{tenant: "acme"}); err != nil {
		t.Fatal(err)
	}
	if s.waiting.len() > 0 || len(s.live) > 0 {
		t.Error("a held tenant has a session, or waits for one")
	}
	if low := mark(s.undoneFirst(), s.position).Low; low != 12 {
		t.Errorf("low watermark %d, and intent 12 waits", low)
	}
	if got := s.allDue("acme"); !slices.Equal(got, []uint64{12, 13, 14, 15, 17}) {
		t.Errorf("due are %v", got)
	}
}

// TestControlIsNotMissed: a control that comes while a session finds out that its tenant is
// held, or while it ends, makes somebody look again.
func TestControlIsNotMissed(t *testing.T) {
	control := ledger.Entry{Class: ledger.Controls, Tenant: "acme", Seq: 18}

	t.Run("before the question", func(t *testing.T) {
		s, _ := heldShard(t)
		s.control(t.Context(), control)
		if a := s.answer(heldAt(16)); a.Verb != session.Live {
			t.Errorf("answered %d", a.Verb)
		}
		if a := s.answer(heldAt(16)); a.Verb != session.End { // it was no release
			t.Errorf("answered %d the second time", a.Verb)
		}
	})
	t.Run("before its outcome", func(t *testing.T) {
		s, _ := heldShard(t)
		s.control(t.Context(), control)
		if a := s.answer(heldAt(19)); a.Verb != session.End {
			t.Errorf("answered %d", a.Verb)
		}
	})
	t.Run("while the session ends", func(t *testing.T) {
		s, _ := heldShard(t)
		s.answer(heldAt(16))
		s.control(t.Context(), control)
		if err := s.retire(ended{tenant: "acme"}); err != nil {
			t.Fatal(err)
		}
		if _, held := s.aside["acme"]; held || s.waiting.len() != 1 {
			t.Error("nobody looks again")
		}
	})
	t.Run("an old one after it", func(t *testing.T) {
		s, _ := heldShard(t)
		s.answer(heldAt(19))
		if err := s.retire(ended{tenant: "acme"}); err != nil {
			t.Fatal(err)
		}
		s.control(t.Context(), control)
		if _, held := s.aside["acme"]; !held {
			t.Error("released by a control before the outcome")
		}
	})
}
