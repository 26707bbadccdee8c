package audit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestExcused: what only looks like a violation is none, and is counted as what it is.
func TestExcused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		tell  func(s *story) history.Stretch
		count func(r *audit.Report) int
	}{
		{"an intent with time left", func(s *story) history.Stretch { s.ask("a", "1", 1); return history.Stretch{} }, func(r *audit.Report) int { return r.Due }},
		{"one that waits behind it", func(s *story) history.Stretch {
			s.ask("a", "1", 1).body.(*order.Intent).ExpiresAt = s.now.Add(24 * time.Hour)
			s.accept(s.ask("b", "1", 1))
			second := s.ask("a", "2", 1)
			s.end(s.ask("b", "2", 1), order.Rejected)
			s.now = s.now.Add(time.Hour)
			_ = second
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Due - 1 }},
		{"a tenant that is held", func(s *story) history.Stretch {
			s.end(s.ask("a", "1", 1), order.Failed)
			s.ask("a", "2", 1)
			s.now = s.now.Add(time.Hour)
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Held }},
		{"an outcome behind the stretch", func(s *story) history.Stretch {
			in := s.ask("a", "1", 1)
			st := history.Stretch{To: in.Seq}
			s.accept(in)
			s.accept(s.ask("a", "2", 1))
			return st
		}, func(r *audit.Report) int { return r.Later }},
		{"an intent before the stretch", func(s *story) history.Stretch {
			in := s.ask("a", "1", 1)
			return history.Stretch{From: s.accept(in).Seq}
		}, func(r *audit.Report) int { return r.Earlier }},
		{"an export that ends before the outcome", func(s *story) history.Stretch {
			in := s.ask("a", "1", 1)
			s.extent = history.Extent{Stretch: history.Stretch{To: in.Seq}, AsOf: s.now.Add(time.Hour)}
			s.accept(in)
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Unknown }},
		{"an order of an intent before the stretch that is due", func(s *story) history.Stretch {
			in := s.ask("a", "1", 1)
			st := history.Stretch{From: s.accept(s.ask("b", "1", 1)).Seq + 1}
			s.now = s.now.Add(5 * time.Second)
			s.accept(s.ask("b", "2", 1))
			s.book(in)
			s.now = s.now.Add(5 * time.Second)
			return st
		}, func(r *audit.Report) int { return r.Orders }},
		{"an order of an intent before the export", func(s *story) history.Stretch {
			in := s.ask("a", "1", 1)
			s.extent = history.Extent{Stretch: history.Stretch{From: s.accept(s.ask("b", "1", 1)).Seq + 1}}
			s.accept(s.ask("b", "2", 1))
			s.book(in)
			s.now = s.now.Add(5 * time.Second)
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Unjudged }},
		{"somebody who trades beside the fleet", func(s *story) history.Stretch {
			in := s.ask("a", "1", 1)
			b := *s.book(in)
			s.end(in, order.Accepted)
			b.ClientOrderID = "by hand"
			s.bookings = append(s.bookings, &b)
			s.now = s.now.Add(5 * time.Second)
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Foreign }},
		{"an update before its outcome", func(s *story) history.Stretch {
			in := s.ask("a", "1", 1)
			s.book(in)
			s.say(in, "fill", 1, 1)
			s.end(in, order.Accepted)
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Updates }},
		{"updates of a failed intent, and of a leg", func(s *story) history.Stretch {
			in := s.ask("a", "1", 1)
			s.end(in, order.Failed)
			s.say(in, "new", 0, 0).body.(*order.Update).BrokerOrderID = "leg"
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Updates }},
		{"fills of a replacement that counts in what was filled before it", func(s *story) history.Stretch {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 2, 2)
			next := s.ask("a", "2", 9)
			s.accept(next)
			s.say(in, "replaced", 0, 2).body.(*order.Update).ReplacedBy = "order of a.2"
			s.say(next, "fill", 7, 9)
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Updates - 2 }},
		{"ends of replacements that count in what was filled before them", func(s *story) history.Stretch {
			in, next, last := s.ask("a", "1", 9), s.ask("a", "2", 9), s.ask("a", "3", 9)
			s.accept(in)
			s.say(in, "partial_fill", 2, 2)
			s.accept(next)
			s.say(in, "replaced", 0, 2).body.(*order.Update).ReplacedBy = "order of a.2"
			s.accept(last)
			s.say(next, "replaced", 0, 2).body.(*order.Update).ReplacedBy = "order of a.3"
			s.say(last, "partial_fill", 1, 3)
			s.say(last, "canceled", 0, 3)
			return history.Stretch{}
		}, func(r *audit.Report) int { return r.Updates - 4 }},
		{"the end of an order whose fills stand before the stretch, and of what replaced it", func(s *story) history.Stretch {
			in := s.ask("a", "1", 9)
			s.accept(in)
			st := history.Stretch{From: s.say(in, "partial_fill", 2, 2).Seq + 1}
			next := s.ask("a", "2", 9)
			s.accept(next)
			s.say(in, "replaced", 0, 2).body.(*order.Update).ReplacedBy = "order of a.2"
			s.say(next, "canceled", 0, 2)
			return st
		}, func(r *audit.Report) int { return r.Updates - 1 }},
		{"fills of an order before the stretch", func(s *story) history.Stretch {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 1, 1)
			return history.Stretch{From: s.say(in, "partial_fill", 1, 2).Seq}
		}, func(r *audit.Report) int { return r.Updates }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory()
			st := tc.tell(s)
			r := s.audited(t, st)
			if !r.OK() || tc.count(r) != 1 {
				t.Errorf("found %+v; counted %d: %+v", r.Findings, tc.count(r), r)
			}
		})
	}
}

// TestDigest: a digest stands for every byte that was read, and for the order.
func TestDigest(t *testing.T) {
	tell := func(change func(s *story)) string {
		s := newStory()
		s.accept(s.ask("a", "1", 1))
		s.accept(s.ask("a", "2", 1))
		change(s)
		return s.audited(t, history.Stretch{}).Digest
	}
	right := tell(func(*story) {})
	if again := tell(func(*story) {}); again != right {
		t.Errorf("a second reading has %s, the first %s", again, right)
	}
	for name, change := range map[string]func(s *story){
		"a byte":   func(s *story) { d := encoded(s.messages[2].body); d[len(d)/2] ^= 1; s.messages[2].body = d },
		"a time":   func(s *story) { s.messages[2].Time = s.messages[2].Time.Add(1) },
		"a tenant": func(s *story) { s.messages[2].Tenant = "b" },
		"a class":  func(s *story) { s.messages[2].Class = ledger.Updates },
		"a number": func(s *story) { s.messages[4].Seq++ },
		"one less": func(s *story) { s.messages = s.messages[:4] },
		"one more": func(s *story) { s.ask("a", "3", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			if tell(change) == right {
				t.Error("it is the same")
			}
		})
	}
}

// TestManyFindings: all are counted, not all are explained.
func TestManyFindings(t *testing.T) {
	s := newStory()
	for i := range 1500 {
		s.end(s.ask("a", fmt.Sprint(i), 1), order.Expired)
	}
	r, err := audit.Run(context.Background(), s, nil, history.Stretch{}, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if r.Print(&text); r.Violations[proof.Early] != 1500 || len(r.Findings) != 1000 || !strings.Contains(text.String(), "and 500 more") {
		t.Errorf("%d counted, %d explained", r.Violations[proof.Early], len(r.Findings))
	}
	if !strings.Contains(text.String(), "only the fleet's ledger was audited") {
		t.Error("it does not say that the broker was not asked")
	}
}

// TestQuietStretches: an order that nobody asked for is found in a stretch however little the
// ledger tells of it: behind its last message, before its first, and without any.
func TestQuietStretches(t *testing.T) {
	for _, tc := range []struct {
		name  string
		named []string // who is audited
		busy  bool     // another tenant has messages in the stretch
		since bool     // the stretch begins at a time
		until bool     // it ends at a time
		wants int
	}{
		{"behind the ledger's last message", nil, false, false, false, 1},
		{"without a message", nil, false, true, false, 1},
		{"without a message, and over", nil, false, true, true, 1},
		{"before the first message", nil, true, true, false, 1},
		{"of a tenant without one", []string{"a"}, true, true, true, 1},
		{"of another tenant", []string{"b"}, true, true, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory()
			in := s.ask("a", "1", 1)
			s.accept(in)
			due := s.ask("a", "due", 1)
			s.now = s.now.Add(10 * time.Second)
			st := history.Stretch{Tenants: tc.named}
			if tc.since {
				st.Since = s.now
			}
			s.now = s.now.Add(5 * time.Second)
			s.book(in).ClientOrderID = "a.ghost"
			s.book(due) // which stands before the stretch
			s.now = s.now.Add(5 * time.Second)
			if tc.busy {
				s.accept(s.ask("b", "1", 1))
			}
			s.now = s.now.Add(5 * time.Second)
			if tc.until {
				st.Until = s.now
				s.now = s.now.Add(time.Hour)
				s.ask("b", "2", 1)
			}
			r := s.audited(t, st)
			if r.Violations[proof.UnexplainedOrder] != tc.wants || r.Found() != tc.wants {
				t.Errorf("found %+v", r.Findings)
			}
		})
	}
}

// nameless is a story's broker that cannot tell whose accounts it has.
type nameless struct{ books }

func (nameless) Tenants(context.Context) ([]string, error) { return nil, nil }

// TestNamedTenantsAreCompared: who is audited by name is compared although neither the stretch
// nor the broker names it.
func TestNamedTenantsAreCompared(t *testing.T) {
	s := newStory()
	in := s.ask("a", "1", 1)
	s.accept(in)
	s.now = s.now.Add(10 * time.Second)
	st := history.Stretch{Tenants: []string{"a"}, Since: s.now}
	s.now = s.now.Add(5 * time.Second)
	s.book(in).ClientOrderID = "a.ghost"
	s.now = s.now.Add(5 * time.Second)
	r, err := audit.Run(t.Context(), s, nameless{books{s}}, st, audit.Options{})
	if err != nil || r.Violations[proof.UnexplainedOrder] != 1 {
		t.Errorf("%v: found %+v", err, r)
	}
}

// trimmed is a story of which nothing is left.
type trimmed struct{ *story }

func (trimmed) First(context.Context, int) (uint64, error) { return 100, nil }

// TestNothingFollowsFromATrimmedShard: orders of intents that left the ledger are not strange.
func TestNothingFollowsFromATrimmedShard(t *testing.T) {
	s := newStory()
	s.book(s.ask("a", "1", 1))
	s.now = s.now.Add(time.Hour)
	s.messages = nil
	for _, st := range []history.Stretch{{}, {Since: s.now}, {Tenants: []string{"a"}}} {
		r, err := audit.Run(t.Context(), trimmed{s}, books{s}, st, audit.Options{})
		if err != nil || !r.OK() {
			t.Errorf("%v: found %+v", err, r)
		}
	}
}
