package paper

import (
	"net/http"
	"strings"

	"github.com/shopspring/decimal"
)

// maxClientOrderID is the most characters of a client order id.
const maxClientOrderID = 128

// peekClientOrderID finds the client order id of any body, for the ledger.
func peekClientOrderID(body []byte) string {
	var r struct {
		ClientOrderID string `json:"client_order_id"`
	}
	if decode(body, &r) != nil {
		return ""
	}
	return r.ClientOrderID
}

// place answers POST /v2/orders.
func (b *Broker) place(c *call) *answer {
	var r orderRequest
	if refusal := decode(c.body, &r); refusal != nil {
		return refusal
	}
	o, refusal := b.draft(&r, c.received.time())
	if refusal != nil {
		return refusal
	}
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if refusal := a.mayTrade(); refusal != nil {
		return refusal
	}
	return b.submit(c, o)
}

// submit books a drafted order of an account that the caller has locked, and answers
// with it as it was before the market saw it.
func (b *Broker) submit(c *call, o *order) *answer {
	a := c.account
	if refusal := b.unused(a, o.clientID); refusal != nil {
		return refusal
	}
	if refusal := a.washes(o); refusal != nil {
		return refusal
	}
	if refusal := b.reserve(a, o); refusal != nil {
		return refusal
	}
	b.book(c, o)
	body := appendOrder(make([]byte, 0, 1024), o, true)
	b.start(a, o, c.received)
	return &answer{status: http.StatusOK, body: body}
}

// unused refuses a client order id that the account used before. No message is more
// than generic; the code tells whether the earlier order still rests.
func (b *Broker) unused(a *account, clientID string) *answer {
	if clientID == "" || !b.duplicate.Load() {
		return nil
	}
	earlier := a.byClient[clientID]
	if earlier == nil {
		return nil
	}
	code := codeState
	if earlier.status.over() {
		code = codeParameter
	}
	return refuse(http.StatusUnprocessableEntity, code, "client_order_id must be unique")
}

// washes refuses a simple order that would trade with a resting one of its own account.
func (a *account) washes(o *order) *answer {
	if o.class != classSimple || a.standing[interest{o.asset, opposite(o.side)}] == 0 {
		return nil
	}
	for _, other := range a.open {
		if other.asset != o.asset || other.side == o.side || other.status.over() || other.status == held || !o.crosses(other) {
			continue
		}
		b := appendString(append([]byte(nil), `{"code":40310000,"existing_order_id":`...), other.id)
		b = append(b, `,"message":"potential wash trade detected. use complex orders","reject_reason":"opposite side `...)
		b = append(append(b, other.typ...), ` order exists"}`...)
		return &answer{status: http.StatusForbidden, body: b}
	}
	return nil
}

func opposite(side string) string {
	if side == buy {
		return sell
	}
	return buy
}

// crosses says whether an order and a resting one of the other side meet in price: both
// name a limit that the other takes, or both take any price.
func (o *order) crosses(other *order) bool {
	if o.typ == typeMarket || other.typ == typeMarket {
		return o.typ == other.typ
	}
	if o.typ != typeLimit || other.typ != typeLimit {
		return false
	}
	if o.side == buy {
		o, other = other, o
	}
	return !o.limit.Decimal.GreaterThan(other.limit.Decimal)
}

// book gives a draft its identity, takes it in with its legs, and records it.
func (b *Broker) book(c *call, o *order) {
	a := c.account
	o.id = a.newID()
	if o.clientID == "" {
		o.clientID = a.newID()
	}
	o.status = pendingNew
	if !b.session.trades(o, c.received.time()) {
		o.status = accepted
	}
	o.created, o.updated, o.submitted = c.received, c.received, c.received
	if c.unseen > 0 {
		o.seen = stampOf(c.read.Add(c.unseen))
	}
	a.add(o)
	for _, leg := range o.legs {
		leg.id, leg.clientID = a.newID(), a.newID()
		leg.status = held
		if o.class == classMultiLg {
			leg.status = o.status
		}
		leg.created, leg.updated, leg.submitted = c.received, c.received, c.received
		a.add(leg)
	}
	b.ledger.book(Booking{
		Account: a.key, ClientOrderID: o.clientID, OrderID: o.id, Symbol: o.symbol(),
		Side: o.side, Type: o.typ, Qty: text(o.qty), Notional: text(o.notional),
		Replaces: o.replaces, Received: c.read,
	})
}

func text(d opt) string {
	if !d.Valid {
		return ""
	}
	return d.Decimal.String()
}

// reserve sets aside what an order may cost, or the shares that it may sell, or
// refuses it. Nothing changes if it refuses.
func (b *Broker) reserve(a *account, o *order) *answer {
	if o.class == classMultiLg {
		net := o.netPrice()
		if o.limit.Valid {
			net = o.limit.Decimal
		}
		return a.reserveCash(o, multiLegCost(o, net))
	}
	as, have := o.asset, a.held(o.asset)
	price := o.worst()
	qty := o.remaining(price)
	if have.Sign() != 0 && have.Sign() != o.sign().Sign() { // it closes
		free := have.Abs().Sub(a.stock[as])
		if qty.GreaterThan(free) {
			return a.shortOfStock(as, qty)
		}
		a.hold(o, num{}, qty)
		return nil
	}
	if o.side == buy {
		return a.reserveCash(o, as.value(qty, price))
	}
	switch { // it sells short
	case as.class == crypto:
		return a.shortOfStock(as, qty)
	case !qty.IsInteger() || o.notional.Valid:
		return refuse(http.StatusUnprocessableEntity, codeState, "fractional orders cannot be sold short")
	case a.settings.NoShorting:
		return refuse(http.StatusForbidden, codeForbidden, "account is not allowed to short")
	}
	return a.reserveCash(o, as.value(qty, price))
}

func (a *account) reserveCash(o *order, cost num) *answer {
	if power := a.buyingPower(); cost.GreaterThan(power) {
		return shortOfCash(power, cost)
	}
	a.hold(o, cost, num{})
	return nil
}

// worst is the price that an order is reserved at: the worst of those it names and,
// if it may trade at any, the last one.
func (o *order) worst() num {
	last := o.asset.last()
	switch {
	case o.limit.Valid && o.side == buy:
		return o.limit.Decimal
	case o.limit.Valid:
		return decimal.Max(o.limit.Decimal, last)
	case o.stop.Valid:
		return decimal.Max(o.stop.Decimal, last)
	}
	return last
}

// multiLegCost is what a multi-leg order needs at a net price of one unit: that price,
// and for its short legs twice what they are sold for, as every short position does.
func multiLegCost(o *order, net num) num {
	var short num
	for _, leg := range o.legs {
		if leg.side == sell {
			short = short.Add(leg.asset.value(leg.qty.Decimal, leg.asset.last()))
		}
	}
	net = net.Mul(o.qty.Decimal).Mul(o.legs[0].asset.multiplier)
	return decimal.Max(net.Add(short).Add(short), decimal.Zero)
}

// netPrice is the last price of one unit of a multi-leg order; a credit is negative.
func (o *order) netPrice() (net num) {
	for _, leg := range o.legs {
		net = net.Add(leg.asset.last().Mul(leg.ratio.Decimal).Mul(leg.sign()))
	}
	return net
}

// upper is the symbol as the broker writes it.
func upper(symbol string) string { return strings.ToUpper(strings.TrimSpace(symbol)) }
