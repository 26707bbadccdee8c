package risk

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

var (
	hundred    = decimal.New(100, 0) // shares in an option's contract, and percent in one
	one        = decimal.New(1, 0)
	defaultAge = time.Minute // of a reference price
)

// multiplier is how many shares one of a symbol is.
func multiplier(symbol string) decimal.Decimal {
	if _, ok := order.Underlying(symbol); ok {
		return hundred
	}
	return one
}

// reference is a symbol's price, if it is fresh enough; else what is missing. One from further
// ahead than it may be old is not believed.
func (q *Query) reference(symbol string) (decimal.Decimal, string) {
	age := cmp.Or(time.Duration(q.limits.PriceMaxAge), defaultAge)
	if q.Prices != nil {
		if quote, ok := q.Prices.Quote(symbol); ok && q.Now.Sub(quote.At).Abs() <= age {
			return quote.Price, ""
		}
	}
	return decimal.Decimal{}, fmt.Sprintf("there is no price of %s of the last %s", symbol, age)
}

// legs are what an order trades, each with how many for one of the order: one leg, unless it
// is a multi-leg order.
func legs(o *order.Order) []order.Leg {
	if o.OrderClass == order.MultiLeg {
		return o.Legs
	}
	return []order.Leg{{Symbol: o.Symbol, Side: o.Side, PositionIntent: o.PositionIntent}}
}

// ratioOf is how many of a leg one of the order is.
func ratioOf(l *order.Leg) decimal.Decimal {
	if l.RatioQty == nil {
		return one
	}
	return *l.RatioQty
}

// sideOf is a leg's side, which its position intent may say alone.
func sideOf(l *order.Leg) order.Side {
	if l.Side == "" && strings.HasPrefix(string(l.PositionIntent), string(order.Sell)) {
		return order.Sell
	}
	return cmp.Or(l.Side, order.Buy)
}

// limitOf is an order's limit price; of an OCO order it may stand in its profit leg. Nil if
// it has none.
func limitOf(o *order.Order) *decimal.Decimal {
	if o.LimitPrice == nil && o.OrderClass == order.OCO && o.TakeProfit != nil {
		return o.TakeProfit.LimitPrice
	}
	return o.LimitPrice
}

// worth is what one of an order is worth, in dollars, or what is missing to know it.
type worth struct {
	each    decimal.Decimal
	unknown string
}

// worthOf values one of the order: at its limit price; without one at the reference price, of
// a stop order at its stop if that is higher. A sale at a limit fetches the reference price,
// if that is known and higher. A multi-leg order is worth its limit, be it paid or received,
// and without one what all its legs are worth.
func (q *Query) worthOf() worth {
	if q.worth == nil {
		q.worth = new(q.value(q.Order))
	}
	return *q.worth
}

func (q *Query) value(o *order.Order) worth {
	limit := limitOf(o)
	if o.OrderClass == order.MultiLeg {
		if limit != nil {
			return worth{each: limit.Abs().Mul(hundred)}
		}
		var all worth
		for i := range o.Legs {
			ref, unknown := q.reference(o.Legs[i].Symbol)
			if unknown != "" {
				return worth{unknown: unknown}
			}
			all.each = all.each.Add(ref.Mul(ratioOf(&o.Legs[i])).Mul(hundred))
		}
		return all
	}
	if limit != nil && o.Side == order.Buy {
		return worth{each: limit.Mul(multiplier(o.Symbol))}
	}
	ref, unknown := q.reference(o.Symbol)
	switch {
	case limit != nil && (unknown != "" || limit.GreaterThan(ref)):
		ref, unknown = *limit, ""
	case unknown == "" && o.StopPrice != nil && o.StopPrice.GreaterThan(ref):
		ref = *o.StopPrice
	}
	return worth{ref.Mul(multiplier(o.Symbol)), unknown}
}

// dollars is what the order is worth; see unpriced.
func (q *Query) dollars() decimal.Decimal {
	switch o := q.Order; {
	case o.Notional != nil:
		return *o.Notional
	case o.Qty == nil:
		return decimal.Decimal{}
	default:
		return o.Qty.Mul(q.worthOf().each)
	}
}

// unpriced says what is missing to know what the order is worth; empty if nothing is.
func (q *Query) unpriced() string {
	switch o := q.Order; {
	case o.Notional != nil:
		return ""
	case o.Qty == nil:
		return "its size is not known"
	default:
		return q.worthOf().unknown
	}
}

// size is the order's, in shares or contracts, or what is missing to know it.
func (q *Query) size() (decimal.Decimal, string) {
	o := q.Order
	switch {
	case o.Notional != nil:
		w := q.worthOf()
		if w.unknown != "" {
			return decimal.Decimal{}, w.unknown
		}
		return o.Notional.DivRound(w.each, 9), ""
	case o.Qty == nil:
		return decimal.Decimal{}, "its size is not known"
	}
	most := one
	for _, l := range legs(o) {
		most = decimal.Max(most, ratioOf(&l))
	}
	return o.Qty.Mul(most), ""
}

// counted is what the order counts as.
func (q *Query) counted() *order.Counted {
	if q.count != nil {
		return q.count
	}
	o := q.Order
	c := &order.Counted{Symbol: o.Symbol, Side: o.Side, Qty: o.Qty, Notional: o.Notional, Orders: atBroker(o)}
	if o.OrderClass == order.MultiLeg {
		c.Symbol, c.Side = list(o.Legs), ""
	}
	if w := q.worthOf(); o.Notional == nil && w.unknown == "" && order.ValidDecimal(w.each) == nil {
		c.Each = &w.each
	}
	if q.Target != nil {
		c.Replaces = q.Target.ID
	}
	q.count = c
	return c
}

// Derive is what an intent's order counts as, as far as the intent itself tells; nil if it
// does not.
func Derive(in *order.Intent) *order.Counted {
	if in.Kind != order.KindOrder || in.Order == nil {
		return nil
	}
	q := Query{Ask: Ask{Order: in.Order}, limits: new(tenant.Limits)}
	return q.counted()
}

// atBroker is how many orders an order is there, with its legs; 0 is one.
func atBroker(o *order.Order) int {
	switch o.OrderClass {
	case order.Bracket:
		return 3
	case order.OCO, order.OTO:
		return 2
	default: // the legs of a multi-leg order are one
		return 0
	}
}

func list(legs []order.Leg) string {
	texts := make([]string, len(legs))
	for i := range legs {
		texts[i] = fmt.Sprintf("%s %s %s", sideOf(&legs[i]), ratioOf(&legs[i]), order.Canonical(legs[i].Symbol))
	}
	return strings.Join(texts, ", ")
}

// Changed is the order that a replace makes of another one.
func Changed(o order.Order, change *order.Order) *order.Order {
	o.Qty = cmp.Or(change.Qty, o.Qty)
	o.LimitPrice = cmp.Or(change.LimitPrice, o.LimitPrice)
	o.StopPrice = cmp.Or(change.StopPrice, o.StopPrice)
	o.TimeInForce = cmp.Or(change.TimeInForce, o.TimeInForce)
	if change.Trail != nil {
		if o.TrailPercent != nil {
			o.TrailPercent = change.Trail
		} else {
			o.TrailPrice = change.Trail
		}
	}
	return &o
}

// eachSymbol checks every symbol that the order trades.
func (q *Query) eachSymbol(check func(symbol string) *Refusal) *Refusal {
	for _, l := range legs(q.Order) {
		if order.IsAssetID(l.Symbol) {
			return refusal("lists of symbols", "%s is an asset id, which may be any: name the symbol", l.Symbol)
		}
		if no := check(l.Symbol); no != nil {
			return no
		}
	}
	return nil
}

func (q *Query) allowed(symbol string) *Refusal {
	if _, ok := q.rules.allowed[order.Canonical(symbol)]; !ok {
		return refusal(abridged(q.limits.Allowed), "this is %s", symbol)
	}
	return nil
}

func (q *Query) restricted(symbol string) *Refusal {
	_, is := q.rules.restricted[order.Canonical(symbol)]
	on, _ := order.Underlying(symbol)
	if _, under := q.rules.restricted[on]; is || under {
		return refusal(abridged(q.limits.Restricted), "this is %s", symbol)
	}
	return nil
}

// abridged is a list of symbols, cut short for a message.
func abridged(list []string) string {
	const most = 5
	switch n := len(list); {
	case n == 0:
		return "none"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], " "), n-most)
	}
	return strings.Join(list, " ")
}

// collar checks every price that the order names, and that there is a reference price.
func (q *Query) collar() *Refusal {
	o, percent := q.Order, *q.limits.CollarPercent
	says := percent.String() + "%"
	if o.OrderClass == order.MultiLeg {
		return q.collarNet(o, percent, says)
	}
	ref, unknown := q.reference(o.Symbol)
	if unknown != "" {
		return refusal(says, "%s", unknown)
	}
	exit := order.Sell
	if o.Side == order.Sell {
		exit = order.Buy
	}
	if o.OrderClass == order.OCO { // it is the exit
		exit = o.Side
	}
	priced := []struct {
		side        order.Side
		limit, stop *decimal.Decimal
	}{{o.Side, o.LimitPrice, o.StopPrice}, {exit, nil, nil}, {exit, nil, nil}}
	if p := o.TakeProfit; p != nil {
		priced[1].limit = p.LimitPrice
	}
	if l := o.StopLoss; l != nil {
		priced[2].limit, priced[2].stop = l.LimitPrice, l.StopPrice
	}
	for _, p := range priced {
		if p.limit == nil {
			continue
		}
		if no := outside(p.side, *p.limit, from(p.side, ref, p.stop), percent, says); no != nil {
			return no
		}
	}
	return nil
}

// from is the price that a limit is held against: the reference price or, of an order that
// waits for its stop, that, if it is reached later.
func from(side order.Side, ref decimal.Decimal, stop *decimal.Decimal) decimal.Decimal {
	if stop != nil && (side == order.Buy) == stop.GreaterThan(ref) {
		return *stop
	}
	return ref
}

// outside refuses a price that is too far on the wrong side of another one.
func outside(side order.Side, limit, ref, percent decimal.Decimal, says string) *Refusal {
	slack := ref.Abs().Mul(percent).Div(hundred)
	if side == order.Buy && limit.GreaterThan(ref.Add(slack)) {
		return refusal(says, "this buys at %s, more than %s above %s", limit, says, ref)
	}
	if side == order.Sell && limit.LessThan(ref.Sub(slack)) {
		return refusal(says, "this sells at %s, more than %s below %s", limit, says, ref)
	}
	return nil
}

// collarNet holds a multi-leg order's net price, which is paid if it is above 0, against what
// its legs come to.
func (q *Query) collarNet(o *order.Order, percent decimal.Decimal, says string) *Refusal {
	var net decimal.Decimal
	for i := range o.Legs {
		l := &o.Legs[i]
		ref, unknown := q.reference(l.Symbol)
		if unknown != "" {
			return refusal(says, "%s", unknown)
		}
		if ref = ref.Mul(ratioOf(l)); sideOf(l) == order.Sell {
			ref = ref.Neg()
		}
		net = net.Add(ref)
	}
	if o.LimitPrice == nil {
		return nil
	}
	return outside(order.Buy, *o.LimitPrice, net, percent, says)
}

// sold are the symbols that the order sells.
func (q *Query) sold() (symbols []string) {
	for _, l := range legs(q.Order) {
		if sideOf(&l) == order.Sell {
			symbols = append(symbols, l.Symbol)
		}
	}
	return symbols
}

// covered checks that nothing is sold that the account does not hold, or that open orders
// sell already.
func (q *Query) covered() *Refusal {
	const limit = "what is held"
	for _, l := range legs(q.Order) {
		if sideOf(&l) != order.Sell {
			continue
		}
		if l.PositionIntent == order.SellToOpen {
			return refusal(limit, "this sells %s to open a position", l.Symbol)
		}
		if no := q.takes(limit, &l); no != nil {
			return no
		}
	}
	return nil
}

// takes checks that a position has as much that no open order takes as a leg does.
func (q *Query) takes(limit string, l *order.Leg) *Refusal {
	free := q.Holdings[l.Symbol].Free
	if q.Order.Notional != nil {
		ref, unknown := q.reference(l.Symbol)
		if unknown != "" {
			return refusal(limit, "%s, by which dollars are shares", unknown)
		}
		if worth := free.Mul(ref); q.Order.Notional.GreaterThan(worth) {
			return refusal(limit, "of %s it may take %s dollars' worth, this is %s", l.Symbol, worth, q.Order.Notional)
		}
		return nil
	}
	if q.Order.Qty == nil {
		return refusal(limit, "its size is not known")
	}
	qty := q.Order.Qty.Mul(ratioOf(l))
	if t := q.Target; t != nil { // which holds its rest until then
		qty = qty.Sub(t.FilledQty)
		if t.Qty != nil {
			free = free.Add(t.Qty.Sub(t.FilledQty))
		}
	}
	if qty.GreaterThan(free) {
		return refusal(limit, "of %s it may take %s, this is %s", l.Symbol, free, qty)
	}
	return nil
}

// reduceSymbols are those whose position has to be known while the switch says reduce only.
func (q *Query) reduceSymbols() []string {
	if q.rules.terms.Mode(q.Now) != tenant.ReduceOnly || q.Order.Symbol == "" {
		return nil
	}
	return []string{q.Order.Symbol}
}

// shrinks checks that the order makes a position smaller, if the switch says so.
func (q *Query) shrinks() *Refusal {
	hand, ok := q.rules.terms.Hand(q.Now)
	if !ok || hand.Mode != tenant.ReduceOnly {
		return nil
	}
	limit := fmt.Sprintf("only what makes a position smaller (%s, by %s: %s)", hand.Scope, hand.By, hand.Reason)
	o := q.Order
	switch o.OrderClass {
	case order.Bracket, order.OTO:
		return refusal(limit, "a %s opens a position; an oco order, or a simple one, makes one smaller", o.OrderClass)
	case order.MultiLeg:
		return refusal(limit, "whether a multi-leg order does cannot be told; close the legs one by one")
	default:
	}
	held := q.Holdings[o.Symbol]
	switch {
	case held.Qty.IsZero():
		return refusal(limit, "nothing of %s is held", o.Symbol)
	case held.Qty.IsPositive() == (o.Side == order.Buy):
		return refusal(limit, "%s of %s are held, and this would %s more", held.Qty, o.Symbol, o.Side)
	}
	return q.takes(limit, &legs(o)[0])
}
