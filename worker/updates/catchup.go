package updates

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// catchUp looks up what became of every open order, and records what is not recorded yet.
// With a feed open since before, nothing is missed then.
func (f *Follower) catchUp(ctx context.Context) error {
	defer f.hangup()
	l := &lookup{follower: f, rows: make(map[string]*broker.Record)}
	if err := f.drain(ctx); err != nil {
		return err
	}
	wanted, seen := f.book.openIDs(), f.book.seen // before the list: an order that comes later may not be on it
	if err := l.listOpen(ctx); err != nil {
		return err
	}
	for _, id := range l.listed {
		if f.about(l.rows[id]) != nil {
			l.add(id)
		}
	}
	if err := l.listClosed(ctx, wanted); err != nil {
		return err
	}
	for _, id := range wanted {
		l.add(id)
	}
	updates, err := l.missing(ctx)
	if err != nil {
		return err
	}
	for _, u := range updates {
		if err := f.before(ctx, u.At); err != nil {
			return err
		}
		if f.book.has(&u) {
			continue
		}
		if err := f.record(ctx, u); err != nil {
			return err
		}
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	f.looked, f.unheard = time.Now(), time.Time{}
	if f.book.seen == seen {
		f.book.unsure = false
	}
	if f.events != nil {
		f.fine()
	}
	return nil
}

// before records what came on the feed meanwhile and happened before a moment: to orders,
// say, that were placed and ended since the lists were asked for.
func (f *Follower) before(ctx context.Context, at time.Time) error {
	for {
		if f.next == nil {
			select {
			case e, ok := <-f.events:
				if !ok { // whoever reads it next finds out
					return nil
				}
				f.next = e
			default:
				return nil
			}
		}
		if !f.next.At.Before(at) {
			return nil
		}
		one, err := f.concerns(ctx, f.next)
		if err != nil {
			return err
		}
		if one != nil {
			u, gap := f.update(one, f.next)
			if gap {
				return nil // its turn comes when all that was looked up is recorded
			}
			if u != nil {
				if err := f.record(ctx, *u); err != nil {
					return err
				}
			}
		}
		f.next = nil
	}
}

// lookup is one look at the broker's lists.
type lookup struct {
	follower *Follower
	rows     map[string]*broker.Record // as the lists show them, by id
	listed   []string                  // of them, those that are open
	queue    []string                  // orders to look at, each once
	queued   map[string]struct{}
}

// add queues an order.
func (l *lookup) add(id string) {
	if _, ok := l.queued[id]; ok {
		return
	}
	if l.queued == nil {
		l.queued = make(map[string]struct{})
	}
	l.queued[id] = struct{}{}
	l.queue = append(l.queue, id)
}

// listOpen lists the open orders, legs as well: what this shows is all of one moment, but for
// an account with more than a page of them.
func (l *lookup) listOpen(ctx context.Context) error {
	for before := ""; ; {
		page, _, err := ask(ctx, l.follower, "the list of open orders", func() ([]broker.Record, broker.Verdict) {
			return l.follower.books.Orders(ctx, broker.OrdersQuery{State: broker.OpenOrders, Before: before})
		})
		if err != nil {
			return err
		}
		l.keep(page)
		if len(page) < broker.MaxOrders {
			return nil
		}
		before = page[len(page)-1].ID
	}
}

// keep keeps rows that are not there already.
func (l *lookup) keep(page []broker.Record) {
	for i := range page {
		if _, ok := l.rows[page[i].ID]; !ok {
			l.rows[page[i].ID] = &page[i]
			l.listed = append(l.listed, page[i].ID)
		}
	}
}

const (
	// few orders are looked up one by one; more by listing what is closed, the latest first.
	few = 3
	// maxPages bounds that; what is not found by then is looked up one by one after all.
	maxPages = 50
)

// listClosed finds orders that are not open any more, if they are many.
func (l *lookup) listClosed(ctx context.Context, wanted []string) error {
	missing := 0
	for _, id := range wanted {
		if l.rows[id] == nil {
			missing++
		}
	}
	before := ""
	for range maxPages {
		if missing <= few {
			return nil
		}
		page, _, err := ask(ctx, l.follower, "the list of closed orders", func() ([]broker.Record, broker.Verdict) {
			return l.follower.books.Orders(ctx, broker.OrdersQuery{State: broker.ClosedOrders, Before: before})
		})
		if err != nil {
			return err
		}
		for i := range page {
			if e := l.follower.book.orders[page[i].ID]; e != nil && !e.over && l.rows[page[i].ID] == nil {
				l.rows[page[i].ID] = &page[i]
				missing--
			}
		}
		if len(page) < broker.MaxOrders {
			return nil
		}
		before = page[len(page)-1].ID
	}
	return nil
}

// row is an order as the lists show it, or as it is found by itself; nil if the broker has
// no such order.
func (l *lookup) row(ctx context.Context, id string) (*broker.Record, error) {
	if r := l.rows[id]; r != nil {
		return r, nil
	}
	r, v, err := l.follower.single(ctx, id)
	if err != nil || v.Kind != broker.Found {
		return nil, err
	}
	l.rows[id] = &r
	return &r, nil
}

// missing is what is to be recorded, in the broker's order.
func (l *lookup) missing(ctx context.Context) ([]order.Update, error) {
	f := l.follower
	var looked []*entry
	for len(l.queue) > 0 { // it grows
		id := l.queue[0]
		l.queue = l.queue[1:]
		e := f.book.orders[id]
		if e == nil || e.over {
			continue
		}
		r, err := l.row(ctx, e.id)
		if err != nil {
			return nil, err
		}
		if r == nil {
			f.missed(e)
			continue
		}
		f.about(r)
		if err := f.nest(ctx, e, r); err != nil {
			return nil, err
		}
		for _, id := range e.legs {
			l.add(id)
		}
		if r.ReplacedBy != "" && f.book.successor(e, r.ReplacedBy) != nil {
			f.book.orders[r.ReplacedBy].inherits = r.FilledQty
			l.add(r.ReplacedBy)
		}
		looked = append(looked, e)
	}
	fills, err := l.fills(ctx, looked)
	if err != nil {
		return nil, err
	}
	var perOrder [][]order.Update
	for _, e := range looked {
		if updates := l.of(e, fills[e.id]); len(updates) > 0 {
			perOrder = append(perOrder, updates)
		}
	}
	return inOrder(perOrder), nil
}

// of is what is to be recorded of an order.
func (l *lookup) of(e *entry, fills []broker.Fill) (updates []order.Update) {
	r := l.rows[e.id]
	for i, fill := range fills {
		last := r.Status == "filled" && i == len(fills)-1
		u := filled(e, fill, last)
		u.Derived = fill.ID == ""
		updates = append(updates, u)
	}
	if r.Over() && r.Status != "filled" {
		at := r.Submitted // if the broker did not say
		if e.at.After(at) {
			at = e.at
		}
		updates = append(updates, ended(e, r, at))
	}
	return updates
}

// An order of which the broker knows nothing, so often and for so long, is given up: a list
// may lag, but not that far. Reconciling shows it.
const (
	missedTimes = 3
	missedFor   = 2 * time.Minute
)

// missed notes that the broker has no such order.
func (f *Follower) missed(e *entry) {
	now := time.Now()
	e.heard = true
	if e.misses++; e.misses == 1 {
		e.absent = now
	}
	if e.misses >= missedTimes && now.Sub(e.absent) >= missedFor {
		f.log.Error().Str("broker_order_id", e.id).Str("client_order_id", e.clientID).Msg("the broker has no such order; it is followed no longer")
		f.book.leave(e)
	}
}

// single looks one order up.
func (f *Follower) single(ctx context.Context, id string) (broker.Record, broker.Verdict, error) {
	return ask(ctx, f, "an order", func() (broker.Record, broker.Verdict) { return f.books.Record(ctx, id) })
}

// ask asks the broker until it answers, at the follower's pace.
func ask[T any](ctx context.Context, f *Follower, what string, call func() (T, broker.Verdict)) (T, broker.Verdict, error) {
	var pause backoff
	for {
		var none T
		if err := f.line(ctx); err != nil {
			return none, broker.Verdict{}, err
		}
		if err := f.sleep(ctx, f.pacer.next(time.Now())); err != nil {
			return none, broker.Verdict{}, err
		}
		answer, v := call()
		f.pacer.heed(v, time.Now())
		switch {
		case v.Kind == broker.Found, v.Kind == broker.NotFound:
			f.reached, f.shut = true, false
			return answer, v, nil
		case ctx.Err() != nil:
			return answer, v, context.Cause(ctx)
		}
		f.shut = !f.reached
		f.complain(what, v.Message)
		f.doubt(v)
		if err := f.sleep(ctx, pause.next()); err != nil {
			return answer, v, err
		}
	}
}
