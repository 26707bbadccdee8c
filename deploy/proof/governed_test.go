package proof

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// governed is a clean history of two more tenants, c under limits and d under a switch:
//
//	c: one, two accepted, hasty blocked (2 a second), three accepted, many blocked (3 a minute),
//	   large blocked (5 shares), full blocked (3 open)
//	d: before accepted, halted from 300 on: late blocked, sweep a cancel; again accepted behind it;
//	   paused from 400 on: waiter accepted behind it, brief expired meanwhile;
//	   reduce-only from 500 on: grow blocked, shrink accepted
type governed struct {
	*History
	seq uint64
}

func govern(h *History) *governed {
	g := &governed{History: h, seq: 1000}
	qty := decimal.NewFromInt(5)
	h.Limits = map[string]tenant.Limits{"c": {OrdersPerSecond: 2, OrdersPerMinute: 3, OpenOrders: 3, MaxQty: &qty}}
	h.Open = map[string]int{"c": 3}
	for i, mode := range []tenant.Mode{tenant.Halt, tenant.Pause, tenant.ReduceOnly} {
		at := 300 + 100*i
		h.Stops = append(h.Stops, Stop{Tenant: "d", Mode: mode, Written: after(at), Confirmed: after(at + 1), Lifted: after(at + 10), Over: after(at + 11)})
	}
	g.accept("c", "one", 200, 202)
	g.accept("c", "two", 200, 202)
	g.block("c", "hasty", 200, 202, "orders_per_second")
	g.accept("c", "three", 203, 203)
	g.block("c", "many", 204, 205, "orders_per_minute")
	g.block("c", "large", 206, 206, "max_qty")
	g.intent("large").Order.Qty = buy("5.01").Qty
	g.block("c", "full", 280, 280, "open_orders")

	g.accept("d", "before", 299, 300)
	g.outcome("before").At = after(306) // the ledger was slow
	g.block("d", "late", 302, 303, "halted")
	g.accept("d", "sweep", 302, 304)
	g.intent("sweep").Kind, g.intent("sweep").Target, g.intent("sweep").Order = order.KindCancel, "before", nil
	g.outcome("sweep").Kind = order.KindCancel
	drop(&h.Bookings, len(h.Bookings)-1)
	drop(&h.Arrivals, len(h.Arrivals)-1)
	g.accept("d", "again", 305, 312)
	g.accept("d", "waiter", 402, 411)
	g.accept("d", "brief", 403, 405)
	*g.outcome("brief") = Outcome{Tenant: "d", Seq: g.outcome("brief").Seq, At: after(405), Outcome: order.Outcome{
		IntentID: "brief", IntentSeq: g.intent("brief").Seq, Status: order.Expired, Epoch: 2,
	}}
	g.intent("brief").ExpiresAt = after(405)
	drop(&h.Bookings, len(h.Bookings)-1)
	drop(&h.Arrivals, len(h.Arrivals)-1)
	g.block("d", "grow", 502, 503, "reduce_only")
	g.accept("d", "shrink", 502, 504)
	g.intent("shrink").Order.Side, g.booking("shrink").Side = order.Sell, "sell"
	return g
}

// accept has an order published, booked and accepted, at some seconds.
func (g *governed) accept(tenant, id string, published, booked int) {
	g.seq++
	in := Intent{Tenant: tenant, Seq: g.seq, At: after(published)}
	in.ID, in.Kind, in.ExpiresAt, in.Order = id, order.KindOrder, after(2000), buy("1")
	g.Intents = append(g.Intents, in)
	name := order.ClientOrderID(tenant, id)
	g.Arrivals = append(g.Arrivals, Arrival{Account: tenant, Method: "POST", ClientOrderID: name, Status: 200, Time: after(booked)})
	g.Bookings = append(g.Bookings, Booking{
		Account: tenant, ClientOrderID: name, OrderID: "at-broker-" + id, Symbol: "AAPL", Side: "buy", Type: "limit", Qty: "1", Received: after(booked),
	})
	g.end(order.Outcome{Status: order.Accepted, ClientOrderID: name, BrokerOrderID: "at-broker-" + id}, booked)
}

// block has an order published and blocked.
func (g *governed) block(tenant, id string, published, blocked int, rule string) {
	g.seq++
	in := Intent{Tenant: tenant, Seq: g.seq, At: after(published)}
	in.ID, in.Kind, in.ExpiresAt, in.Order = id, order.KindOrder, after(2000), buy("1")
	g.Intents = append(g.Intents, in)
	g.end(order.Outcome{Status: order.Blocked, Rule: rule, Received: after(blocked)}, blocked)
}

func (g *governed) end(o order.Outcome, at int) {
	in := &g.Intents[len(g.Intents)-1]
	o.IntentID, o.IntentSeq, o.Kind, o.Epoch = in.ID, in.Seq, in.Kind, 2
	g.seq++
	g.Outcomes = append(g.Outcomes, Outcome{Tenant: in.Tenant, Seq: g.seq, At: after(at), Outcome: o})
}

func find[T any](all []T, is func(*T) bool) *T {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	panic("there is none")
}

func (g *governed) intent(id string) *Intent {
	return find(g.Intents, func(in *Intent) bool { return in.ID == id })
}

func (g *governed) outcome(id string) *Outcome {
	return find(g.Outcomes, func(o *Outcome) bool { return o.IntentID == id })
}

func (g *governed) arrival(id string) *Arrival {
	return find(g.Arrivals, func(a *Arrival) bool { return a.ClientOrderID == a.Account+"."+id })
}

func (g *governed) booking(id string) *Booking {
	return find(g.Bookings, func(b *Booking) bool { return b.ClientOrderID == b.Account+"."+id })
}

func (g *governed) stop(mode tenant.Mode) *Stop {
	return find(g.Stops, func(s *Stop) bool { return s.Mode == mode })
}

// limit changes the limits of c.
func (g *governed) limit(change func(l *tenant.Limits)) {
	l := g.Limits["c"]
	change(&l)
	g.Limits["c"] = l
}

// governedFaults each break one rule of a clean governed history.
var governedFaults = []fault{
	{"an order of a halted tenant", func(h *History) { govern(h).arrival("before").Time = after(302) },
		Unstopped, "a request for d.before arrived 1s after halt of its tenant was confirmed"},
	{"an order of a paused tenant", func(h *History) { govern(h).arrival("waiter").Time = after(409) },
		Unstopped, "a request for d.waiter arrived 8s after pause"},
	{"an order that was said to be under way, much later", func(h *History) {
		g := govern(h)
		g.arrival("before").Time, g.stop(tenant.Halt).Open, h.Slack = after(304), true, 2*time.Second
	}, Unstopped, "a request for d.before arrived 3s after halt"},
	{"an order behind one that was said to be under way", func(h *History) {
		g := govern(h)
		g.arrival("waiter").Time, g.stop(tenant.Pause).Open, h.Slack = after(402), true, 2*time.Second
	}, Unstopped, "a request for d.waiter arrived 1s after pause"},
	{"a purchase under reduce-only", func(h *History) {
		g := govern(h)
		g.intent("shrink").Order.Side, g.booking("shrink").Side, g.outcome("shrink").At = order.Buy, "buy", after(510)
	}, Unstopped, "a request for d.shrink arrived 3s after reduce_only"},
	{"a larger purchase under reduce-only", func(h *History) {
		g := govern(h)
		in := g.intent("shrink")
		in.Kind, in.Target, in.Order, g.booking("shrink").Side, g.outcome("shrink").At = order.KindReplace, "again", &order.Order{Qty: in.Order.Qty}, "buy", after(510)
	}, Unstopped, "a request for d.shrink arrived 3s after reduce_only"},
	{"accepted although halted", func(h *History) {
		g := govern(h)
		g.outcome("again").At, g.arrival("again").Time, g.booking("again").Received = after(306), after(301), after(301)
	}, Unheeded, "was published 4s after halt was confirmed, and ended as accepted 4s before"},
	{"accepted although paused", func(h *History) {
		g := govern(h)
		g.outcome("waiter").At, g.arrival("waiter").Time, g.booking("waiter").Received = after(404), after(401), after(401)
	}, Unheeded, "ended as accepted 6s before"},
	{"refused although paused", func(h *History) {
		g := govern(h)
		g.outcome("brief").Status, g.outcome("brief").Rule = order.Blocked, "credit"
	}, Unheeded, "ended as blocked 5s before"},
	{"halted before it was written", func(h *History) { govern(h).outcome("late").At = after(299) }, NeverBlocked, `of d was blocked by "halted"`},
	{"halted after it was over", func(h *History) {
		g := govern(h)
		g.intent("late").At, g.outcome("late").At, g.outcome("late").Received = after(312), after(313), after(312)
	}, NeverBlocked, `of d was blocked by "halted"`},
	{"refused by a switch of another mode", func(h *History) { govern(h).outcome("late").Rule = "reduce_only" }, NeverBlocked, `of d was blocked by "reduce_only"`},
	{"more orders in a second than may be", func(h *History) {
		govern(h).booking("three").Received = after(202).Add(-time.Nanosecond)
	}, Exceeded, "orders_per_second of c is 2, and the broker's ledger shows 3"},
	{"more orders in a minute than may be", func(h *History) {
		g := govern(h)
		g.accept("c", "four", 262, 262)
		g.booking("four").Received = after(262).Add(-time.Nanosecond)
		g.limit(func(l *tenant.Limits) { l.OpenOrders = 0 })
		g.outcome("full").Status = order.Expired
		g.intent("full").ExpiresAt = after(280)
	}, Exceeded, "orders_per_minute of c is 3, and the broker's ledger shows 4"},
	{"a larger order than may be", func(h *History) {
		g := govern(h)
		g.intent("three").Order.Qty, g.booking("three").Qty = buy("5.01").Qty, "5.01"
	}, Exceeded, "max_qty of c is 5, and the broker's ledger shows 5.01"},
	{"more open orders than may be", func(h *History) { govern(h).Open["c"] = 4 }, Exceeded, "open_orders of c is 3, and the broker's ledger shows 4"},
	{"blocked by a limit of others", func(h *History) { govern(h).outcome("late").Rule = "open_orders" }, NeverBlocked, `of d was blocked by "open_orders"`},
	{"blocked by a second that had room", func(h *History) { govern(h).outcome("hasty").Received = after(203) }, NeverBlocked, `of c was blocked by "orders_per_second"`},
	{"blocked by a minute that had room", func(h *History) { govern(h).outcome("many").Received = after(262) }, NeverBlocked, `of c was blocked by "orders_per_minute"`},
	{"blocked for a size that may be", func(h *History) { govern(h).intent("large").Order.Qty = buy("5").Qty }, NeverBlocked, `of c was blocked by "max_qty"`},
	{"blocked by open orders that were fewer", func(h *History) {
		govern(h).limit(func(l *tenant.Limits) { l.OpenOrders = 4 })
	}, NeverBlocked, `of c was blocked by "open_orders"`},
}

// A history in which switches and limits are obeyed is clean, and says how far they were used.
func TestGoverned(t *testing.T) {
	g := govern(history())
	r := Check(*g.History)
	if !r.OK() {
		t.Fatalf("%q", r.Findings)
	}
	if want := (Stopped{Stops: 3, Confirmed: 3, Intents: 7, Blocked: 2, Waited: 2}); *r.Stopped != want {
		t.Errorf("%+v, wanted %+v", *r.Stopped, want)
	}
	var uses []string
	for _, u := range r.Uses {
		uses = append(uses, fmt.Sprintf("%s %s of %s, %d refused to %d", u.Limit, u.Most, u.Allowed, u.Refusals, u.Tenants))
	}
	if got := strings.Join(uses, "; "); got != "max_qty 1 of 5, 1 refused to 1; orders_per_second 2 of 2, 1 refused to 1; "+
		"orders_per_minute 3 of 3, 1 refused to 1; open_orders 3 of 3, 1 refused to 1" {
		t.Error(got)
	}
}

// What is not forbidden is not found.
func TestAllowedWhileStopped(t *testing.T) {
	for name, change := range map[string]func(g *governed){
		"a request that the owner said was under way": func(g *governed) {
			g.arrival("before").Time, g.stop(tenant.Halt).Open, g.Slack = after(302), true, 2*time.Second
		},
		"not confirmed": func(g *governed) {
			g.arrival("before").Time, g.stop(tenant.Halt).Confirmed = after(302), time.Time{}
		},
		"decided by an owner that came after it was lifted": func(g *governed) {
			g.intent("again").At = after(302)
		},
		"refused, and the end not confirmed": func(g *governed) {
			g.stop(tenant.Halt).Over = time.Time{}
			g.intent("late").At, g.outcome("late").At = after(320), after(321)
		},
		"a sale under reduce-only": func(g *governed) { g.outcome("shrink").At = after(504) },
		"a symbol that the broker does not know, under reduce-only": func(g *governed) {
			g.outcome("grow").Status, g.outcome("grow").Rule, g.outcome("grow").HTTPStatus = order.Rejected, "", 422
		},
		"a replace whose target is gone, while halted": func(g *governed) {
			in, o := g.intent("late"), g.outcome("late")
			in.Kind, in.Target, o.Kind, o.Status, o.HTTPStatus = order.KindReplace, "before", order.KindReplace, order.Rejected, 404
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := govern(history())
			change(g)
			if r := Check(*g.History); !r.OK() {
				t.Errorf("%q", r.Findings)
			}
		})
	}
}
