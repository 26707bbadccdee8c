package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/reconcile"
	"github.com/shopspring/decimal"
)

// TestCompare: each way in which broker and ledger can differ is found, and called by its
// name; what only looks like one is not.
func TestCompare(t *testing.T) {
	for _, tc := range []struct {
		name string
		tell func(h *history) // after an order that is wholly filled
		want []string
	}{
		{"nothing", func(*history) {}, nil},
		{"an order by hand", func(h *history) {
			h.shows(record("b2", "8f1c", "AAPL", order.Buy, "filled", "3"))
			h.account.Positions[0].Qty = num("13")
		}, []string{"position_off AAPL 10 13", "foreign_order b2"}},
		{"an order of another tenant's id", func(h *history) {
			h.shows(record("b2", "other.one", "AAPL", order.Buy, "new", "0"))
		}, []string{"foreign_order b2"}},
		{"an order that no intent asked for", func(h *history) {
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "new", "0"))
		}, []string{"unasked_order b2"}},
		{"one of which a follower told", func(h *history) {
			h.fill("b2", "AAPL", order.Buy, "3", "3", true)
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "filled", "3"))
			h.account.Positions[0].Qty = num("13")
		}, []string{"unasked_order b2"}},
		{"one of which a follower told a part", func(h *history) {
			h.fill("b2", "AAPL", order.Buy, "1", "1", false)
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "partially_filled", "3"))
			h.account.Positions[0].Qty = num("13")
		}, []string{"missing_fill b2 1 3", "unasked_order b2"}},
		{"a second order, of which a follower told", func(h *history) {
			h.fill("b2", "AAPL", order.Buy, "3", "3", true)
			h.shows(record("b2", "acme.one", "AAPL", order.Buy, "filled", "3"))
			h.account.Positions[0].Qty = num("13")
		}, []string{"second_order b2"}},
		{"an order whose intent waits, of which a follower told", func(h *history) {
			h.ask("two", "AAPL", order.Buy, "3")
			h.fill("b2", "AAPL", order.Buy, "3", "3", true)
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "filled", "3"))
			h.account.Positions[0].Qty = num("13")
		}, nil},
		{"an order despite its outcome, of which a follower told", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "3"), "two", order.Failed, "")
			h.fill("b2", "AAPL", order.Buy, "3", "3", true)
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "filled", "3"))
			h.account.Positions[0].Qty = num("13")
		}, []string{"order_despite_outcome b2"}},
		{"a second order under one id", func(h *history) {
			h.shows(record("b2", "acme.one", "AAPL", order.Buy, "new", "0"))
		}, []string{"second_order b2"}},
		{"an order whose intent waits", func(h *history) {
			h.ask("two", "AAPL", order.Buy, "1")
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "new", "0"))
		}, nil},
		{"an order despite its outcome", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "1"), "two", order.Failed, "")
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "new", "0"))
		}, []string{"order_despite_outcome b2"}},
		{"a failed intent that was driven again", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "1"), "two", order.Failed, "")
			data, err := order.EncodeIntent(order.Intent{ID: "again", RetryOf: "two", Kind: order.KindOrder, ExpiresAt: noon, Order: &order.Order{Symbol: "AAPL"}})
			seq := h.put(1, data, err)
			h.end(seq, "again", order.Accepted, "b2")
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "new", "0"))
		}, nil},
		{"an id used twice", func(h *history) {
			h.end(h.ask("one", "AAPL", order.Buy, "10"), "one", order.Duplicate, "")
		}, nil},
		{"an order that is not there", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "1"), "two", order.Accepted, "b2")
			h.account.Absent = []string{"b2"}
		}, []string{"missing_order b2"}},
		{"the last fill is missing", func(h *history) { h.entries = h.entries[:3] },
			[]string{"missing_fill b1 4 10"}},
		{"all fills are missing", func(h *history) { h.entries = h.entries[:2] },
			[]string{"missing_fill b1 0 10"}},
		{"a fill that the broker does not show", func(h *history) {
			h.account.Orders[0].Status, h.account.Orders[0].FilledQty = "partially_filled", num("4")
			h.account.Positions[0].Qty = num("4")
		}, []string{"contrary_end b1", "excess_fill b1 10 4"}},
		{"a cancel is missing", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "5"), "two", order.Accepted, "b2")
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "canceled", "0"))
		}, []string{"missing_end b2"}},
		{"a fill and the cancel after it are missing", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "5"), "two", order.Accepted, "b2")
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "canceled", "2"))
			h.account.Positions[0].Qty = num("12")
		}, []string{"missing_end b2", "missing_fill b2 0 2"}},
		{"another end", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "5"), "two", order.Accepted, "b2")
			h.update(order.Update{Event: order.EventCanceled, BrokerOrderID: "b2", Symbol: "AAPL", Side: order.Buy, At: noon})
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "expired", "0"))
		}, []string{"contrary_end b2"}},
		{"less than was bought", func(h *history) { h.account.Positions[0].Qty = num("9.5") },
			[]string{"position_off AAPL 10 9.5"}},
		{"nothing of what was bought", func(h *history) { h.account.Positions = nil },
			[]string{"position_off AAPL 10 0"}},
		{"a position from nowhere", func(h *history) { h.holds("TSLA", "-2") },
			[]string{"position_off TSLA 0 -2"}},
		{"a short position", func(h *history) {
			h.end(h.ask("two", "TSLA", order.Sell, "2"), "two", order.Accepted, "b2")
			h.fill("b2", "TSLA", order.Sell, "2", "2", true)
			h.shows(record("b2", "acme.two", "TSLA", order.Sell, "filled", "2"))
			h.holds("TSLA", "-2")
		}, nil},
		{"a coin", func(h *history) {
			h.end(h.ask("two", "BTC/USD", order.Buy, "0.5"), "two", order.Accepted, "b2")
			h.fill("b2", "BTC/USD", order.Buy, "0.5", "0.5", true)
			h.shows(record("b2", "acme.two", "BTC/USD", order.Buy, "filled", "0.5"))
			h.holds("BTCUSD", "0.5")
		}, nil},
		{"a fill that stands twice", func(h *history) { h.fill("b1", "AAPL", order.Buy, "6", "10", true) }, nil},
		{"a fill before the last one is missing", func(h *history) { h.entries = slices.Delete(h.entries, 2, 3) },
			[]string{"missing_fill b1 6 10"}},
		{"the leg of a bracket", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "1"), "two", order.Accepted, "b2")
			h.update(order.Update{Event: order.EventFill, BrokerOrderID: "b2", IntentID: "two", Symbol: "AAPL", Side: order.Buy,
				Qty: ptr(num("1")), FilledQty: ptr(num("1")), Legs: []string{"b3", "b4"}, At: noon})
			parent := record("b2", "acme.two", "AAPL", order.Buy, "filled", "1")
			parent.Nested = []broker.Record{
				record("b3", "made-up-3", "AAPL", order.Sell, "filled", "1"), record("b4", "made-up-4", "AAPL", order.Sell, "held", "0"),
			}
			h.shows(parent)
		}, []string{"missing_fill b3 0 1"}},
		{"an order of several legs", func(h *history) {
			one, two := num("1"), num("2")
			data, err := order.EncodeIntent(order.Intent{ID: "two", Kind: order.KindOrder, ExpiresAt: noon, Order: &order.Order{
				Qty: &two, OrderClass: order.MultiLeg, Type: order.Market, TimeInForce: order.Day, Legs: []order.Leg{
					{Symbol: "AAPL260320C00200000", RatioQty: &one, Side: order.Buy}, {Symbol: "AAPL260320C00210000", RatioQty: &two, Side: order.Sell},
				},
			}})
			h.end(h.put(1, data, err), "two", order.Accepted, "b2")
			h.fill("b2", "", "", "2", "2", true)
			whole := record("b2", "acme.two", "", "", "filled", "2")
			whole.OrderClass = order.MultiLeg
			whole.Nested = []broker.Record{record("b3", "x", "AAPL260320C00200000", order.Buy, "filled", "2")}
			h.shows(whole)
			h.holds("AAPL260320C00200000", "2")
			h.holds("AAPL260320C00210000", "-4")
		}, nil},
		{"a successor that counts its forerunner's fills in", func(h *history) {
			h.end(h.ask("two", "AAPL", order.Buy, "5"), "two", order.Accepted, "b2")
			h.fill("b2", "AAPL", order.Buy, "2", "2", false)
			h.update(order.Update{Event: order.EventReplaced, BrokerOrderID: "b2", Symbol: "AAPL", Side: order.Buy, ReplacedBy: "b3", FilledQty: ptr(num("2")), At: noon})
			h.shows(record("b2", "acme.two", "AAPL", order.Buy, "replaced", "2"))
			next := record("b3", "by-hand", "AAPL", order.Buy, "new", "2")
			next.Replaces = "b2"
			h.shows(next)
			h.account.Inherited = map[string]decimal.Decimal{"b3": num("2")}
			h.account.Positions[0].Qty = num("12")
		}, nil},
		{"what was before the ledger began", func(h *history) {
			h.account.Told = noon.Add(1)
			h.shows(record("b0", "acme.old", "AAPL", order.Buy, "filled", "5"))
			h.account.Positions[0].Qty = num("15")
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := bought(t)
			tc.tell(h)
			if got := differences(h); !slices.Equal(got, tc.want) {
				t.Errorf("found %q, wanted %q", got, tc.want)
			}
		})
	}
}

// TestWhoAndWhere: a difference says whose it is, and where the ledger tells of it.
func TestWhoAndWhere(t *testing.T) {
	h := bought(t)
	h.entries = h.entries[:3]
	all := reconcile.Compare(h.book(), &h.account)
	if len(all) != 1 {
		t.Fatalf("found %+v", all)
	}
	d := all[0]
	if d.IntentID != "one" || d.IntentSeq != 1 || d.OutcomeSeq != 2 || d.UpdateSeq != 3 || d.ClientOrderID != "acme.one" || d.Symbol != "AAPL" ||
		!strings.Contains(d.Message, "fills of 6") {
		t.Errorf("%+v", d)
	}
}

// TestByHand: a position that orders by hand made differ is reported as such.
func TestByHand(t *testing.T) {
	h := bought(t)
	h.shows(record("b2", "8f1c", "AAPL", order.Sell, "filled", "3"))
	h.account.Positions[0].Qty = num("7")
	all := reconcile.Compare(h.book(), &h.account)
	if len(all) != 2 || !strings.Contains(all[0].Message, "3 less") || !strings.Contains(all[0].Message, "made -3 of it") {
		t.Errorf("%+v", all)
	}
}

// TestStable: what one of two comparisons shows alone was under way.
func TestStable(t *testing.T) {
	four, ten := num("4"), num("10")
	d := func(kind inquiry.DifferenceKind, id string, found string) inquiry.Difference {
		q := num(found)
		return inquiry.Difference{Kind: kind, BrokerOrderID: id, Expected: &four, Found: &q}
	}
	first := []inquiry.Difference{d(inquiry.MissingFill, "b1", "10"), d(inquiry.MissingFill, "b2", "10"), d(inquiry.MissingFill, "b3", "5")}
	second := []inquiry.Difference{d(inquiry.MissingFill, "b1", "10.0"), d(inquiry.MissingEnd, "b2", "10"), d(inquiry.MissingFill, "b3", "6")}
	both := reconcile.Stable(first, second)
	if len(both) != 1 || both[0].BrokerOrderID != "b1" || !both[0].Found.Equal(ten) {
		t.Errorf("stable are %+v", both)
	}
}
