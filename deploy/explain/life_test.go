package explain_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/explain"
	"github.com/orderfleet/orderfleet/shared/order"
)

var rewrite = flag.Bool("rewrite", false, "write the expected screens anew")

func quiet(string, int, int) {}

// lives are ledgers written by hand, each with something to explain in it.
var lives = []struct {
	name  string
	what  string // asked for
	write func(*book)
}{
	{"first-try", "one", func(b *book) {
		b.epoch(1, "worker-1")
		in := buy("one")
		in.Labels = map[string]string{"strategy": "momentum", "desk": "7"}
		seq := b.intent("acme", "ann@desk7 rebalancer", in)
		b.after(22).accept("acme", "one", seq)
	}},
	{"trouble", "acme.two", func(b *book) {
		seq := b.intent("acme", "", buy("two"))
		b.after(12_070)
		b.outcome("acme", 12_069, order.Outcome{
			IntentID: "two", IntentSeq: seq, Kind: order.KindOrder, Status: order.Accepted, BrokerOrderID: "broker-two", Recovered: true,
			HTTPStatus: 200, RequestID: "r3", Attempts: 2, Submitted: b.before(10_060), Answered: b.before(10),
			Course: &order.Course{
				Tries: []order.Try{
					{Call: order.CallPlace, At: b.before(12_068), Ended: b.before(12_060), Verdict: order.VerdictRetryAfter, HTTPStatus: 429, RequestID: "r1", Problem: "too many requests"},
					{Call: order.CallPlace, At: b.before(10_060), Ended: b.before(60), Verdict: order.VerdictUnknown, Problem: "no answer within 10s"},
					{Call: order.CallLookup, At: b.before(20), Ended: b.before(10), Verdict: order.VerdictFound, HTTPStatus: 200, RequestID: "r3"},
				},
				Waits: []order.Wait{
					{Why: order.WhyRateLimit, From: b.before(12_060), Until: b.before(10_060), Aside: true},
					{Why: order.WhyBackOff, From: b.before(60), Until: b.before(20)},
				},
			},
		})
	}},
	{"many-tries", "many", func(b *book) {
		seq := b.intent("acme", "bot", buy("many"))
		c := new(order.Course)
		for i := range 30 {
			at := b.after(1000).now
			c.Tried(order.Try{Call: order.CallPlace, At: at, Ended: at.Add(time.Millisecond), Verdict: order.VerdictUnsent, Problem: "connection refused"})
			if i == 0 {
				c.Waited(order.Wait{Why: "a_reason_of_tomorrow", From: at.Add(time.Millisecond), Until: at.Add(time.Second)})
			}
		}
		b.after(31_000).outcome("acme", 60_000, order.Outcome{IntentID: "many", IntentSeq: seq, Kind: order.KindOrder, Status: order.Expired,
			Message: "its time ran out before the request was written; the last problem: connection refused", Course: c})
	}},
	{"refused-by-a-rule", "#1", func(b *book) {
		seq := b.intent("acme", "ann@desk7 producer", order.Intent{ID: "close", Kind: order.KindClosePosition, Order: &order.Order{Symbol: "AAPL", Qty: num("9")}})
		b.after(5).outcome("acme", 4, order.Outcome{IntentID: "close", IntentSeq: seq, Kind: order.KindClosePosition, Status: order.Blocked,
			Rule: "close_exceeds_position", Message: "order.qty: 9 is more than the position of 3"})
	}},
	{"refused-by-a-limit", "#1", func(b *book) {
		seq := b.intent("acme", "ann@desk7 producer", buy("much"))
		b.after(5).outcome("acme", 4, order.Outcome{IntentID: "much", IntentSeq: seq, Kind: order.KindOrder, Status: order.Blocked,
			Rule: "orders_per_minute", Message: "limit 60, this would be 61"})
	}},
	{"malformed", "#1", func(b *book) {
		b.put(1, "acme", []byte("{\"id\":\"\x1b[2J\",\"qty\""), nil, nil)
		b.after(3).outcome("acme", 2, order.Outcome{IntentSeq: 1, Status: order.Invalid, Message: "is not JSON at byte 17: unexpected EOF"})
	}},
	{"held", "later", func(b *book) {
		bad := b.intent("acme", "bot", buy("bad"))
		b.after(10)
		seq := b.intent("acme", "bot", buy("later"))
		b.after(40_000).outcome("acme", 40_000, order.Outcome{IntentID: "bad", IntentSeq: bad, Kind: order.KindOrder, Status: order.Failed, Attempts: 1,
			Message: "it may have been booked, and the broker could not be asked until 30s after its expiry"})
		b.after(15_000).release("acme", "the order is not there")
		b.after(25).accept("acme", "later", seq)
	}},
	{"dropped", "bad", func(b *book) {
		bad := b.intent("acme", "bot", buy("bad"))
		b.after(40_000).outcome("acme", 40_000, order.Outcome{IntentID: "bad", IntentSeq: bad, Kind: order.KindOrder, Status: order.Failed, Attempts: 1, Message: "it may have been booked"})
		b.after(15_000).control("acme", order.Control{Verb: order.Drop, IntentID: "bad", Reason: "the market is closed"})
		b.control("acme", order.Control{Verb: order.Drop, IntentID: "another", Reason: "no matter"})
	}},
	{"taken-over", "one", func(b *book) {
		b.epoch(1, "worker-0")
		seq := b.intent("acme", "bot", buy("one"))
		b.after(1_500).epoch(2, "worker-1")
		b.after(30).outcome("acme", 29, order.Outcome{IntentID: "one", IntentSeq: seq, Kind: order.KindOrder, Status: order.Accepted, Epoch: 2,
			BrokerOrderID: "broker-one", HTTPStatus: 200, Recovered: true, Answered: b.before(2)})
	}},
	{"whole-life", "broker-one", func(b *book) {
		first := b.intent("acme", "bot", buy("one"))
		b.after(31_000).outcome("acme", 30_999, order.Outcome{IntentID: "one", IntentSeq: first, Kind: order.KindOrder, Status: order.Failed, Attempts: 1,
			Submitted: b.before(30_990), Message: "it may have been booked: no answer"})
		again := buy("retry-1")
		again.RetryOf, again.Labels = "one", map[string]string{"retry_by": "ann", "retry_reason": "the broker is back"}
		second := b.after(60_000).intent("acme", "ann@desk7 fleetctl", again)
		b.after(22).outcome("acme", 21, order.Outcome{IntentID: "retry-1", IntentSeq: second, Kind: order.KindOrder, Status: order.Accepted, ClientOrderID: "acme.one",
			BrokerOrderID: "broker-one", HTTPStatus: 200, Recovered: true, Answered: b.before(1)})
		third := b.after(100).intent("acme", "bot", buy("one"))
		b.after(2).outcome("acme", 1, order.Outcome{IntentID: "one", IntentSeq: third, Status: order.Duplicate, DuplicateOf: first, Message: "the id was used before, by intent 1"})
		change := b.after(100).intent("acme", "bot", order.Intent{ID: "up", Kind: order.KindReplace, Target: "one", Order: &order.Order{LimitPrice: num("190")}})
		b.after(40).outcome("acme", 39, order.Outcome{IntentID: "up", IntentSeq: change, Kind: order.KindReplace, Status: order.Rejected, Message: "order is not open", Submitted: b.before(20), Answered: b.before(1), HTTPStatus: 422})
		b.update("acme", order.Update{Event: "partial_fill", ClientOrderID: "acme.one", BrokerOrderID: "broker-one", Qty: num("1"), Price: num("187.4"), FilledQty: num("1"), OrderStatus: "partially_filled"})
		b.update("other", order.Update{Event: "fill", ClientOrderID: "other.one", BrokerOrderID: "b", FilledQty: num("7")})
		b.after(2_000)
		end := b.intent("acme", "bot", order.Intent{ID: "stop", Kind: order.KindCancel, Target: "retry-1"})
		b.after(15).outcome("acme", 14, order.Outcome{IntentID: "stop", IntentSeq: end, Kind: order.KindCancel, Status: order.Accepted, ClientOrderID: "acme.one", BrokerOrderID: "broker-one", HTTPStatus: 204})
		b.after(1).update("acme", order.Update{Event: "canceled", IntentID: "one", ClientOrderID: "4f1c-of-the-broker", BrokerOrderID: "leg-1", Symbol: "AAPL", Side: order.Sell, OrderStatus: "canceled"})
		b.after(30).update("acme", order.Update{Event: "canceled", ClientOrderID: "acme.one", BrokerOrderID: "broker-one", FilledQty: num("1"), OrderStatus: "canceled"})
	}},
	{"not-done", "two", func(b *book) {
		bad := b.intent("acme", "bot", buy("bad"))
		b.after(40_000).outcome("acme", 40_000, order.Outcome{IntentID: "bad", IntentSeq: bad, Kind: order.KindOrder, Status: order.Failed, Message: "look"})
		b.intent("acme", "bot", buy("one"))
		b.intent("acme", "bot", buy("two"))
		b.after(100).epoch(7, "worker-7")
	}},
	{"retention", "gone", func(b *book) {
		b.outcome("acme", 20, order.Outcome{IntentID: "gone", IntentSeq: 41, Kind: order.KindOrder, Status: order.Accepted, BrokerOrderID: "b",
			Published: b.before(30), Submitted: b.before(19), Answered: b.before(1), HTTPStatus: 200})
	}},
}

// TestScreens holds what people see of lives against what they should.
func TestScreens(t *testing.T) {
	for _, tc := range lives {
		t.Run(tc.name, func(t *testing.T) {
			b := newBook()
			tc.write(b)
			life, err := explain.Read(t.Context(), b, "acme", tc.what, quiet)
			if err != nil {
				t.Fatal(err)
			}
			var screen bytes.Buffer
			if err := life.Print(&screen, false); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", tc.name+".txt")
			if *rewrite {
				if err := os.WriteFile(file, screen.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(screen.Bytes(), want) {
				t.Errorf("got\n%s\nwanted\n%s", screen.Bytes(), want)
			}
		})
	}
}

// TestNames: a life is found by whatever its order, or one of its intents, is called.
func TestNames(t *testing.T) {
	for _, what := range []string{"one", "acme.one", "broker-one", "retry-1", "#1", "#3", "#5", "acme.retry-1", "leg-1"} {
		b := newBook()
		for _, l := range lives {
			if l.name == "whole-life" {
				l.write(b)
			}
		}
		life, err := explain.Read(t.Context(), b, "acme", what, quiet)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if life.ClientOrderID != "acme.one" || len(life.Intents) != 3 || life.Status != order.Accepted || life.OrderStatus != "canceled" || life.Waiting != nil {
			t.Errorf("%s: %+v", what, life)
		}
	}
}

// TestNoSuchLife: the error of what is not there helps to find what was meant.
func TestNoSuchLife(t *testing.T) {
	b := newBook()
	b.accept("acme", "one", b.intent("acme", "bot", buy("one")))
	for _, tc := range []struct{ tenant, what, says string }{
		{"acme", "two", "its last one of 1 is intent one"},
		{"nobody", "one", "no intent at all there"},
		{"acme", "nobody.one", "is tenant nobody's"},
		{"acme", "#9", `"#9"`},
		{"acme", "a\x1b[2Jb", "a\uFFFD[2Jb"},
	} {
		_, err := explain.Read(t.Context(), b, tc.tenant, tc.what, quiet)
		if !errors.Is(err, explain.ErrNone) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s %s: %v", tc.tenant, tc.what, err)
		}
	}
	if _, err := explain.Read(t.Context(), b, "a.b", "one", quiet); err == nil || errors.Is(err, explain.ErrNone) {
		t.Errorf("a name that can be none: %v", err)
	}
}
