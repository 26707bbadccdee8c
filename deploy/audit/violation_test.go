package audit_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestViolations plants a violation of every kind, one at a time: each is found, as what it is
// and where it is, and nothing else is.
func TestViolations(t *testing.T) {
	planted := map[proof.Rule]bool{}
	for _, tc := range []struct {
		name  string
		rule  proof.Rule
		plant func(s *story) (about *message) // nil: about an order alone
	}{
		{"an intent passed over", proof.MissingOutcome, func(s *story) *message {
			lost := s.ask("a", "1", 1)
			s.accept(s.ask("a", "2", 1))
			return lost
		}},
		{"the last intent forgotten", audit.Overdue, func(s *story) *message {
			lost := s.ask("a", "1", 1)
			s.now = s.now.Add(time.Hour)
			return lost
		}},
		{"an unreadable intent forgotten", audit.Overdue, func(s *story) *message {
			lost := s.tell(ledger.Intents, "a", []byte("{"))
			s.now = s.now.Add(time.Hour)
			return lost
		}},
		{"a second outcome", proof.SecondOutcome, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.accept(in)
			return s.end(in, order.Expired)
		}},
		{"a second outcome, later", proof.SecondOutcome, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.accept(in)
			s.accept(s.ask("a", "2", 1))
			return s.end(in, order.Accepted)
		}},
		{"a second outcome of a malformed intent", proof.SecondOutcome, func(s *story) *message {
			in := s.tell(ledger.Intents, "a", []byte("{"))
			o := &order.Outcome{IntentSeq: in.Seq, Status: order.Invalid, Worker: s.worker(), Epoch: s.epoch}
			s.tell(ledger.Outcomes, "a", o)
			s.accept(s.ask("a", "2", 1))
			return s.tell(ledger.Outcomes, "a", o)
		}},
		{"an outcome of no intent", proof.StrayOutcome, func(s *story) *message {
			o := s.accept(s.ask("a", "1", 1))
			s.accept(s.ask("a", "2", 1))
			stray := *o.body.(*order.Outcome)
			stray.IntentSeq = o.Seq
			return s.tell(ledger.Outcomes, "a", &stray)
		}},
		{"an outcome of another tenant's intent", proof.StrayOutcome, func(s *story) *message {
			in := s.ask("a", "1", 1)
			o := &order.Outcome{IntentID: "1", IntentSeq: in.Seq, Status: order.Expired, Worker: s.worker(), Epoch: s.epoch}
			stray := s.tell(ledger.Outcomes, "b", o)
			s.accept(in)
			return stray
		}},
		{"an id used twice", proof.Repeated, func(s *story) *message {
			s.accept(s.ask("a", "1", 1))
			return s.end(s.ask("a", "1", 1), order.Rejected)
		}},
		{"an outcome out of order", proof.OutcomeOrder, func(s *story) *message {
			one, two := s.ask("a", "1", 1), s.ask("a", "2", 1)
			s.now = s.now.Add(time.Second)
			s.book(one)
			s.accept(two)
			return s.end(one, order.Accepted)
		}},
		{"an owner of before", proof.Fenced, func(s *story) *message {
			s.own()
			s.accept(s.ask("a", "1", 1))
			o := s.accept(s.ask("a", "2", 1))
			o.body.(*order.Outcome).Worker, o.body.(*order.Outcome).Epoch = "w1", 1
			return o
		}},
		{"an epoch of two workers", proof.SharedEpoch, func(s *story) *message {
			o := s.accept(s.ask("a", "1", 1))
			o.body.(*order.Outcome).Worker = "another"
			return o
		}},
		{"an epoch begun by two workers", proof.SharedEpoch, func(s *story) *message {
			return s.tell(ledger.Epochs, "", &ledger.Epoch{Epoch: 1, Worker: "another"})
		}},
		{"an epoch that had not begun", proof.Unannounced, func(s *story) *message {
			o := s.accept(s.ask("a", "1", 1))
			o.body.(*order.Outcome).Epoch = 2
			return o
		}},
		{"another id", proof.Misnamed, func(s *story) *message {
			o := s.accept(s.ask("a", "1", 1))
			o.body.(*order.Outcome).IntentID = "x"
			return o
		}},
		{"another client order id", proof.Misnamed, func(s *story) *message {
			o := s.accept(s.ask("a", "1", 1))
			o.body.(*order.Outcome).ClientOrderID = "a.x"
			return o
		}},
		{"a retry under an id of its own", proof.Misnamed, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.end(in, order.Failed)
			again := s.ask("a", "2", 1)
			again.body.(*order.Intent).RetryOf = "1"
			o := s.accept(again)
			o.body.(*order.Outcome).ClientOrderID = "a.2"
			return o
		}},
		{"no duplicate", proof.Misnamed, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.accept(in)
			o := s.end(s.ask("a", "2", 1), order.Duplicate)
			o.body.(*order.Outcome).DuplicateOf = in.Seq
			return o
		}},
		{"a duplicate of nothing", proof.Misnamed, func(s *story) *message {
			s.accept(s.ask("a", "1", 1))
			return s.end(s.ask("a", "1", 1), order.Duplicate)
		}},
		{"expired early", proof.Early, func(s *story) *message { return s.end(s.ask("a", "1", 1), order.Expired) }},
		{"written late", proof.Stale, func(s *story) *message {
			o := s.accept(s.ask("a", "1", 1))
			o.body.(*order.Outcome).Submitted = s.now.Add(time.Hour)
			return o
		}},
		{"taken late", proof.Stale, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.now = s.now.Add(time.Hour)
			s.book(in)
			o := s.end(in, order.Accepted)
			o.body.(*order.Outcome).Submitted = time.Time{}
			return o
		}},
		{"nothing invalid", proof.NeverInvalid, func(s *story) *message { return s.end(s.ask("a", "1", 1), order.Invalid) }},
		{"two orders", proof.SecondOrder, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.book(in)
			return s.accept(in)
		}},
		{"one order for two", proof.SharedOrder, func(s *story) *message {
			s.accept(s.ask("a", "1", 1))
			again := s.ask("a", "2", 1)
			again.body.(*order.Intent).RetryOf = "1"
			s.end(again, order.Accepted)
			// The retry is excused, this one is not: it names the order of the first.
			third := s.ask("a", "3", 1)
			third.body.(*order.Intent).ID = "1"
			return s.end(third, order.Accepted)
		}},
		{"orders out of order", proof.BookingOrder, func(s *story) *message {
			one, two := s.ask("a", "1", 1), s.ask("a", "2", 1)
			s.book(two)
			s.book(one)
			s.end(one, order.Accepted)
			s.end(two, order.Accepted)
			return one
		}},
		{"no order", proof.MissingOrder, func(s *story) *message { return s.end(s.ask("a", "1", 1), order.Accepted) }},
		{"another order", proof.OtherOrder, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.book(in).OrderID = "another"
			return s.end(in, order.Accepted)
		}},
		{"another quantity", proof.OtherOrder, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.book(in).Qty = "2"
			return s.end(in, order.Accepted)
		}},
		{"another side", proof.OtherOrder, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.book(in).Side = "sell"
			return s.end(in, order.Accepted)
		}},
		{"a denied order", proof.DeniedOrder, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.book(in)
			return s.end(in, order.Rejected)
		}},
		{"an order that nobody asked for", proof.UnexplainedOrder, func(s *story) *message {
			in := s.ask("a", "1", 1)
			b := *s.book(in)
			s.end(in, order.Accepted)
			b.ClientOrderID = "a.x"
			s.now = s.now.Add(time.Minute)
			s.bookings = append(s.bookings, &b)
			return nil
		}},
		{"an order on the account of another", proof.OtherAccount, func(s *story) *message {
			in := s.ask("a", "1", 1)
			b := *s.book(in)
			s.end(in, order.Accepted)
			b.Account = "b"
			s.bookings = append(s.bookings, &b)
			return nil
		}},
		{"accepted before it was", proof.Premature, func(s *story) *message {
			in := s.ask("a", "1", 1)
			o := s.end(in, order.Accepted)
			s.now = s.now.Add(30 * time.Second)
			s.book(in)
			return o
		}},
		{"an unreadable outcome", audit.Unreadable, func(s *story) *message { return s.tell(ledger.Outcomes, "a", []byte("{")) }},
		{"an unreadable update", audit.Unreadable, func(s *story) *message { return s.tell(ledger.Updates, "a", []byte("{")) }},
		{"an unreadable control", audit.Unreadable, func(s *story) *message { return s.tell(ledger.Controls, "a", []byte("{")) }},
		{"an unreadable epoch", audit.Unreadable, func(s *story) *message { return s.tell(ledger.Epochs, "", []byte("{")) }},
		{"an update of a rejected order", audit.StrayEvent, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.end(in, order.Rejected)
			return s.say(in, "new", 0, 0)
		}},
		{"an update of nothing", audit.StrayEvent, func(s *story) *message {
			return s.tell(ledger.Updates, "a", &order.Update{Event: "new", BrokerOrderID: "x"})
		}},
		{"a lost fill", audit.LostFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 1, 1)
			return s.say(in, "partial_fill", 2, 5)
		}},
		{"the first fill lost", audit.LostFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			return s.say(in, "partial_fill", 2, 5)
		}},
		{"a lost fill that was written late", audit.LostFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 1, 1)
			gap := s.say(in, "partial_fill", 2, 5)
			s.say(in, "canceled", 0, 5)
			s.say(in, "partial_fill", 2, 3).body.(*order.Update).Late = true
			return gap
		}},
		{"an end that states more than the fills", audit.LostFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 2, 2)
			return s.say(in, "canceled", 0, 4)
		}},
		{"an end that states more than no fill", audit.LostFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			return s.say(in, "expired", 0, 4)
		}},
		{"an end that states more, of which a late fill tells", audit.LostFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 2, 2)
			end := s.say(in, "canceled", 0, 4)
			s.say(in, "partial_fill", 2, 4).body.(*order.Update).Late = true
			return end
		}},
		{"a replacement that ends with more than was filled before it", audit.LostFill, func(s *story) *message {
			in, next := s.ask("a", "1", 9), s.ask("a", "2", 9)
			s.accept(in)
			s.say(in, "partial_fill", 2, 2)
			s.accept(next)
			s.say(in, "replaced", 0, 2).body.(*order.Update).ReplacedBy = "order of a.2"
			return s.say(next, "canceled", 0, 3)
		}},
		{"a fill twice, the second one late", audit.SecondFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 2, 2)
			s.say(in, "partial_fill", 2, 4)
			again := s.say(in, "partial_fill", 2, 2)
			again.body.(*order.Update).Late = true
			return again
		}},
		{"a fill late behind the end", audit.SecondFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 2, 2)
			s.say(in, "canceled", 0, 0).body.(*order.Update).FilledQty = nil
			s.say(in, "partial_fill", 2, 4).body.(*order.Update).Late = true
			again := s.say(in, "partial_fill", 2, 4)
			again.body.(*order.Update).Late = true
			return again
		}},
		{"a fill twice", audit.SecondFill, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "partial_fill", 1, 1)
			return s.say(in, "partial_fill", 1, 1)
		}},
		{"the last fill twice", audit.SecondFill, func(s *story) *message {
			in := s.ask("a", "1", 1)
			s.accept(in)
			s.say(in, "fill", 1, 1)
			return s.say(in, "fill", 1, 1)
		}},
		{"a fill behind the end", audit.AfterEnd, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "canceled", 0, 0)
			return s.say(in, "fill", 1, 1)
		}},
		{"ended twice", audit.AfterEnd, func(s *story) *message {
			in := s.ask("a", "1", 9)
			s.accept(in)
			s.say(in, "fill", 9, 9)
			return s.say(in, "canceled", 0, 9)
		}},
	} {
		planted[tc.rule] = true
		t.Run(tc.name, func(t *testing.T) {
			s := newStory()
			s.accept(s.ask("z", "1", 1)) // something that is well
			about := tc.plant(s)
			s.accept(s.ask("z", "2", 1))
			r := s.audited(t, history.Stretch{})
			want := map[proof.Rule]int{tc.rule: 1}
			if tc.name == "one order for two" { // it is the repeat of an id as well
				want[proof.Repeated] = 1
			}
			if !maps.Equal(r.Violations, want) || r.OK() {
				t.Fatalf("found %v, not %v: %+v", r.Violations, want, r.Findings)
			}
			f := r.Findings[slices.IndexFunc(r.Findings, func(f audit.Finding) bool { return f.Rule == tc.rule })]
			if about != nil && !slices.Contains(f.Seqs, about.Seq) {
				t.Errorf("it is about %d, not %v: %s", about.Seq, f.Seqs, f.Says)
			}
			var text strings.Builder
			if r.Print(&text); !strings.Contains(text.String(), string(tc.rule)) || !strings.Contains(text.String(), f.Says) {
				t.Errorf("it is not printed:\n%s", text.String())
			}
		})
	}
	for _, l := range audit.Rules {
		if !planted[l.Rule] {
			t.Errorf("nothing plants %s", l.Rule)
		}
	}
}
