package paper

import (
	"time"

	"github.com/shopspring/decimal"
)

// Sides, types, classes and times in force as they go over the wire.
const (
	buy  = "buy"
	sell = "sell"

	typeMarket    = "market"
	typeLimit     = "limit"
	typeStop      = "stop"
	typeStopLimit = "stop_limit"
	typeTrailing  = "trailing_stop"

	classSimple  = ""
	classBracket = "bracket"
	classOCO     = "oco"
	classOTO     = "oto"
	classMultiLg = "mleg"

	tifDay = "day"
	tifGTC = "gtc"
	tifOPG = "opg"
	tifCLS = "cls"
	tifIOC = "ioc"
	tifFOK = "fok"
)

// status is where an order is in its life; doc.go draws how it moves.
type status string

const (
	pendingNew      status = "pending_new"
	accepted        status = "accepted"
	live            status = "new"
	held            status = "held"
	partiallyFilled status = "partially_filled"
	filled          status = "filled"
	canceled        status = "canceled"
	expired         status = "expired"
	rejected        status = "rejected"
	replaced        status = "replaced"
)

// over says whether an order can change no more.
func (s status) over() bool {
	switch s {
	case filled, canceled, expired, rejected, replaced:
		return true
	case pendingNew, accepted, live, held, partiallyFilled:
	}
	return false
}

// stamp is an instant in Unix nanoseconds; 0 means never.
type stamp int64

func stampOf(t time.Time) stamp { return stamp(t.UnixNano()) }

func (s stamp) time() time.Time { return time.Unix(0, int64(s)).UTC() }

// order is an order of an account, which alone touches it.
type order struct {
	id, clientID          string
	asset                 *asset // nil for the parent of a multi-leg order
	side, typ, tif, class string
	intent                string // position_intent
	extended              bool

	qty, notional, limit, stop, trailPrice, trailPercent opt
	hwm                                                  opt // the best price since a trailing stop began
	ratio                                                opt // of a leg of a multi-leg order

	status    status
	triggered bool // a stop that was reached
	filledQty num
	cost      num // of what was filled: the sum of quantity and price

	expires                                                                            stamp // when it ends by itself
	created, submitted, updated, filledAt, canceledAt, expiredAt, failedAt, replacedAt stamp

	seen stamp // when lookups show it; 0 is at once

	replaces, replacedBy string
	parent               *order
	legs                 []*order

	seq   int // its place among the account's orders
	cash  num // reserved for it
	stock num // shares held for it
}

// remaining is what is left to fill. Of a notional order that is what its money is
// worth at a price.
func (o *order) remaining(price num) num {
	if o.notional.Valid {
		return o.notional.Decimal.Sub(o.cost).DivRound(price, 12).Truncate(quantityPlaces)
	}
	return o.qty.Decimal.Sub(o.filledQty)
}

// average is the price per share filled; absent before the first fill.
func (o *order) average() opt {
	if o.filledQty.IsZero() {
		return opt{}
	}
	return some(o.cost.DivRound(o.filledQty, 9))
}

// symbol is empty for the parent of a multi-leg order.
func (o *order) symbol() string {
	if o.asset == nil {
		return ""
	}
	return o.asset.symbol
}

// isLeg says whether o is a leg that the API shows only nested in its parent.
func (o *order) isLeg() bool { return o.parent != nil }

// sign is 1 for a buy, -1 for a sell.
func (o *order) sign() num {
	if o.side == sell {
		return decimal.NewFromInt(-1)
	}
	return decimal.NewFromInt(1)
}

// set moves an order on.
func (o *order) set(s status, at stamp) {
	o.status, o.updated = s, at
	switch s {
	case filled:
		o.filledAt = at
	case canceled:
		o.canceledAt = at
	case expired:
		o.expiredAt = at
	case rejected:
		o.failedAt = at
	case replaced:
		o.replacedAt = at
	case pendingNew, accepted, live, held, partiallyFilled:
	}
}
