package paper

// A complex order is a parent with legs:
//
//	bracket  an entry; its fill wakes a take-profit, and a stop-loss that stays held
//	oto      an entry; its fill wakes one leg, a take-profit or a stop-loss
//	oco      the parent is the take-profit itself; its leg is a held stop-loss
//	mleg     the parent has no asset; its legs trade together or not at all
//
// Of take-profit and stop-loss one cancels the other. A held stop-loss reserves no
// shares: it takes over those of its take-profit when its stop is reached.

// guards says whether a held order watches for its stop: the stop-loss beside a
// take-profit that is in the market.
func (o *order) guards() bool {
	other := o.other()
	return other != nil && other.status != held && other.status != accepted && !other.status.over()
}

// other is the order that o and no other cancels; nil if there is none.
func (o *order) other() *order {
	switch {
	case o.class == classOCO && len(o.legs) > 0:
		return o.legs[0]
	case o.class == classOCO:
		return o.parent
	case o.class == classBracket && o.parent != nil:
		for _, leg := range o.parent.legs {
			if leg != o {
				return leg
			}
		}
	}
	return nil
}

// release puts a held stop-loss whose stop was reached in the place of its take-profit.
func (b *Broker) release(a *account, o *order, at stamp) {
	profit := o.other()
	o.qty = some(profit.qty.Decimal.Sub(profit.filledQty))
	a.finish(profit, canceled, at)
	a.emit("canceled", profit, fill{}, at)
	b.wake(a, o, at)
}

// wake puts a held order into the market; one for which nothing can be reserved is
// rejected.
func (b *Broker) wake(a *account, o *order, at stamp) {
	if b.reserve(a, o) != nil {
		a.finish(o, rejected, at)
		a.emit("rejected", o, fill{}, at)
		return
	}
	o.set(live, at)
	a.emit("new", o, fill{}, at)
}

// afterFill wakes the legs of an entry, or cancels the other of two.
func (b *Broker) afterFill(a *account, o *order, at stamp) {
	if other := o.other(); other != nil {
		a.cancelQuietly(other, at)
		return
	}
	if o.parent != nil {
		return
	}
	b.wakeLegs(a, o, at)
}

// wakeLegs wakes the first leg of a filled entry, unless it was canceled meanwhile; a
// second stays held and guards it.
func (b *Broker) wakeLegs(a *account, o *order, at stamp) {
	if len(o.legs) == 0 || o.class == classMultiLg || o.legs[0].status.over() {
		return
	}
	b.wake(a, o.legs[0], at)
	if o.legs[0].status.over() {
		for _, leg := range o.legs[1:] {
			a.cancelQuietly(leg, at)
		}
	}
}

// afterEnd ends what hangs on an order that ended unfilled: its legs, and the other of
// two.
func (a *account) afterEnd(o *order, at stamp) {
	if other := o.other(); other != nil {
		a.cancelQuietly(other, at)
	}
	for _, leg := range o.legs {
		a.cancelQuietly(leg, at)
	}
}

// cancelQuietly cancels an order that is not over, and nothing else.
func (a *account) cancelQuietly(o *order, at stamp) {
	if o.status.over() {
		return
	}
	a.finish(o, canceled, at)
	a.emit("canceled", o, fill{}, at)
}
