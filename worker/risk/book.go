package risk

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/recent"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// Scope is what a book counts. The zero value is nothing.
type Scope struct {
	// Span is how far back orders are counted as they went out: a second, a minute.
	Span time.Duration
	// Content is how far back what they were is.
	Content time.Duration
	// Day counts those of the trading day, and what was filled.
	Day bool
	// Open counts those that are open, or may be.
	Open bool
}

// Empty says that nothing is counted.
func (s Scope) Empty() bool { return s == Scope{} }

func (s Scope) and(t Scope) Scope {
	return Scope{max(s.Span, t.Span), max(s.Content, t.Content), s.Day || t.Day, s.Open || t.Open}
}

// Covers says that a book with this scope counts all of another one.
func (s Scope) Covers(t Scope) bool { return s.and(t) == s }

// Horizon is how far back the ledger tells what has to be counted, beside the orders that
// are open.
func (s Scope) Horizon() time.Duration {
	if s.Day || s.Open {
		return horizon
	}
	return max(s.Span, s.Content)
}

const (
	// horizon is the longest trading day: one that is set back by an hour.
	horizon = 25 * time.Hour
	// unknownFor is how long an order counts as open of which nobody knows whether the
	// broker has it.
	unknownFor = 24 * time.Hour
)

// Book is what a tenant's outcomes and updates come to, as far as its limits are about it. It
// is told the time; times must not go back. One goroutine owns it.
type Book struct {
	tenant string
	scope  Scope

	// open are, by the broker's id, the orders that are open, and those that are over whose
	// outcome has not come yet.
	open map[string]*entry
	// unknown are those that may be at the broker, by client order id.
	unknown map[string]*entry
	// past are orders that are over: what is told of one again, or of a leg before what it
	// hangs on, comes within moments.
	past recent.Set

	orderCount   int                        // open, or may be
	taking       [len(sides)]exposure       // what they may still take, by side
	going        going                      // what went out
	sent         day                        // of the trading day
	fills        map[int32]*decimal.Decimal // of a trading day: bought, less sold
	last, tidyAt time.Time
}

// sides are the sides for which dollars are counted apart.
var sides = [...]order.Side{order.Buy, order.Sell}

// exposure is dollars, and how many orders there are whose dollars nobody knows.
type exposure struct {
	dollars decimal.Decimal
	unknown int
}

// entry is an order in the book.
type entry struct {
	id, clientID string
	side         order.Side
	qty, each    *decimal.Decimal
	notional     *decimal.Decimal
	orders       int // at the broker

	filled, cost decimal.Decimal
	over         bool
	settled      bool // its outcome is in
	leg          bool // it hangs on another one, and takes nothing that that one does not
	at           time.Time

	replaces, replacedBy *entry

	// What it adds to the book's totals now.
	counts int
	takes  exposure
}

// pastSize is how many of the last orders that are over a book remembers at least.
const pastSize = 1 << 12

// NewBook makes the book of a tenant that did nothing yet.
func NewBook(tenant string, scope Scope) *Book {
	return &Book{
		tenant: tenant, scope: scope,
		open: make(map[string]*entry), unknown: make(map[string]*entry), past: recent.NewSet(pastSize),
		going: newGoing(scope), fills: make(map[int32]*decimal.Decimal),
	}
}

// Scope is what the book counts.
func (b *Book) Scope() Scope { return b.scope }

// Sent says that an outcome's order reached the broker's door, or may have.
func Sent(o *order.Outcome) bool {
	switch o.Kind {
	case order.KindOrder, order.KindReplace, order.KindClosePosition:
		return o.Attempts > 0 || o.Status == order.Accepted || o.Status == order.Failed
	default:
		return false
	}
}

// SentAt is when the order was there at the latest: from the answer on it was.
func SentAt(o *order.Outcome) time.Time {
	if o.Answered.IsZero() {
		return o.Committed
	}
	return o.Answered
}

// Outcome counts what an outcome tells of. What the order was counted as may be missing
// ([order.Outcome].Counted): derived says it then, nil if nobody knows. Outcomes come in
// their order.
func (b *Book) Outcome(o *order.Outcome, derived *order.Counted) {
	c := o.Counted
	if c == nil {
		c = derived
	}
	if c == nil {
		c = new(order.Counted)
	}
	at := SentAt(o)
	b.advance(at)
	if Sent(o) {
		b.going.add(at, c, o)
		if b.scope.Day {
			b.sent.add(dayOf(at), c)
		}
	}
	if b.scope.Open {
		b.settle(o, c, at)
	}
}

// settle enters the order of an outcome that is open now, or may be.
func (b *Book) settle(o *order.Outcome, c *order.Counted, at time.Time) {
	switch o.Kind {
	case order.KindOrder, order.KindReplace, order.KindClosePosition:
	default:
		return
	}
	if u := b.unknown[o.ClientOrderID]; u != nil && o.Status != order.Failed { // it is decided now
		delete(b.unknown, o.ClientOrderID)
		b.change(u, func() { u.over = true })
	}
	var e *entry
	switch {
	case o.Status == order.Accepted && o.BrokerOrderID != "":
		if b.past.Has(o.BrokerOrderID) {
			return
		}
		e = b.meet(o.BrokerOrderID)
	case o.Status == order.Failed:
		if e = b.claimed(o.ClientOrderID); e == nil {
			e = new(entry)
			b.unknown[o.ClientOrderID] = e
		}
	default:
		return
	}
	b.change(e, func() {
		e.clientID, e.at, e.settled = o.ClientOrderID, at, true
		e.side, e.qty, e.each, e.notional, e.orders = c.Side, c.Qty, c.Each, c.Notional, max(c.Orders, 1)
		if old := b.open[c.Replaces]; old != nil && !old.over && old != e && old.replaces != e {
			e.replaces, old.replacedBy = old, e
		}
	})
	b.leave(e)
}

// claimed is the order with a client order id that the broker told of before its outcome came.
func (b *Book) claimed(clientID string) *entry {
	for _, e := range b.open {
		if e.clientID == clientID {
			return e
		}
	}
	return b.unknown[clientID]
}

func (b *Book) meet(id string) *entry {
	e := b.open[id]
	if e == nil {
		e = &entry{id: id, orders: 1}
		b.open[id] = e
	}
	return e
}

// Update counts what the broker told of an order.
func (b *Book) Update(u *order.Update) {
	if b.scope.Day && u.Fills() && u.Price != nil && u.Qty != nil {
		b.traded(u)
	}
	if b.scope.Open {
		b.told(u)
	}
}

// traded counts dollars on the day on which they moved.
func (b *Book) traded(u *order.Update) {
	of := multiplier(u.Symbol)
	if u.Symbol == "" { // a multi-leg order
		of = hundred
	}
	dollars := u.Price.Mul(*u.Qty).Mul(of)
	if u.Side == order.Sell {
		dollars = dollars.Neg()
	}
	day := dayOf(u.At)
	if b.fills[day] == nil {
		b.fills[day] = new(decimal.Decimal)
	}
	*b.fills[day] = b.fills[day].Add(dollars)
}

// told follows an order to its end.
func (b *Book) told(u *order.Update) {
	if b.past.Has(u.BrokerOrderID) {
		return
	}
	e := b.open[u.BrokerOrderID]
	if e == nil {
		if e = b.unknown[u.ClientOrderID]; e != nil && u.ClientOrderID != "" { // the broker has it after all
			delete(b.unknown, u.ClientOrderID)
			e.id = u.BrokerOrderID
			b.open[e.id] = e
		}
	}
	if e == nil && u.Late {
		return // it was over long ago
	}
	if e == nil {
		tenant, _, ours := order.ParseClientOrderID(u.ClientOrderID)
		if !ours || tenant != b.tenant { // a leg that hangs on an order which is not over
			if u.Ends() {
				b.past.Add(u.BrokerOrderID)
			}
			return
		}
		e = b.meet(u.BrokerOrderID) // its outcome is to come
		e.clientID, e.side = u.ClientOrderID, u.Side
	}
	b.change(e, func() {
		if u.FilledQty != nil && u.FilledQty.GreaterThan(e.filled) {
			e.filled = *u.FilledQty
		}
		if u.Fills() && u.Price != nil && u.Qty != nil {
			e.cost = e.cost.Add(u.Price.Mul(*u.Qty).Mul(multiplier(u.Symbol)))
		}
		e.at = u.At
		e.over = e.over || u.Ends()
	})
	if !u.Ends() {
		return
	}
	for _, id := range u.Legs {
		if !b.past.Has(id) {
			leg := b.meet(id)
			b.change(leg, func() { leg.leg, leg.settled, leg.at = true, true, u.At })
		}
	}
	if next := u.ReplacedBy; next != "" && !b.past.Has(next) && b.open[next] == nil { // its outcome is to come
		n := b.meet(next)
		b.change(n, func() {
			n.side, n.qty, n.each, n.notional, n.orders, n.leg, n.at = e.side, e.qty, e.each, e.notional, e.orders, e.leg, u.At
			n.settled = e.leg // which no outcome tells of
		})
	}
	b.leave(e)
}

// leave drops an order that is over, once nothing more is to come of it.
func (b *Book) leave(e *entry) {
	if !e.over || !e.settled {
		return
	}
	b.unlink(e)
	if e.id != "" {
		delete(b.open, e.id)
		b.past.Add(e.id)
	}
}

func (b *Book) unlink(e *entry) {
	if n := e.replacedBy; n != nil {
		b.change(n, func() { n.replaces = nil })
	}
	if o := e.replaces; o != nil {
		o.replacedBy = nil
	}
	e.replaces, e.replacedBy = nil, nil
}

// change changes an order and what it, and the one in its place, add to the totals.
func (b *Book) change(e *entry, how func()) {
	both := [...]*entry{e, e.replacedBy}
	for _, one := range both {
		b.add(one, -1)
	}
	how()
	for _, one := range both {
		if one != nil {
			one.counts, one.takes = one.weigh()
		}
		b.add(one, 1)
	}
}

// add adds an order's part to the totals, or takes it away.
func (b *Book) add(e *entry, sign int) {
	if e == nil {
		return
	}
	b.orderCount += sign * e.counts
	t := &b.taking[indexOf(e.side)]
	t.unknown += sign * e.takes.unknown
	if sign > 0 {
		t.dollars = t.dollars.Add(e.takes.dollars)
	} else {
		t.dollars = t.dollars.Sub(e.takes.dollars)
	}
}

func indexOf(side order.Side) int {
	if side == order.Sell {
		return 1
	}
	return 0 // a multi-leg order counts as a purchase
}

// weigh is what an order adds to the totals: how many it is, and what it may still take. Of
// one that is about to take the place of another it is what it has more: one of the two there
// will be. Both may take until then, and the first may have, unknown to us.
func (e *entry) weigh() (counts int, takes exposure) {
	if e.over {
		return 0, exposure{}
	}
	counts, takes = e.orders, e.rest()
	if old := e.replaces; old != nil && !old.over {
		counts = max(counts-old.orders, 0)
	}
	return counts, takes
}

// rest is what the order may still take.
func (e *entry) rest() exposure {
	switch {
	case e.leg:
		return exposure{}
	case e.notional != nil:
		return exposure{dollars: decimal.Max(e.notional.Sub(e.cost), decimal.Decimal{})}
	case e.qty == nil || e.each == nil:
		return exposure{unknown: 1}
	}
	return exposure{dollars: decimal.Max(e.qty.Sub(e.filled), decimal.Decimal{}).Mul(*e.each)}
}

// advance lets go what is too old to count.
func (b *Book) advance(now time.Time) {
	if now.Before(b.last) {
		return
	}
	b.last = now
	b.going.advance(now)
	if now.Sub(b.tidyAt) < time.Minute {
		return
	}
	b.tidyAt = now
	for id, e := range b.unknown {
		if now.Sub(e.at) >= unknownFor {
			b.change(e, func() { e.over = true })
			delete(b.unknown, id)
		}
	}
	for _, e := range b.open {
		if e.over && now.Sub(e.at) >= unknownFor { // its outcome never came
			e.settled = true
			b.leave(e)
		}
	}
	today := dayOf(now)
	for day := range b.fills {
		if day < today-1 {
			delete(b.fills, day)
		}
	}
}

// openWith is how many orders one more adds to those that are open, and how many there would
// be. It may be one that is counted already, by its client order id.
func (b *Book) openWith(id string, c *order.Counted) (adds, would int) {
	e := b.another(c)
	adds, _ = e.weigh()
	if u := b.unknown[id]; u != nil {
		adds -= u.counts
	}
	return adds, b.orderCount + adds
}

// another is an entry for an order as it would be counted.
func (b *Book) another(c *order.Counted) *entry {
	return &entry{side: c.Side, qty: c.Qty, each: c.Each, notional: c.Notional, orders: max(c.Orders, 1), replaces: b.open[c.Replaces]}
}

// creditWith is what one more order adds to what open orders may take and the day's trades
// took, and what that would be; unknown says why that is not known. Sales only give back if
// none may be short. A replacement adds what it may take more than the order in whose place it
// comes, as that one stands at the broker.
func (b *Book) creditWith(id string, c *order.Counted, target *broker.Order, noShort bool) (adds exposure, would decimal.Decimal, unknown string) {
	if noShort && c.Side == order.Sell {
		return adds, would, ""
	}
	adds = b.another(c).rest()
	if old := b.open[c.Replaces]; old != nil && target != nil && indexOf(old.side) == indexOf(c.Side) {
		still := *old
		still.filled = decimal.Max(old.filled, target.FilledQty)
		if was := still.rest(); was.unknown == 0 && !old.over {
			adds.dollars = decimal.Max(adds.dollars.Sub(was.dollars), decimal.Decimal{})
		}
	}
	if u := b.unknown[id]; u != nil {
		adds.dollars, adds.unknown = adds.dollars.Sub(u.takes.dollars), adds.unknown-u.takes.unknown
	}
	would = decimal.Max(b.filledToday(), decimal.Decimal{}).Add(adds.dollars)
	unknowns := adds.unknown
	for i, side := range sides {
		if side == order.Sell && noShort {
			continue
		}
		would = would.Add(b.taking[i].dollars)
		unknowns += b.taking[i].unknown
	}
	if unknowns > 0 {
		unknown = "what an open order may still take is not known; cancel it, or wait for its end"
	}
	return adds, would, unknown
}

func (b *Book) filledToday() decimal.Decimal {
	if d := b.fills[dayOf(b.last)]; d != nil {
		return *d
	}
	return decimal.Decimal{}
}
