package reconcile

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// heir is an order that took the place of one that was filled in part, and of which the
// ledger does not tell everything that the broker shows as filled: it may be its forerunner's.
type heir struct {
	record *broker.Record
	before decimal.Decimal // filled of the forerunner
	listed spans           // the heir's own fills
}

// slack is how much a fill may seem to be older than its order.
const slack = time.Second

// inherit finds out which replacements count in what their forerunners had filled: those whose
// own fills begin behind that. Brokers do not agree on it.
func (r *reader) inherit(ctx context.Context, a *Account, b *Book) error {
	heirs := a.heirs(b)
	if len(heirs) == 0 {
		return nil
	}
	oldest := time.Now()
	for _, h := range heirs {
		if at := h.record.Submitted.Add(-slack); at.Before(oldest) {
			oldest = at
		}
	}
	err := r.fills(ctx, oldest, func(fill *broker.Fill) {
		if h := heirs[fill.OrderID]; h != nil {
			h.listed.add(span{fill.Cum.Sub(fill.Qty), fill.Cum})
		}
	})
	if err != nil {
		return err
	}
	a.Inherited = make(map[string]decimal.Decimal)
	for id, h := range heirs {
		if len(h.listed.holes(span{h.before, h.record.FilledQty})) == 0 && (len(h.listed) == 0 || h.listed[0].from.Equal(h.before)) {
			a.Inherited[id] = h.before
		}
	}
	return nil
}

// heirs are the orders of which that has to be found out, by the broker's ids.
func (a *Account) heirs(b *Book) map[string]*heir {
	all := a.index()
	heirs := make(map[string]*heir)
	for id, r := range all {
		en := b.orders[id]
		if r.Replaces == "" || en != nil && len(a.missing(r, en)) == 0 {
			continue
		}
		before := decimal.Decimal{}
		if old := all[r.Replaces]; old != nil {
			before = old.FilledQty
		} else if told := b.orders[r.Replaces]; told != nil {
			before = told.fills.end()
		}
		if before.IsPositive() && !before.GreaterThan(r.FilledQty) {
			heirs[id] = &heir{record: r, before: before}
		}
	}
	return heirs
}

// index is all orders, nested ones too, by the broker's ids.
func (a *Account) index() map[string]*broker.Record {
	all := make(map[string]*broker.Record, len(a.Orders))
	var enter func([]broker.Record)
	enter = func(orders []broker.Record) {
		for i := range orders {
			all[orders[i].ID] = &orders[i]
			enter(orders[i].Nested)
		}
	}
	enter(a.Orders)
	return all
}

// fills pages through the list of fills, the latest first, back to a time.
func (r *reader) fills(ctx context.Context, oldest time.Time, note func(*broker.Fill)) error {
	for q := (broker.FillsQuery{}); ; {
		var page []broker.Fill
		err := r.ask(ctx, func() (v broker.Verdict) {
			page, v = r.books.Fills(ctx, q)
			return v
		})
		if err != nil {
			return err
		}
		for i := range page {
			note(&page[i])
		}
		if len(page) < broker.MaxFills || page[len(page)-1].At.Before(oldest) {
			return nil
		}
		q.Before = page[len(page)-1].ID
	}
}
