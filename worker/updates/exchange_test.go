package updates_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// exchange is a broker in memory with one account. It knows itself what has to be on the
// ledger in the end: want. It believes nothing about followers.
type exchange struct {
	// How it differs from others.
	showsLegs bool          // events show the legs of an order
	hidesHeld bool          // the list of open orders leaves out legs that are held
	inherits  bool          // a replacement counts in what was filled before it
	lag       time.Duration // of the list of fills
	slow      time.Duration // half of what a list takes

	mu     sync.Mutex
	at     time.Time // its clock
	orders []*booked // in the order of booking
	fills  []broker.Fill
	seen   []time.Time // when the list of fills shows each
	feeds  map[*feed]struct{}
	mute   int // so many events do not reach the feeds
	want   []order.Update
	closed bool // no feed opens
	calls  map[string]int
}

// booked is an order in the exchange's books.
type booked struct {
	broker.Record
	parent   *booked
	legs     []*booked
	held     bool
	loose    bool // not all of it was told in time
	intentID string
}

func newExchange() *exchange {
	return &exchange{
		at:    time.Date(2026, 11, 24, 14, 30, 0, 0, time.UTC),
		feeds: make(map[*feed]struct{}), calls: make(map[string]int), slow: 5 * time.Millisecond,
	}
}

func num(n int64) decimal.Decimal { return decimal.New(n, 0) }

// book books an order, with legs if it is a bracket, and returns its id.
func (x *exchange) book(clientID string, qty int64, class order.Class) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := x.enter(clientID, qty, class)
	_, b.intentID, _ = order.ParseClientOrderID(clientID)
	if class == order.Bracket {
		for range 2 {
			leg := x.enter("the-brokers-own-"+fmt.Sprint(len(x.orders)), qty, class)
			leg.parent, leg.held, leg.intentID, leg.Status, leg.Side = b, true, b.intentID, "held", order.Sell
			b.legs = append(b.legs, leg)
		}
	}
	x.emit(b, "new", broker.Fill{})
	return b.ID
}

func (x *exchange) enter(clientID string, qty int64, class order.Class) *booked {
	q := num(qty)
	b := &booked{Record: broker.Record{Submitted: x.at, Order: broker.Order{
		ID: fmt.Sprintf("order-%d", len(x.orders)), ClientOrderID: clientID, Status: "new",
		Order: order.Order{Symbol: "AAPL", Side: order.Buy, Qty: &q, OrderClass: class},
	}}}
	x.orders = append(x.orders, b)
	return b
}

// find is an order that is open and can trade; nil if there is none.
func (x *exchange) find(id string) *booked {
	for _, b := range x.orders {
		if b.ID == id && !b.Over() && !b.held {
			return b
		}
	}
	return nil
}

// trade fills a part of an order, or what is left.
func (x *exchange) trade(id string, qty int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := x.find(id)
	if b == nil {
		return
	}
	left := b.Qty.Sub(b.FilledQty)
	q := decimal.Min(num(qty), left)
	if b.parent != nil {
		q = left // legs fill whole
	}
	price := num(int64(100 + len(x.fills)))
	b.FilledQty = b.FilledQty.Add(q)
	b.FilledAvgPrice = &price
	kind := order.EventPartialFill
	b.Status = "partially_filled"
	if b.FilledQty.Equal(*b.Qty) {
		kind, b.Status, b.Ended = order.EventFill, "filled", x.at
	}
	fill := broker.Fill{
		ID: fmt.Sprintf("fill-%d", len(x.fills)), OrderID: b.ID, Symbol: b.Symbol, Side: b.Side,
		Partial: kind == order.EventPartialFill, Price: price, Qty: q, Cum: b.FilledQty, At: x.at,
	}
	x.fills, x.seen = append(x.fills, fill), append(x.seen, time.Now().Add(x.lag))
	x.emit(b, kind, fill)
	if kind != order.EventFill {
		return
	}
	for _, leg := range b.legs {
		if leg.held { // the second one, too: nobody looks
			leg.held, leg.Status = false, "new"
			x.emit(leg, "new", broker.Fill{})
		}
	}
	if b.parent != nil {
		for _, other := range b.parent.legs {
			if other != b && !other.Over() {
				x.finish(other, order.EventCanceled)
			}
		}
	}
}

// end ends an order, and its legs.
func (x *exchange) end(id, event string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := x.find(id)
	if b == nil {
		return
	}
	x.finish(b, event)
	for _, leg := range b.legs {
		if !leg.Over() {
			x.finish(leg, order.EventCanceled)
		}
	}
}

func (x *exchange) finish(b *booked, event string) {
	b.Status, b.Ended = event, x.at
	x.emit(b, event, broker.Fill{})
}

// replace puts an order in the place of another one, and returns its id; "" if there is
// nothing to be replaced.
func (x *exchange) replace(id, clientID string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.find(id)
	if old == nil {
		return ""
	}
	b := x.enter(clientID, 0, old.OrderClass)
	q := old.Qty.Add(num(1))
	b.Qty, b.Replaces, b.Side, b.parent = &q, old.ID, old.Side, old.parent
	b.legs, old.legs = old.legs, nil
	for _, leg := range b.legs {
		leg.parent = b
	}
	if b.parent != nil {
		b.parent.legs[slices.Index(b.parent.legs, old)] = b
	}
	if x.inherits {
		b.FilledQty = old.FilledQty
	}
	var ok bool
	if _, b.intentID, ok = order.ParseClientOrderID(clientID); !ok {
		b.intentID = old.intentID
	}
	old.ReplacedBy = b.ID
	x.finish(old, order.EventReplaced)
	x.emit(b, "new", broker.Fill{})
	return b.ID
}

// emit tells the feeds of an event, and notes what it has to become on the ledger.
func (x *exchange) emit(b *booked, kind string, f broker.Fill) {
	if kind != "new" {
		x.want = append(x.want, b.update(kind, f, x.at))
	}
	if x.mute > 0 {
		x.mute--
		b.loose = true
		return
	}
	e := broker.Event{Kind: kind, At: x.at, Price: f.Price, Qty: f.Qty, Order: x.shown(b, x.showsLegs)}
	for f := range x.feeds {
		f.events <- e
	}
}

// update is what an event has to become on the ledger.
func (b *booked) update(kind string, f broker.Fill, at time.Time) order.Update {
	cum := b.FilledQty
	u := order.Update{
		Version: 1, Event: kind, IntentID: b.intentID, ClientOrderID: b.ClientOrderID, BrokerOrderID: b.ID,
		Symbol: b.Symbol, Side: b.Side, OrderStatus: b.Status, FilledQty: &cum, At: at, ReplacedBy: b.ReplacedBy,
	}
	if u.Fills() {
		u.Price, u.Qty = &f.Price, &f.Qty
	}
	if u.Ends() && kind != order.EventReplaced {
		for _, leg := range b.legs {
			u.Legs = append(u.Legs, leg.ID)
		}
	}
	return u
}

// loose are the orders of which not all was told in time, and those that came from them. What
// is hidden while it is held cannot be told from what was over before.
func (x *exchange) loose() map[string]bool {
	loose := make(map[string]bool)
	for _, b := range x.orders {
		loose[b.ID] = b.loose || b.parent != nil && (x.hidesHeld || loose[b.parent.ID]) || loose[b.Replaces]
	}
	return loose
}

func (x *exchange) shown(b *booked, nested bool) broker.Record {
	r := b.Record
	if nested {
		for _, leg := range b.legs {
			r.Nested = append(r.Nested, leg.Record)
		}
	}
	return r
}

// call is what every list costs.
func (x *exchange) call(ctx context.Context, name string) func() {
	pause := func() {
		select {
		case <-time.After(x.slow):
		case <-ctx.Done():
		}
	}
	pause()
	x.mu.Lock()
	x.calls[name]++
	return func() {
		x.mu.Unlock()
		pause()
	}
}

var found = broker.Verdict{Kind: broker.Found}

func (x *exchange) Orders(ctx context.Context, q broker.OrdersQuery) (page []broker.Record, _ broker.Verdict) {
	defer x.call(ctx, "orders-"+string(q.State))()
	past := q.Before == ""
	for _, b := range slices.Backward(x.orders) {
		switch {
		case !past:
			past = b.ID == q.Before
		case len(page) == broker.MaxOrders, b.held && x.hidesHeld, q.Nested && b.parent != nil:
		case q.State != broker.AllOrders && b.Over() != (q.State == broker.ClosedOrders):
		default:
			page = append(page, x.shown(b, q.Nested))
		}
	}
	return page, found
}

func (x *exchange) Record(ctx context.Context, id string) (broker.Record, broker.Verdict) {
	defer x.call(ctx, "record")()
	for _, b := range x.orders {
		if b.ID == id {
			return x.shown(b, true), found
		}
	}
	return broker.Record{}, broker.Verdict{Kind: broker.NotFound}
}

func (x *exchange) Fills(ctx context.Context, q broker.FillsQuery) (page []broker.Fill, _ broker.Verdict) {
	defer x.call(ctx, "fills")()
	past := q.Before == ""
	for i, f := range slices.Backward(x.fills) {
		switch {
		case !past:
			past = f.ID == q.Before
		case len(page) < broker.MaxFills && !time.Now().Before(x.seen[i]):
			page = append(page, f)
		}
	}
	return page, found
}

func (x *exchange) Positions(ctx context.Context) (all []broker.Position, _ broker.Verdict) {
	defer x.call(ctx, "positions")()
	var held decimal.Decimal // of the only symbol
	for _, f := range x.fills {
		if f.Side == order.Sell {
			held = held.Sub(f.Qty)
		} else {
			held = held.Add(f.Qty)
		}
	}
	if !held.IsZero() {
		all = append(all, broker.Position{Symbol: "AAPL", Qty: held})
	}
	return all, found
}

func (x *exchange) Hangup() {}
func (x *exchange) Close()  {}

func (x *exchange) Follow(ctx context.Context) (broker.Feed, broker.Verdict) {
	defer x.call(ctx, "follow")()
	if x.closed {
		return nil, broker.Verdict{Message: "no feed today"}
	}
	f := &feed{exchange: x, events: make(chan broker.Event, 1<<12), cut: make(chan struct{})}
	x.feeds[f] = struct{}{}
	return f, found
}

// cut ends all feeds. What they did not deliver yet is lost.
func (x *exchange) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for f := range x.feeds {
		f.end()
	}
}

// feed is an open feed of an exchange.
type feed struct {
	exchange *exchange
	events   chan broker.Event
	cut      chan struct{}
}

var errCut = errors.New("cut")

func (f *feed) Next(ctx context.Context) (broker.Event, error) {
	select {
	case <-f.cut:
		return broker.Event{}, errCut
	default:
	}
	select {
	case e := <-f.events:
		return e, nil
	case <-f.cut:
		return broker.Event{}, errCut
	case <-ctx.Done():
		return broker.Event{}, ctx.Err()
	}
}

func (f *feed) Close() {
	f.exchange.mu.Lock()
	defer f.exchange.mu.Unlock()
	f.end()
}

func (f *feed) end() {
	if _, ok := f.exchange.feeds[f]; ok {
		delete(f.exchange.feeds, f)
		close(f.cut)
	}
}
