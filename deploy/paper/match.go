package paper

import (
	"slices"

	"github.com/shopspring/decimal"
)

// start shows a newly booked order to the market.
func (b *Broker) start(a *account, o *order, at stamp) {
	if o.status == accepted {
		a.emit("accepted", o, fill{}, at)
		return
	}
	b.match(a, o, at)
}

// matchOpen gives each open order of a locked account its chance.
func (b *Broker) matchOpen(a *account, at stamp) {
	if len(a.open) == a.closed {
		return
	}
	for _, o := range slices.Clone(a.open) { // what is filled leaves the original
		b.match(a, o, at)
	}
}

// match moves an order of a locked account on as far as time and price allow.
func (b *Broker) match(a *account, o *order, at stamp) {
	switch {
	case o.status.over(), o.parent != nil && o.parent.class == classMultiLg:
		return
	case o.expires <= at && o.status != held:
		a.end(o, expired, at)
		return
	case o.status == held && !o.guards():
		return
	case !b.session.trades(o, at.time()):
		return
	case o.status == pendingNew || o.status == accepted:
		o.set(live, at)
		for _, leg := range o.legs {
			if o.class == classMultiLg {
				leg.set(live, at)
			}
		}
		a.emit("new", o, fill{}, at)
	}
	if o.class == classMultiLg {
		b.matchMultiLeg(a, o, at)
		return
	}
	price := o.asset.last()
	if o.reached(price) {
		if o.status == held {
			b.release(a, o, at)
		}
		if !o.status.over() && o.takes(price) {
			b.execute(a, o, price, at)
		}
	}
	if !o.status.over() && (o.tif == tifIOC || o.tif == tifFOK) {
		a.end(o, canceled, at)
	}
}

// reached says whether an order is in the market at a price: at once, or once its
// stop was touched. It moves the stop of a trailing one.
func (o *order) reached(price num) bool {
	switch o.typ {
	case typeMarket, typeLimit:
		return true
	case typeTrailing:
		if !o.triggered {
			o.trail(price)
		}
	}
	if !o.triggered {
		past := price.Cmp(o.stop.Decimal) // a buy stops above, a sell below
		o.triggered = o.side == buy && past >= 0 || o.side == sell && past <= 0
	}
	return o.triggered
}

// trail moves the best price and, behind it, the stop.
func (o *order) trail(price num) {
	if o.hwm.Valid && (o.side == sell && !price.GreaterThan(o.hwm.Decimal) || o.side == buy && !price.LessThan(o.hwm.Decimal)) {
		return
	}
	o.hwm = some(price)
	distance := o.trailPrice.Decimal
	if o.trailPercent.Valid {
		distance = price.Mul(o.trailPercent.Decimal).Div(decimal.NewFromInt(100))
	}
	stop := price.Add(distance.Mul(o.sign()))
	o.stop = some(stop.Round(o.asset.places(stop)))
}

// takes says whether an order that is in the market trades at a price.
func (o *order) takes(price num) bool {
	if o.typ != typeLimit && o.typ != typeStopLimit {
		return true
	}
	if o.side == buy {
		return !price.GreaterThan(o.limit.Decimal)
	}
	return !price.LessThan(o.limit.Decimal)
}

// execute fills an order at a price, as far as there is liquidity.
func (b *Broker) execute(a *account, o *order, price num, at stamp) {
	left := o.remaining(price)
	if o.notional.Valid && o.side == sell { // never more than there is, at whatever price
		left = decimal.Min(left, a.held(o.asset))
	}
	qty := left
	if most := b.liquidity(); most.IsPositive() && qty.GreaterThan(most) {
		if o.tif == tifFOK {
			return
		}
		qty = most
	}
	if !qty.IsPositive() || !a.covers(o, qty, price) {
		a.end(o, rejected, at)
		return
	}
	a.trade(o.asset, qty.Mul(o.sign()), price)
	o.filledQty = o.filledQty.Add(qty)
	o.cost = o.cost.Add(qty.Mul(price))
	f := fill{price: price, qty: qty, position: a.held(o.asset)}
	left = left.Sub(qty)
	if left.IsZero() {
		a.finish(o, filled, at)
		a.emit("fill", o, f, at)
		b.afterFill(a, o, at)
		return
	}
	if o.stock.IsPositive() {
		a.hold(o, num{}, decimal.Max(o.stock.Sub(qty), num{}))
	} else {
		a.hold(o, o.cash.Mul(left).DivRound(left.Add(qty), 9), num{})
	}
	o.set(partiallyFilled, at)
	a.emit("partial_fill", o, f, at)
}

// covers says whether an account can pay for a fill: the price may have moved away
// from what was reserved, or another order may have sold the shares that were held.
// What closes a position is always covered.
func (a *account) covers(o *order, qty, price num) bool {
	if have := a.held(o.asset); have.Sign() == -o.sign().Sign() {
		qty = qty.Sub(decimal.Min(qty, have.Abs()))
	}
	return !o.asset.value(qty, price).GreaterThan(a.buyingPower().Add(o.cash))
}

// matchMultiLeg fills a multi-leg order as a whole if its net price allows.
func (b *Broker) matchMultiLeg(a *account, o *order, at stamp) {
	net := o.netPrice()
	if o.typ == typeLimit && net.GreaterThan(o.limit.Decimal) {
		return
	}
	if multiLegCost(o, net).GreaterThan(a.buyingPower().Add(o.cash)) {
		a.end(o, rejected, at)
		return
	}
	for _, leg := range o.legs {
		price := leg.asset.last()
		a.trade(leg.asset, leg.qty.Decimal.Mul(leg.sign()), price)
		leg.filledQty, leg.cost = leg.qty.Decimal, leg.qty.Decimal.Mul(price)
		a.finish(leg, filled, at)
	}
	o.filledQty, o.cost = o.qty.Decimal, o.qty.Decimal.Mul(net)
	a.finish(o, filled, at)
	a.emit("fill", o, fill{price: net, qty: o.qty.Decimal}, at)
}

// end ends an order that is not filled, and what hangs on it.
func (a *account) end(o *order, s status, at stamp) {
	a.finish(o, s, at)
	a.emit(string(s), o, fill{}, at)
	a.afterEnd(o, at)
}
