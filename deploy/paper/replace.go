package paper

import (
	"fmt"
	"net/http"
	"unicode/utf8"
)

// replace answers PATCH /v2/orders/{id}: a new order takes the place of an old one.
func (b *Broker) replace(c *call, id string) *answer {
	var r patchRequest
	if refusal := decode(c.body, &r); refusal != nil {
		return refusal
	}
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.byID[id]
	switch {
	case old == nil:
		return notFound("order not found for " + id)
	case old.status.over():
		return isOver(old)
	case old.status == accepted || old.status == pendingNew:
		return refuse(http.StatusUnprocessableEntity, codeState, fmt.Sprintf("cannot replace order in %s status", old.status))
	case old.notional.Valid:
		return refuse(http.StatusUnprocessableEntity, codeState, "notional orders cannot be replaced")
	}
	o, refusal := b.changed(old, &r, c)
	if refusal != nil {
		return refusal
	}
	if refusal := b.unused(a, o.clientID); refusal != nil {
		return refusal
	}
	return b.exchange(c, old, o)
}

// changed drafts the order that takes the place of old.
func (b *Broker) changed(old *order, r *patchRequest, c *call) (*order, *answer) {
	if r.empty() {
		return nil, invalid("no order parameters to replace")
	}
	if utf8.RuneCountInString(r.ClientOrderID) > maxClientOrderID {
		return nil, invalid(fmt.Sprintf("client_order_id must be no more than %d characters", maxClientOrderID))
	}
	o := &order{
		clientID: r.ClientOrderID, asset: old.asset, side: old.side, typ: old.typ, tif: old.tif, class: old.class,
		intent: old.intent, extended: old.extended, qty: old.qty, limit: old.limit, stop: old.stop,
		trailPrice: old.trailPrice, trailPercent: old.trailPercent, hwm: old.hwm, ratio: old.ratio,
		parent: old.parent, replaces: old.id,
		filledQty: old.filledQty, cost: old.cost, // qty counts what was filled before
	}
	if r.Qty.Valid {
		if !r.Qty.Decimal.IsInteger() || old.asset != nil && old.asset.class != crypto && !old.qty.Decimal.IsInteger() {
			return nil, invalid("qty of fractional orders cannot be replaced")
		}
		o.qty = r.Qty.opt()
	}
	if !o.qty.Decimal.GreaterThan(old.filledQty) {
		return nil, invalid("qty must be > filled_qty")
	}
	if r.TimeInForce != "" {
		o.tif = r.TimeInForce
	}
	for _, change := range []struct {
		to   number
		from *opt
	}{{r.LimitPrice, &o.limit}, {r.StopPrice, &o.stop}} {
		if change.to.Valid {
			*change.from = change.to.opt()
		}
	}
	if r.Trail.Valid {
		switch {
		case o.trailPrice.Valid:
			o.trailPrice = r.Trail.opt()
		case o.trailPercent.Valid:
			o.trailPercent = r.Trail.opt()
		default:
			return nil, invalid("trail is only allowed for trailing stop orders")
		}
		o.hwm = opt{} // the stop is worked out anew
	}
	o.expires = b.session.expiry(o, c.received.time())
	return o, o.check()
}

func (r *patchRequest) empty() bool {
	return !r.Qty.Valid && !r.LimitPrice.Valid && !r.StopPrice.Valid && !r.Trail.Valid && r.TimeInForce == "" && r.ClientOrderID == ""
}

// check holds a changed order against the rules of new ones.
func (o *order) check() *answer {
	if !isOneOf(o.tif, tifDay, tifGTC, tifOPG, tifCLS, tifIOC, tifFOK) {
		return invalid("invalid time_in_force")
	}
	if o.asset == nil {
		if o.stop.Valid || o.limit.Valid != (o.typ == typeLimit) {
			return invalid("only qty and limit_price of mleg orders can be replaced")
		}
		return nil
	}
	plain := *o
	if o.typ == typeTrailing {
		plain.stop = opt{} // the broker's own
	}
	for _, check := range []func(*order) *answer{checkQuantity, checkPrices, checkTimeInForce} {
		if refusal := check(&plain); refusal != nil {
			return refusal
		}
	}
	return nil
}

// exchange books o in the place of old: with its reservations, legs and place in a
// complex order. If o cannot be afforded, old stays.
func (b *Broker) exchange(c *call, old, o *order) *answer {
	a := c.account
	cash, stock := old.cash, old.stock
	a.release(old)
	if o.class == classMultiLg {
		for _, leg := range old.legs {
			fresh := &order{
				asset: leg.asset, side: leg.side, tif: o.tif, class: o.class, intent: leg.intent, parent: o,
				ratio: leg.ratio, qty: some(o.qty.Decimal.Mul(leg.ratio.Decimal)), expires: o.expires,
			}
			o.legs = append(o.legs, fresh)
		}
	}
	if old.status != held {
		if refusal := b.reserve(a, o); refusal != nil {
			a.hold(old, cash, stock)
			return refusal
		}
	}
	waits := old.status == held
	a.finish(old, replaced, c.received)
	b.book(c, o)
	old.replacedBy = o.id
	b.inherit(a, old, o, c.received)
	if waits {
		o.status = held
	}
	a.emit("replaced", old, fill{}, c.received)
	body := appendOrder(make([]byte, 0, 1024), o, true)
	if !waits {
		b.start(a, o, c.received)
	}
	return &answer{status: http.StatusOK, body: body}
}

// inherit hangs what belonged to a replaced order on its successor.
func (b *Broker) inherit(a *account, old, o *order, at stamp) {
	if o.parent != nil {
		for i, leg := range o.parent.legs {
			if leg == old {
				o.parent.legs[i] = o
			}
		}
	}
	if o.class == classMultiLg {
		for _, leg := range old.legs {
			a.cancelQuietly(leg, at)
		}
		return
	}
	o.legs, old.legs = old.legs, nil
	for _, leg := range o.legs {
		leg.parent = o
		if leg.status == held && !leg.qty.Decimal.Equal(o.qty.Decimal) {
			leg.qty = o.qty
		}
	}
}
