package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

func cancel(id, target string) order.Intent {
	return order.Intent{ID: id, Kind: order.KindCancel, Target: target, ExpiresAt: time.Now().Add(time.Minute)}
}

func replace(id, target, price string) order.Intent {
	return order.Intent{ID: id, Kind: order.KindReplace, Target: target, ExpiresAt: time.Now().Add(time.Minute),
		Order: &order.Order{LimitPrice: num(price)}}
}

func retry(id, of string) order.Intent {
	in := buy(id)
	in.RetryOf = of
	return in
}

func cancelAll(id string) order.Intent {
	return order.Intent{ID: id, Kind: order.KindCancelAll, ExpiresAt: time.Now().Add(time.Minute)}
}

func closePosition(id, symbol string) order.Intent {
	return order.Intent{ID: id, Kind: order.KindClosePosition, ExpiresAt: time.Now().Add(time.Minute),
		Order: &order.Order{Symbol: symbol}}
}

// want is what an outcome must say.
type want struct {
	status  order.Status
	message string
	recover bool
}

func (w want) check(t *testing.T, o order.Outcome) {
	t.Helper()
	if o.Status != w.status || !strings.Contains(o.Message, w.message) || o.Recovered != w.recover {
		t.Errorf("%s %s: %+v, wanted %+v", o.Kind, o.IntentID, o, w)
	}
}

// TestKinds sends scripts of intents of every kind.
func TestKinds(t *testing.T) {
	for _, tc := range []struct {
		name    string
		intents []order.Intent
		want    []want
		booked  string // ids and states at the broker
	}{
		{"cancel", []order.Intent{buy("a"), cancel("c", "a")},
			[]want{{status: order.Accepted}, {status: order.Accepted}}, "a:canceled"},
		{"cancel twice", []order.Intent{buy("a"), cancel("c", "a"), cancel("d", "a")},
			[]want{{status: order.Accepted}, {status: order.Accepted}, {status: order.Accepted, message: "the order is canceled"}}, "a:canceled"},
		{"cancel what never was", []order.Intent{cancel("c", "a")},
			[]want{{status: order.Rejected, message: "not found"}}, ""},
		{"replace", []order.Intent{buy("a"), replace("r", "a", "101")},
			[]want{{status: order.Accepted}, {status: order.Accepted}}, "a:replaced r:new"},
		{"replace a replacement by the first name", []order.Intent{buy("a"), replace("r", "a", "101"), replace("s", "a", "102")},
			[]want{{status: order.Accepted}, {status: order.Accepted}, {status: order.Accepted}}, "a:replaced r:replaced s:new"},
		{"cancel what was replaced", []order.Intent{buy("a"), replace("r", "a", "101"), cancel("c", "a")},
			[]want{{status: order.Accepted}, {status: order.Accepted}, {status: order.Accepted}}, "a:replaced r:canceled"},
		{"replace and cancel a retry", []order.Intent{retry("b", "a"), replace("r", "b", "101"), cancel("c", "b")},
			[]want{{status: order.Accepted}, {status: order.Accepted}, {status: order.Accepted}}, "a:replaced r:canceled"},
		{"cancel all", []order.Intent{buy("a"), buy("b"), cancelAll("c"), buy("d")},
			[]want{{status: order.Accepted}, {status: order.Accepted}, {status: order.Accepted, message: "2 orders"}, {status: order.Accepted}},
			"a:canceled b:canceled d:new"},
		{"close what is not held", []order.Intent{closePosition("p", "AAPL")},
			[]want{{status: order.Rejected, message: "position does not exist"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			r.work()
			for _, in := range tc.intents {
				r.publish("acme", in)
			}
			for i, o := range r.outcomes("acme", len(tc.intents)) {
				tc.want[i].check(t, o)
			}
			if got := r.books.states("acme"); got != tc.booked {
				t.Errorf("booked %q, wanted %q", got, tc.booked)
			}
		})
	}
}

// states are a tenant's orders and their states.
func (b *books) states(tenant string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, o := range b.booked {
		if t, id, _ := cutID(o.ClientOrderID); t == tenant {
			out = append(out, id+":"+o.Status)
		}
	}
	return strings.Join(out, " ")
}

// TestClosePosition: closing is an order of ours, opposite to the position.
func TestClosePosition(t *testing.T) {
	for _, tc := range []struct{ held, asked, side, qty string }{
		{"7.5", "", "sell", "7.5"},
		{"-3", "", "buy", "3"},
		{"10", "4", "sell", "4"},
		{"2", "3", "", ""}, // more than is held would open the opposite position
	} {
		t.Run(tc.held+" "+tc.asked, func(t *testing.T) {
			r := newRig(t)
			r.work()
			r.publish("acme", buy("a"))
			r.outcomes("acme", 1)
			r.books.mu.Lock()
			r.books.tenants["acme"].position = *num(tc.held)
			r.books.mu.Unlock()
			in := closePosition("p", "AAPL")
			if tc.asked != "" {
				in.Order.Qty = num(tc.asked)
			}
			r.publish("acme", in)
			o := r.outcomes("acme", 2)[1]
			if tc.side == "" {
				if o.Status != order.Blocked || o.Rule != "close_exceeds_position" {
					t.Errorf("outcome %+v", o)
				}
				return
			}
			if o.Status != order.Accepted || o.ClientOrderID != "acme.p" {
				t.Errorf("outcome %+v", o)
			}
			booked := r.books.booked[1]
			if string(booked.Side) != tc.side || !booked.Qty.Equal(*num(tc.qty)) || booked.Type != order.Market {
				t.Errorf("booked %+v", booked)
			}
		})
	}
}

// TestLostAnswers: for every kind, an answer that is lost after the broker acted ends
// in the same outcome, and the broker acts once.
func TestLostAnswers(t *testing.T) {
	for _, tc := range []struct {
		call   string
		intent order.Intent
		want   want
		booked string
	}{
		{"replace", replace("x", "a", "101"), want{status: order.Accepted, recover: true}, "a:replaced x:new"},
		{"cancel", cancel("x", "a"), want{status: order.Accepted, message: "the order is canceled", recover: true}, "a:canceled"},
		{"cancel_all", cancelAll("x"), want{status: order.Accepted, message: "0 orders"}, "a:canceled"},
	} {
		t.Run(tc.call, func(t *testing.T) {
			r := newRig(t)
			lost := false
			r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
				if call != tc.call || lost {
					return nil
				}
				lost = true
				book()
				return &broker.Verdict{Kind: broker.Unknown, Message: "connection reset"}
			}
			r.work()
			r.publish("acme", buy("a"))
			r.publish("acme", tc.intent)
			tc.want.check(t, r.outcomes("acme", 2)[1])
			if got := r.books.states("acme"); got != tc.booked {
				t.Errorf("booked %q, wanted %q", got, tc.booked)
			}
		})
	}
}

// TestNoOvertakingAfterACrash: until the outcome of a cancel-all, or of a rejection, is
// confirmed, nothing that follows is submitted: should the worker die there, doing it
// again would take the later order with it, or put the rejected one behind it.
func TestNoOvertakingAfterACrash(t *testing.T) {
	for _, first := range []order.Intent{cancelAll("x"), buy("x")} {
		t.Run(string(first.Kind), func(t *testing.T) {
			r := newRig(t)
			r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
				switch {
				case call == "place" && id == "acme.x":
					return &broker.Verdict{Kind: broker.Rejected, HTTPStatus: 403, Message: "no"}
				case call == "place" && id == "acme.next" && r.count("acme") != 1:
					t.Errorf("the next order is submitted with %d outcomes confirmed", r.count("acme"))
				}
				return nil
			}
			r.work()
			r.publish("acme", first)
			r.publish("acme", buy("next"))
			r.outcomes("acme", 2)
		})
	}
}

// TestDuplicateIDs: an id that a tenant uses again, after the server forgot it, ends as
// a duplicate of the first; another tenant's is its own.
func TestDuplicateIDs(t *testing.T) {
	r := newRig(t)
	r.work()
	first := r.publish("acme", buy("one"))
	r.publish("acme", buy("one"))
	r.publish("beta", buy("one"))
	got := r.outcomes("acme", 2)
	if got[1].Status != order.Duplicate || got[1].DuplicateOf != first {
		t.Errorf("outcome %+v", got[1])
	}
	if o := r.outcomes("beta", 1)[0]; o.Status != order.Accepted {
		t.Errorf("outcome %+v", o)
	}
	if ids := fmt.Sprint(r.books.ids("acme")); ids != "[one]" {
		t.Errorf("booked %s", ids)
	}
}

// TestRefusedWhileUnaccounted: a broker that refuses to be asked says nothing of a request
// that it may have carried out.
func TestRefusedWhileUnaccounted(t *testing.T) {
	r := newRig(t)
	lost := false
	r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
		switch {
		case call == "cancel":
			lost = true
			book()
			return &broker.Verdict{Kind: broker.Unknown, Message: "connection reset"}
		case lost:
			return &broker.Verdict{Kind: broker.Rejected, HTTPStatus: 403, Message: "forbidden."}
		}
		return nil
	}
	r.work()
	r.publish("acme", buy("a"))
	r.publish("acme", cancel("c", "a"))
	want{status: order.Failed, message: "refuses to be asked: HTTP 403 forbidden."}.check(t, r.outcomes("acme", 2)[1])
}
