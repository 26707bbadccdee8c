package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// books is a broker in memory: what it booked, and what it was asked. It believes
// nothing about the fleet: it does not even refuse an id that was used.
type books struct {
	mu       sync.Mutex
	booked   []*broker.Order // in the order of booking
	arrivals []string        // client order ids of every order request
	tenants  map[string]*desk
	// meddle may answer a request in the broker's place; book books it all the same.
	meddle func(call, id string, book func()) *broker.Verdict
	// abandoned, if set, is closed when the context of a place ends while it is meddled with.
	abandoned chan struct{}
}

func newBooks() *books { return &books{tenants: make(map[string]*desk)} }

// connect is a worker's Connect.
func (b *books) connect(_ context.Context, tenant string) (broker.Line, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := &desk{books: b, tenant: tenant}
	b.tenants[tenant] = d
	return broker.Line{Client: d, Address: "books"}, nil
}

// watch sees every call, and leaves it to the books.
func (b *books) watch(see func(call string)) {
	b.meddle = func(call, _ string, _ func()) *broker.Verdict {
		b.mu.Lock()
		defer b.mu.Unlock()
		see(call)
		return nil
	}
}

// ids are the client order ids that were booked, of one tenant, in order.
func (b *books) ids(tenant string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for _, o := range b.booked {
		if t, id, _ := cutID(o.ClientOrderID); t == tenant {
			ids = append(ids, id)
		}
	}
	return ids
}

func cutID(id string) (tenant, intent string, ok bool) {
	for i := range id {
		if id[i] == '.' {
			return id[:i], id[i+1:], true
		}
	}
	return "", "", false
}

// desk is one tenant's line to the books. Calls of one desk must not overlap.
type desk struct {
	books    *books
	tenant   string
	busy     sync.Mutex
	hangups  int
	position decimal.Decimal
}

var _ broker.Client = (*desk)(nil)

// call runs one call: the meddler first, then the books.
func (d *desk) call(name, id string, notAfter time.Time, book func() broker.Verdict) broker.Verdict {
	if !d.busy.TryLock() {
		panic("two calls at once on one broker client")
	}
	defer d.busy.Unlock()
	if !notAfter.IsZero() && !time.Now().Before(notAfter) {
		return broker.Verdict{Kind: broker.Expired}
	}
	d.books.mu.Lock()
	if name == "place" || name == "replace" {
		d.books.arrivals = append(d.books.arrivals, id)
	}
	meddle := d.books.meddle
	d.books.mu.Unlock()
	sent := time.Now()
	if meddle != nil {
		if v := meddle(name, id, func() {
			d.books.mu.Lock()
			defer d.books.mu.Unlock()
			book()
		}); v != nil {
			if v.Kind != broker.Unsent && v.Kind != broker.Expired {
				v.Submitted = sent
			}
			return *v
		}
	}
	d.books.mu.Lock()
	defer d.books.mu.Unlock()
	v := book()
	v.Submitted, v.Answered = sent, time.Now()
	return v
}

func (d *desk) Place(ctx context.Context, id string, o *order.Order, notAfter time.Time) broker.Verdict {
	if gone := d.books.abandoned; gone != nil {
		defer context.AfterFunc(ctx, sync.OnceFunc(func() { close(gone) }))()
	}
	return d.call("place", id, notAfter, func() broker.Verdict { return d.book(id, *o) })
}

func (d *desk) book(id string, o order.Order) broker.Verdict {
	booked := &broker.Order{
		ID:            fmt.Sprintf("broker-%d", len(d.books.booked)+1),
		ClientOrderID: id,
		Status:        "new",
		Created:       time.Now(),
		Order:         o,
	}
	d.books.booked = append(d.books.booked, booked)
	copied := *booked
	return broker.Verdict{Kind: broker.Accepted, HTTPStatus: 200, Order: &copied}
}

func (d *desk) Replace(_ context.Context, target, id string, change *order.Order, notAfter time.Time) broker.Verdict {
	return d.call("replace", id, notAfter, func() broker.Verdict {
		old := d.find(func(o *broker.Order) bool { return o.ID == target })
		if old == nil {
			return broker.Verdict{Kind: broker.NotFound, HTTPStatus: 404}
		}
		o := old.Order
		if change.LimitPrice != nil {
			o.LimitPrice = change.LimitPrice
		}
		v := d.book(id, o)
		old.Status, old.ReplacedBy = "replaced", v.Order.ID
		return v
	})
}

func (d *desk) Cancel(_ context.Context, target string, notAfter time.Time) broker.Verdict {
	return d.call("cancel", target, notAfter, func() broker.Verdict {
		o := d.find(func(o *broker.Order) bool { return o.ID == target })
		switch {
		case o == nil:
			return broker.Verdict{Kind: broker.NotFound, HTTPStatus: 404}
		case o.Status != "new":
			return broker.Verdict{Kind: broker.Rejected, HTTPStatus: 422, Message: "order is already in \"" + o.Status + "\" state"}
		}
		o.Status = "canceled"
		return broker.Verdict{Kind: broker.Accepted, HTTPStatus: 204}
	})
}

func (d *desk) CancelAll(_ context.Context, notAfter time.Time) broker.Verdict {
	return d.call("cancel_all", "", notAfter, func() broker.Verdict {
		v := broker.Verdict{Kind: broker.Accepted, HTTPStatus: 207}
		for _, o := range d.books.booked {
			if t, _, _ := cutID(o.ClientOrderID); t == d.tenant && o.Status == "new" {
				o.Status = "canceled"
				v.Canceled = append(v.Canceled, broker.CanceledOrder{ID: o.ID, Status: 200})
			}
		}
		return v
	})
}

func (d *desk) ByClientID(_ context.Context, id string) broker.Verdict {
	return d.call("by_client_id", id, time.Time{}, func() broker.Verdict {
		return d.show(func(o *broker.Order) bool { return o.ClientOrderID == id })
	})
}

func (d *desk) ByID(_ context.Context, id string) broker.Verdict {
	return d.call("by_id", id, time.Time{}, func() broker.Verdict {
		return d.show(func(o *broker.Order) bool { return o.ID == id })
	})
}

func (d *desk) Position(_ context.Context, symbol string) broker.Verdict {
	return d.call("position", symbol, time.Time{}, func() broker.Verdict {
		if d.position.IsZero() {
			return broker.Verdict{Kind: broker.NotFound, HTTPStatus: 404, Code: 40410000, Message: "position does not exist"}
		}
		return broker.Verdict{Kind: broker.Found, HTTPStatus: 200, Position: &broker.Position{Symbol: symbol, Qty: d.position}}
	})
}

func (d *desk) Close() {
	d.books.mu.Lock()
	defer d.books.mu.Unlock()
	d.hangups++
}

func (d *desk) find(is func(*broker.Order) bool) *broker.Order {
	if i := slices.IndexFunc(d.books.booked, is); i >= 0 {
		return d.books.booked[i]
	}
	return nil
}

func (d *desk) show(is func(*broker.Order) bool) broker.Verdict {
	o := d.find(is)
	if o == nil {
		return broker.Verdict{Kind: broker.NotFound, HTTPStatus: 404, Code: 40410000, Message: "order not found"}
	}
	copied := *o
	return broker.Verdict{Kind: broker.Found, HTTPStatus: 200, Order: &copied}
}
