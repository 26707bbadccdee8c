package updates

import (
	"context"
	"errors"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// Mender writes what the ledger does not tell of a tenant's orders although a follower should
// have written it. It does so as a follower would, with the same updates, and beside one that
// may be at work: whoever of the two comes second finds the other's update on the ledger, and
// reads it again. It asks the broker for nothing but its lists. One goroutine owns it.
type Mender struct {
	follower *Follower
	read     uint64
	written  int
}

// NewMender makes a mender of a tenant. Of the start it needs Tenant, Shard, Epoch and Until.
// It does not close books.
func NewMender(cfg *Config, st Start, books broker.Books) *Mender {
	f := New(cfg, st)
	f.books, f.lent = books, true
	return &Mender{follower: f}
}

// Read says up to where the ledger was read to find out what is missing.
func (m *Mender) Read(seq uint64) { m.read = seq }

// Written is how many updates it has written.
func (m *Mender) Written() int { return m.written }

// Open records what became of orders of which the ledger does not tell the end: these, as the
// broker shows them, and those that hang on them. It fails with ctx's error or a
// [*FencedError].
func (m *Mender) Open(ctx context.Context, orders []broker.Record) error {
	for {
		err := m.load(ctx)
		if err == nil {
			err = m.open(ctx, orders)
		}
		if !errors.Is(err, errStale) {
			return err
		}
	}
}

func (m *Mender) open(ctx context.Context, orders []broker.Record) error {
	l := &lookup{follower: m.follower, rows: make(map[string]*broker.Record)}
	l.take(orders)
	for i := range orders {
		if err := m.descend(ctx, &orders[i]); err != nil {
			return err
		}
	}
	updates, err := l.missing(ctx)
	if err != nil {
		return err
	}
	return m.record(ctx, updates)
}

// take looks at orders as they were read before. Those that the book does not know are found
// through the ones from which they came.
func (l *lookup) take(orders []broker.Record) {
	for i := range orders {
		r := &orders[i]
		l.rows[r.ID] = r
		if l.follower.book.orders[r.ID] != nil {
			l.add(r.ID)
		}
		if nests(r.OrderClass) {
			l.take(r.Nested)
		}
	}
}

// descend finds out of which intent the legs of a replacement are, if the ledger does not tell
// what it replaced.
func (m *Mender) descend(ctx context.Context, r *broker.Record) error {
	if !nests(r.OrderClass) || r.Replaces == "" {
		return nil
	}
	first, err := m.follower.first(ctx, r)
	if err != nil {
		return err
	}
	intentID, ours := m.follower.book.ours(first.ClientOrderID)
	for i := range r.Nested {
		if leg := m.follower.book.orders[r.Nested[i].ID]; ours && leg != nil {
			leg.intentID = intentID
		}
	}
	return nil
}

// load reads the book from the beginning: what is missing may be from before the time to
// which the last update goes back.
func (m *Mender) load(ctx context.Context) error {
	f := m.follower
	f.under = nil
	_, tip, err := f.last(ctx)
	if err != nil {
		return err
	}
	b := newBook(f.st.Tenant, 0)
	if err := f.read(ctx, 1, max(m.read, tip), b.fold, ledger.Outcomes, ledger.Updates); err != nil {
		return err
	}
	b.tip = max(b.tip, tip)
	f.book = b
	return nil
}

// record writes updates that the ledger does not tell of yet, and waits until they stand there.
func (m *Mender) record(ctx context.Context, updates []order.Update) error {
	f := m.follower
	for i := range updates {
		if !updates[i].Late && f.book.has(&updates[i]) {
			continue
		}
		if err := f.record(ctx, updates[i]); err != nil {
			return err
		}
		if err := f.settle(ctx); err != nil {
			return err
		}
		m.written++
	}
	return nil
}

// Hole is what of an order's fills is missing on the ledger although what came after it is
// there: what was filled of it was From before the first of them, and To after the last.
type Hole struct {
	Order    broker.Record
	IntentID string // as the order's other updates bear it
	From, To decimal.Decimal
	// Cost of what is filled of the order outside of the hole; nil if it is not known.
	Cost *decimal.Decimal
}

// ErrStale says that somebody else wrote an update of the tenant meanwhile: look at the
// ledger again.
var ErrStale = errStale

// Late records fills that are missing before others. It fails with [ErrStale] if the ledger
// may tell of them by now, with ctx's error, or a [*FencedError].
func (m *Mender) Late(ctx context.Context, holes []Hole) error {
	if err := m.load(ctx); err != nil {
		return err
	}
	if m.follower.book.tip > m.read {
		return errStale
	}
	fills, err := m.listed(ctx, holes)
	if err != nil {
		return err
	}
	var perOrder [][]order.Update
	for i := range holes {
		perOrder = append(perOrder, holes[i].updates(fills[i]))
	}
	return m.record(ctx, inOrder(perOrder))
}

// listed are the fills in each hole that the broker's list shows, the latest first.
func (m *Mender) listed(ctx context.Context, holes []Hole) ([][]broker.Fill, error) {
	found := make([][]broker.Fill, len(holes))
	oldest := time.Now()
	for i := range holes {
		if at := holes[i].Order.Submitted.Add(-slack); at.Before(oldest) {
			oldest = at
		}
	}
	for before := ""; ; {
		page, _, err := ask(ctx, m.follower, "the list of fills", func() ([]broker.Fill, broker.Verdict) {
			return m.follower.books.Fills(ctx, broker.FillsQuery{Before: before})
		})
		if err != nil {
			return nil, err
		}
		for _, fill := range page {
			for i := range holes {
				if holes[i].holds(&fill) {
					found[i] = append(found[i], fill)
				}
			}
		}
		if len(page) < broker.MaxFills || page[len(page)-1].At.Before(oldest) {
			return found, nil
		}
		before = page[len(page)-1].ID
	}
}

func (h *Hole) holds(fill *broker.Fill) bool {
	return fill.OrderID == h.Order.ID && !fill.Cum.GreaterThan(h.To) && !fill.Cum.Sub(fill.Qty).LessThan(h.From)
}

// updates are those of the fills in the hole.
func (h *Hole) updates(found []broker.Fill) []order.Update {
	part := h.Order
	part.FilledQty = h.To
	n := need{entry: new(entry), row: &part, from: h.From, found: found}
	n.derive()
	h.price(n.found)
	r := &h.Order
	e := &entry{id: r.ID, clientID: r.ClientOrderID, intentID: h.IntentID, symbol: r.Symbol, side: r.Side}
	updates := make([]order.Update, 0, len(n.found))
	for i := len(n.found) - 1; i >= 0; i-- {
		u := filled(e, n.found[i], false)
		u.Derived, u.Late = n.found[i].ID == "", true
		updates = append(updates, u)
	}
	return updates
}

// price corrects the price of fills that are derived, where the order's totals leave one over.
func (h *Hole) price(fills []broker.Fill) {
	if h.Cost == nil || h.Order.FilledAvgPrice == nil {
		return
	}
	rest, qty := h.Order.FilledAvgPrice.Mul(h.Order.FilledQty).Sub(*h.Cost), decimal.Decimal{}
	for _, fill := range fills {
		if fill.ID == "" {
			qty = qty.Add(fill.Qty)
			continue
		}
		rest = rest.Sub(fill.Price.Mul(fill.Qty))
	}
	for i := range fills {
		if fills[i].ID == "" {
			fills[i].Price = rest.DivRound(qty, maxPlaces)
		}
	}
}
