package updates

import (
	"context"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// need is what of an order's fills is not recorded yet.
type need struct {
	entry *entry
	row   *broker.Record
	from  decimal.Decimal // recorded, or inherited
	found []broker.Fill   // the latest first
}

// whole says that the fills that were found are all, one after the other.
func (n *need) whole() bool {
	at := n.row.FilledQty
	for _, fill := range n.found {
		if !fill.Cum.Equal(at) {
			return false
		}
		at = fill.Cum.Sub(fill.Qty)
	}
	return at.Equal(n.from)
}

// lagging are the pauses after which the list of fills is read again that does not show what
// the orders say was filled; what it does not show then follows from the orders' totals.
var lagging = [...]time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// fills looks up the fills that are not recorded yet, by order, the oldest first.
func (l *lookup) fills(ctx context.Context, looked []*entry) (map[string][]broker.Fill, error) {
	needs := make(map[string]*need)
	for _, e := range looked {
		r := l.rows[e.id]
		if !r.FilledQty.GreaterThan(e.cum) {
			continue
		}
		needs[e.id] = &need{entry: e, row: r, from: e.cum}
	}
	if len(needs) == 0 {
		return nil, nil
	}
	for try, pause := range lagging {
		if err := l.follower.sleep(ctx, pause); err != nil {
			return nil, err
		}
		pages := maxPages
		if try > 0 {
			pages = newestPages
		}
		open, err := l.readFills(ctx, needs, pages)
		if err != nil {
			return nil, err
		}
		if open == 0 {
			break
		}
		if open, err = l.inherited(ctx, needs, try == len(lagging)-1); err != nil {
			return nil, err
		}
		if open == 0 {
			break
		}
	}
	fills := make(map[string][]broker.Fill)
	for id, n := range needs {
		n.derive()
		slices.Reverse(n.found)
		fills[id] = n.found
	}
	return fills, nil
}

// slack is how much a fill may seem to be older than its order.
const slack = time.Second

// newestPages is how many pages of the list of fills are read again: what it shows late is
// among the latest.
const newestPages = 2

// readFills pages through the list of fills, the latest first, until all that is needed was
// found, or cannot come, or so many pages were read. It returns of how many orders not all
// was found.
func (l *lookup) readFills(ctx context.Context, needs map[string]*need, pages int) (open int, err error) {
	oldest := time.Now()
	for _, n := range needs {
		if at := n.row.Submitted.Add(-slack); at.Before(oldest) {
			oldest = at
		}
	}
	before := ""
	for range pages {
		page, _, err := ask(ctx, l.follower, "the list of fills", func() ([]broker.Fill, broker.Verdict) {
			return l.follower.books.Fills(ctx, broker.FillsQuery{Before: before})
		})
		if err != nil {
			return 0, err
		}
		for _, fill := range page {
			if n := needs[fill.OrderID]; n != nil && fill.Cum.GreaterThan(n.entry.cum) && !fill.Cum.GreaterThan(n.row.FilledQty) {
				n.found = append(n.found, fill)
			}
		}
		open = 0
		for _, n := range needs {
			n.found = latestFirst(n.found)
			if !n.whole() {
				open++
			}
		}
		if open == 0 || len(page) < broker.MaxFills || page[len(page)-1].At.Before(oldest) {
			return open, nil
		}
		before = page[len(page)-1].ID
	}
	return open, nil
}

// latestFirst sorts an order's fills, each once, however often it was listed.
func latestFirst(fills []broker.Fill) []broker.Fill {
	slices.SortFunc(fills, func(a, b broker.Fill) int { return b.Cum.Cmp(a.Cum) })
	return slices.CompactFunc(fills, func(a, b broker.Fill) bool { return a.Cum.Equal(b.Cum) })
}

// inherited looks whether what seems to be missing of a replacement was filled before it: some
// brokers count in what the order had filled that it replaced. Where that and a fill that the
// list does not show yet look the same, it waits until the last time.
func (l *lookup) inherited(ctx context.Context, needs map[string]*need, last bool) (open int, err error) {
	for _, n := range needs {
		if n.whole() {
			continue
		}
		untouched := !n.row.Over() && n.row.Status != orderStatus[order.EventPartialFill]
		if n.row.Replaces == "" || !n.from.IsZero() || n.entry.update > 0 || len(n.found) == 0 && !untouched && !last {
			open++
			continue
		}
		old, err := l.row(ctx, n.row.Replaces)
		if err != nil {
			return 0, err
		}
		if old == nil {
			open++
			continue
		}
		if n.from = old.FilledQty; !n.whole() {
			n.from = decimal.Decimal{}
			open++
			continue
		}
		n.entry.cum = n.from
	}
	return open, nil
}

// derive makes up for fills that the broker's list does not show: one fill for each stretch
// that is missing, at the price that the order's totals leave over.
func (n *need) derive() {
	n.found = latestFirst(n.found)
	if n.whole() {
		return
	}
	known, cost := n.from, n.entry.cost
	missing := n.row.FilledQty.Sub(n.from)
	for _, fill := range n.found {
		missing = missing.Sub(fill.Qty)
		cost = cost.Add(fill.Price.Mul(fill.Qty))
	}
	price := decimal.Decimal{}
	if avg := n.row.FilledAvgPrice; avg != nil {
		price = *avg
		if missing.IsPositive() && n.from.IsZero() == n.entry.cost.IsZero() {
			price = avg.Mul(n.row.FilledQty).Sub(cost).DivRound(missing, maxPlaces)
		}
	}
	at := n.row.Ended
	if at.IsZero() {
		at = n.row.Submitted
	}
	var all []broker.Fill // the oldest first
	fillUp := func(to decimal.Decimal, at time.Time) {
		if to.GreaterThan(known) {
			all = append(all, broker.Fill{OrderID: n.row.ID, Price: price, Qty: to.Sub(known), Cum: to, At: at})
		}
		known = to
	}
	for _, fill := range slices.Backward(n.found) {
		fillUp(fill.Cum.Sub(fill.Qty), fill.At)
		all, known = append(all, fill), fill.Cum
	}
	fillUp(n.row.FilledQty, at)
	slices.Reverse(all)
	n.found = all
}

// maxPlaces is how exact a derived price is.
const maxPlaces = 9
