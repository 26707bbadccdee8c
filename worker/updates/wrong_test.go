package updates_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// circular is an exchange that says of each of its first three orders that another of them took
// its place.
type circular struct{ *exchange }

func (c circular) Orders(ctx context.Context, q broker.OrdersQuery) ([]broker.Record, broker.Verdict) {
	page, v := c.exchange.Orders(ctx, q)
	next := map[string]string{"order-0": "order-1", "order-1": "order-2", "order-2": "order-0"}
	for i := range page {
		page[i].ReplacedBy = next[page[i].ID]
	}
	return page, v
}

// TestCircularReplacements: a broker whose orders replace each other in a circle is followed
// all the same.
func TestCircularReplacements(t *testing.T) {
	x := newExchange()
	prepare := func(d *desk) { d.books = func() broker.Books { return circular{x} } }
	day := []step{{"place three orders without outcomes", func(*trader) {
		for _, clientID := range []string{"acme.a", "acme.b", "acme.c"} {
			x.book(clientID, 5, order.Simple)
		}
	}}, place(5, order.Simple, false), later(time.Second), trade(0, 5), later(time.Second), cut, later(time.Minute)}
	if differs := live(t, x, prepare, day); differs != "" {
		t.Error(differs)
	}
	if len(x.want) != 1 {
		t.Fatalf("%d updates are wanted", len(x.want))
	}
}

// TestUnconfirmed: what the feed tells and the lists never confirm is an error in the log,
// once, and other orders are not held up by it for long.
func TestUnconfirmed(t *testing.T) {
	x := newExchange()
	var log bytes.Buffer
	claim := step{"the feed tells of fills that never were", func(d *trader) {
		x.mu.Lock()
		defer x.mu.Unlock()
		r := x.orders[0].Record
		r.FilledQty = num(9)
		for f := range x.feeds {
			f.events <- broker.Event{Kind: order.EventPartialFill, At: x.at, Price: num(100), Qty: num(1), Order: r}
		}
	}}
	var d *desk
	day := []step{
		place(10, order.Simple, false), place(5, order.Simple, false), later(time.Second),
		claim, later(2 * time.Minute), claim, later(time.Second),
		trade(1, 2), later(time.Second),
		{"look", func(*trader) {
			if n := len(d.sheet.updates(t)); n != 1 {
				t.Errorf("%d updates a second after a fill", n)
			}
		}},
		trade(0, 10), later(2 * time.Minute),
	}
	if differs := live(t, x, func(one *desk) { d = one; d.log = zerolog.New(&log) }, day); differs != "" {
		t.Error(differs)
	}
	if n := bytes.Count(log.Bytes(), []byte(`"level":"error"`)); n != 1 {
		t.Errorf("%d errors in the log:\n%s", n, &log)
	}
}

// stuttering is an exchange that lists each fill twice.
type stuttering struct{ *exchange }

func (s stuttering) Fills(ctx context.Context, q broker.FillsQuery) (twice []broker.Fill, _ broker.Verdict) {
	page, v := s.exchange.Fills(ctx, q)
	for _, fill := range page {
		twice = append(twice, fill, fill)
	}
	return twice, v
}

// TestFillsListedTwice: a fill that is listed twice is one fill, beside one that is not listed
// at all.
func TestFillsListedTwice(t *testing.T) {
	for name, unlisted := range map[string]bool{"all are listed": false, "one is not": true} {
		x := newExchange()
		var d *desk
		prepare := func(one *desk) { d = one; d.books = func() broker.Books { return stuttering{x} } }
		day := []step{
			{"no feed", func(*trader) { x.closed = true }},
			place(10, order.Simple, false), trade(0, 3), trade(0, 2), trade(0, 5),
			{"hide", func(*trader) {
				if unlisted {
					x.seen[0] = time.Now().Add(time.Hour)
				}
			}},
		}
		live(t, x, prepare, day)
		cum := num(0)
		for _, u := range d.sheet.updates(t) {
			if !u.FilledQty.Sub(*u.Qty).Equal(cum) {
				t.Errorf("%s: a fill of %s, %s in all, after %s", name, u.Qty, u.FilledQty, cum)
			}
			cum = *u.FilledQty
		}
		if !cum.Equal(num(10)) {
			t.Errorf("%s: %s in all", name, cum)
		}
		if n := x.calls["fills"]; !unlisted && n != 1 {
			t.Errorf("%s: the list was read %d times", name, n)
		}
	}
}

// TestLostInAFullList: a fill that a long list of fills never shows costs a bounded number of
// requests.
func TestLostInAFullList(t *testing.T) {
	for name, submitted := range map[string]func(*booked){
		"weeks ago":         func(*booked) {},
		"nobody knows when": func(b *booked) { b.Submitted = time.Time{} },
	} {
		x := newExchange()
		var d *desk
		day := []step{
			{"no feed", func(*trader) { x.closed = true }},
			place(2, order.Simple, false),
			{"hide", func(*trader) {
				x.trade("order-0", 1)
				submitted(x.orders[0])
				x.seen[0] = time.Now().Add(1000 * time.Hour)
			}},
			{"much is filled by others", func(*trader) {
				x.at = x.at.Add(time.Hour)
				for range 60 * broker.MaxFills {
					x.fills = append(x.fills, broker.Fill{ID: "f" + time.Duration(len(x.fills)).String(), OrderID: "else", At: x.at})
					x.seen = append(x.seen, time.Now())
				}
			}},
			later(5 * time.Minute),
			{"look", func(*trader) {
				if all := d.sheet.updates(t); len(all) != 1 || !all[0].Derived {
					t.Errorf("%s: the ledger has %+v", name, all)
				}
			}},
		}
		live(t, x, func(one *desk) { d = one }, day)
		if n := x.calls["fills"]; n > 50+4*2 {
			t.Errorf("%s: the list was read %d times", name, n)
		}
	}
}
