package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// limit sets a tenant's limits.
func (b *board) limit(name string, l tenant.Limits) {
	b.set(name, func(t *tenant.Terms) { t.Limits = l })
}

// rules are the rules that blocked a tenant's outcomes, in their order; "-" for one that was
// accepted.
func rules(outcomes []order.Outcome) string {
	var all []string
	for _, o := range outcomes {
		switch o.Status {
		case order.Accepted:
			all = append(all, "-")
		case order.Blocked:
			all = append(all, o.Rule)
		default:
			all = append(all, string(o.Status)+" "+o.Message)
		}
	}
	return strings.Join(all, " ")
}

func sized(id, qty string) order.Intent {
	in := buy(id)
	in.Order.Qty = num(qty)
	return in
}

// TestBlocked: what the limits do not let go ends blocked, with the rule, the limit and the
// value, and nothing of it reaches the broker.
func TestBlocked(t *testing.T) {
	r, b := newRig(t), newBoard()
	b.limit("acme", tenant.Limits{MaxQty: num("10")})
	r.work(b.with)
	r.publish("acme", sized("one", "11"))
	r.publish("acme", sized("two", "10"))
	r.publish("other", sized("one", "11"))
	got := r.outcomes("acme", 2)
	if o := got[0]; o.Status != order.Blocked || o.Rule != "max_qty" || o.Message != "limit 10, this is 11" || o.Attempts != 0 {
		t.Errorf("outcome %+v", o)
	}
	if rules(got) != "max_qty -" || rules(r.outcomes("other", 1)) != "-" {
		t.Errorf("%s", rules(got))
	}
	if ids := fmt.Sprint(r.books.ids("acme")); ids != "[two]" {
		t.Errorf("booked %s", ids)
	}
}

// TestTakeOverResetsNoLimit: what an owner counted counts for the next one, also an order that
// only the broker knows of when the owner dies.
func TestTakeOverResetsNoLimit(t *testing.T) {
	for name, limits := range map[string]tenant.Limits{
		"orders_per_day":      {OrdersPerDay: 4},
		"orders_per_minute":   {OrdersPerMinute: 4},
		"open_orders":         {OpenOrders: 4},
		"notional_per_day":    {NotionalPerDay: num("450")},
		"notional_per_minute": {NotionalPerMinute: num("499.99")},
		"credit":              {Credit: num("400")},
	} {
		t.Run(name, func(t *testing.T) {
			r, b := newRig(t), newBoard()
			b.limit("acme", limits)
			booked := make(chan struct{})
			hung := make(chan struct{})
			var once atomic.Bool
			r.books.meddle = func(call, id string, book func()) *broker.Verdict {
				if call != "place" || id != "acme.3" || once.Swap(true) {
					return nil
				}
				book()
				close(booked)
				<-hung
				return &broker.Verdict{Kind: broker.Unknown, Message: "the worker is gone"}
			}
			first := r.work(b.with)
			for i := range 6 {
				r.publish("acme", buy(fmt.Sprint(i)))
			}
			<-booked
			first.abandon()
			close(hung)
			first.crash()
			r.work(b.with)
			got := r.outcomes("acme", 6)
			if want := "- - - - " + name + " " + name; rules(got) != want || !got[3].Recovered {
				t.Errorf("%s, wanted %s: %+v", rules(got), want, got[4])
			}
			if ids := r.books.ids("acme"); len(ids) != 4 {
				t.Errorf("booked %v", ids)
			}
		})
	}
}

// TestLimitsSetLater: orders that went out before there was a limit count for it.
func TestLimitsSetLater(t *testing.T) {
	for name, limits := range map[string]tenant.Limits{
		"orders_per_day":    {OrdersPerDay: 3},
		"open_orders":       {OpenOrders: 3},
		"notional_per_day":  {NotionalPerDay: num("399")},
		"credit":            {Credit: num("399")},
		"duplicate_content": {DuplicateWindow: tenant.Duration(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			r, b := newRig(t), newBoard()
			r.work(b.with)
			for i := range 3 {
				r.publish("acme", buy(fmt.Sprint(i)))
			}
			r.outcomes("acme", 3)
			b.limit("acme", limits)
			r.confirmed("acme", b.Revision())
			r.publish("acme", buy("3"))
			if got := r.outcomes("acme", 4); rules(got) != "- - - "+name {
				t.Errorf("%s: %+v", rules(got), got[3])
			}
		})
	}
}

// told appends an update of an order to the ledger, as a follower does.
func (r *rig) told(u order.Update) {
	r.Helper()
	shard := r.ledger.ShardOf("acme")
	_, last, err := r.ledger.LastUpdate(r.Context(), shard, "acme")
	if err != nil && !errors.Is(err, ledger.ErrNone) {
		r.Fatal(err)
	}
	u.Version, u.At, u.OpenSince = order.Version, time.Now(), 1
	f, err := r.ledger.AppendUpdate(shard, "acme", &u, last)
	if err != nil {
		r.Fatal(err)
	}
	select {
	case <-f.Ok():
	case err := <-f.Err():
		r.Fatal(err)
	}
}

// TestUpdatesFree: what the broker said of orders frees what they held, as soon as it is on the
// ledger.
func TestUpdatesFree(t *testing.T) {
	for name, limits := range map[string]tenant.Limits{
		"open_orders": {OpenOrders: 2},
		"credit":      {Credit: num("200")},
	} {
		t.Run(name, func(t *testing.T) {
			r, b := newRig(t), newBoard()
			b.limit("acme", limits)
			w := r.work(b.with)
			for i := range 3 {
				r.publish("acme", buy(fmt.Sprint(i)))
			}
			if got := rules(r.outcomes("acme", 3)); got != "- - "+name {
				t.Fatal(got)
			}
			r.told(order.Update{Event: order.EventCanceled, BrokerOrderID: "broker-1", ClientOrderID: "acme.0", Symbol: "AAPL", Side: order.Buy})
			r.publish("acme", buy("3"))
			r.publish("acme", buy("4"))
			if got := rules(r.outcomes("acme", 5)[3:]); got != "- "+name {
				t.Errorf("after a cancel: %s", got)
			}
			w.crash()
			r.work(b.with)
			r.told(order.Update{Event: order.EventFill, BrokerOrderID: "broker-2", ClientOrderID: "acme.1", Symbol: "AAPL", Side: order.Buy, Qty: num("1"), Price: num("0.5"), FilledQty: num("1")})
			r.publish("acme", buy("5"))
			half := buy("6")
			half.Order.LimitPrice = num("99.5")
			r.publish("acme", half)
			want := "- open_orders"
			if name == "credit" { // the fill took half a dollar
				want = "credit -"
			}
			if got := rules(r.outcomes("acme", 7)[5:]); got != want {
				t.Errorf("after a fill: %s, wanted %s", got, want)
			}
		})
	}
}

// TestCollar: without a price nothing passes, and with one what is near enough.
func TestCollar(t *testing.T) {
	r, b := newRig(t), newBoard()
	b.limit("acme", tenant.Limits{CollarPercent: num("5"), MaxNotional: num("1000")})
	r.work(b.with)
	r.publish("acme", buy("0"))
	if got := r.outcomes("acme", 1); rules(got) != "price_collar" {
		t.Fatal(rules(got))
	}
	if err := price.Put(t.Context(), r.js, "AAPL", price.Quote{Price: *num("96"), At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	n, deadline := 1, time.Now().Add(10*time.Second)
	for seen := false; !seen && time.Now().Before(deadline); n++ { // until the worker has the price
		r.publish("acme", buy(fmt.Sprint(n)))
		seen = rules(r.outcomes("acme", n+1)[n:]) == "-"
	}
	dear := buy("dear")
	dear.Order.LimitPrice = num("100.81")
	r.publish("acme", dear)
	at := sized("market", "11")
	at.Order.Type, at.Order.LimitPrice = order.Market, nil
	r.publish("acme", at)
	got := r.outcomes("acme", n+2)[n-1:]
	if rules(got) != "- price_collar max_notional" {
		t.Errorf("%s", rules(got))
	}
	if m := got[2].Message; m != "limit 1000, this is 1056" {
		t.Error(m)
	}
}

// TestNoShort: sales are held against the position at the broker, and closes are not.
func TestNoShort(t *testing.T) {
	r, b := newRig(t), newBoard()
	b.limit("acme", tenant.Limits{NoShort: true})
	r.work(b.with)
	sell := buy("0")
	sell.Order.Side = order.Sell
	r.publish("acme", sell)
	r.publish("acme", buy("1"))
	if got := r.outcomes("acme", 2); rules(got) != "no_short -" {
		t.Fatalf("%s: %+v", rules(got), got[0])
	}
}

// TestReduceOnly: under the switch only what makes a position smaller goes, and cancels.
func TestReduceOnly(t *testing.T) {
	r, b := newRig(t), newBoard()
	r.work(b.with)
	r.publish("acme", buy("0"))
	r.outcomes("acme", 1)
	revision := b.turn("acme", tenant.ReduceOnly, time.Time{})
	r.confirmed("acme", revision)
	r.publish("acme", buy("1"))
	r.publish("acme", order.Intent{ID: "2", Kind: order.KindCancel, Target: "0", ExpiresAt: time.Now().Add(time.Minute)})
	got := r.outcomes("acme", 3)
	if rules(got) != "- reduce_only -" {
		t.Errorf("%s: %+v", rules(got), got)
	}
}

// TestCheckedAgainAfterAWait: a request that has to wait for the rate limit is checked again
// when it may go: its price may have become too old meanwhile.
func TestCheckedAgainAfterAWait(t *testing.T) {
	r, b := newRig(t), newBoard()
	if err := price.Put(t.Context(), r.js, "AAPL", price.Quote{Price: *num("100"), At: time.Now().Add(10 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	b.limit("acme", tenant.Limits{CollarPercent: num("5"), PriceMaxAge: tenant.Duration(20 * time.Second)})
	refused := false
	r.books.meddle = func(call, _ string, _ func()) *broker.Verdict {
		if call != "place" || refused {
			return nil
		}
		refused = true // and the price is too old when it is asked for again
		if err := price.Put(context.Background(), r.js, "AAPL", price.Quote{Price: *num("100"), At: time.Now().Add(-time.Hour)}); err != nil {
			t.Error(err)
		}
		return &broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: time.Second}
	}
	r.work(b.with)
	n, deadline := 0, time.Now().Add(10*time.Second)
	for ; !refused && time.Now().Before(deadline); n++ { // until the worker has the first price
		r.publish("acme", buy(fmt.Sprint(n)))
		r.outcomes("acme", n+1)
	}
	got := r.outcomes("acme", n)[n-1]
	if got.Rule != "price_collar" || got.Attempts != 1 || len(r.books.ids("acme")) != 0 {
		t.Errorf("outcome %+v", got)
	}
}

// outcomeOf waits until a tenant's last outcome is that of an intent.
func (r *rig) outcomeOf(name string, seq uint64) order.Outcome {
	r.Helper()
	for r.Context().Err() == nil {
		if o, _, err := r.ledger.LastOutcome(r.Context(), r.ledger.ShardOf(name), name); err == nil && o.IntentSeq == seq {
			return o
		}
	}
	r.Fatal("no outcome")
	return order.Outcome{}
}

// TestFlood: a tenant that publishes far more than it may gets refusals, in its order, the same
// after a take-over; its neighbours go on meanwhile.
func TestFlood(t *testing.T) {
	const may = 500
	r, b := newRig(t), newBoard()
	b.limit("flood", tenant.Limits{MaxBacklog: may})
	hold := make(chan struct{})
	r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
		if call == "place" && id == "flood.0" {
			<-hold
		}
		return nil
	}
	w := r.work(b.with)
	var last uint64
	for i := range flood {
		in := buy(fmt.Sprint(i))
		in.ExpiresAt = time.Now().Add(time.Hour)
		payload, err := order.EncodeIntent(in)
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.js.PublishAsync(ledger.PublishSubject("flood"), payload)
		if err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			last = (<-f.Ok()).Sequence
		}
	}
	began := time.Now()
	close(hold)
	var worst time.Duration
	for i := range 200 {
		sent := time.Now()
		seq := r.publish("quiet", buy(fmt.Sprint(i)))
		if o := r.outcomeOf("quiet", seq); o.Status != order.Accepted {
			t.Fatalf("outcome %+v", o)
		}
		worst = max(worst, time.Since(sent))
		if i == 100 {
			w.crash()
			r.work(b.with)
		}
	}
	accepted := 0
	r.outcomeOf("flood", last)
	took := time.Since(began)
	for i, o := range r.outcomes("flood", flood) {
		switch {
		case o.IntentID != fmt.Sprint(i):
			t.Fatalf("outcome %d is of %s", i, o.IntentID)
		case o.Status == order.Accepted && i <= may:
			accepted++
		case o.Status != order.Blocked || o.Rule != "backlog":
			t.Fatalf("outcome %d: %+v", i, o)
		}
	}
	if accepted != may {
		t.Errorf("%d of %d were accepted, wanted %d", accepted, flood, may)
	}
	t.Logf("%d intents ended in %s; a neighbour waited at most %s", flood, took, worst)
}
