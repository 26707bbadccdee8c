package paper

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// append appends a position as the API shows it. The account must be locked.
func (p *position) append(b []byte, a *account) []byte {
	as, price := p.asset, p.asset.last()
	value := as.value(p.qty, price)
	gain := value.Sub(p.cost)
	side, entry, part := "long", p.cost.DivRound(as.value(p.qty, one), 9), num{}
	if p.qty.IsNegative() {
		side = "short"
	}
	if !p.cost.IsZero() {
		part = gain.DivRound(p.cost.Abs(), 9)
	}
	b = appendString(append(b, `{"asset_id":`...), as.id)
	b = fieldString(b, "symbol", plain(as.symbol))
	b = fieldString(b, "exchange", as.exchange)
	b = fieldString(b, "asset_class", as.class)
	b = fieldBool(b, "asset_marginable", as.class == equity) //nolint:misspell // Alpaca\'s word
	b = fieldString(b, "side", side)
	free := p.qty.Abs().Sub(a.stock[as])
	if p.qty.IsNegative() {
		free = free.Neg()
	}
	for _, f := range []struct {
		name  string
		value num
	}{
		{"qty", p.qty}, {"qty_available", free}, {"avg_entry_price", entry}, {"market_value", value},
		{"cost_basis", p.cost}, {"unrealized_pl", gain}, {"unrealized_plpc", part},
		{"unrealized_intraday_pl", gain}, {"unrealized_intraday_plpc", part},
		{"current_price", price}, {"lastday_price", price}, {"change_today", num{}},
	} {
		b = fieldNum(b, f.name, f.value)
	}
	return append(b, '}')
}

// sorted returns the positions of a locked account by symbol.
func (a *account) sorted() []*position {
	all := make([]*position, 0, len(a.positions))
	for _, p := range a.positions {
		all = append(all, p)
	}
	slices.SortFunc(all, func(x, y *position) int { return strings.Compare(x.asset.symbol, y.asset.symbol) })
	return all
}

// listPositions answers GET /v2/positions.
func (a *account) listPositions() *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := []byte{'['}
	for i, p := range a.sorted() {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.append(b, a)
	}
	return &answer{status: http.StatusOK, body: append(b, ']')}
}

// findPosition returns the position of a locked account in a symbol or an asset's id.
func (b *Broker) findPosition(c *call, name string) (*position, *answer) {
	as := b.market.find(upper(name), c.received.time())
	if as == nil {
		as = b.market.find(name, c.received.time()) // an id
	}
	if as == nil {
		return nil, refuse(http.StatusUnprocessableEntity, codeState, "symbol not found: "+name)
	}
	if p := c.account.positions[as]; p != nil {
		return p, nil
	}
	return nil, notFound("position does not exist")
}

// position answers GET /v2/positions/{symbol}.
func (b *Broker) position(c *call, name string) *answer {
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	p, refusal := b.findPosition(c, name)
	if refusal != nil {
		return refusal
	}
	return &answer{status: http.StatusOK, body: p.append(nil, a)}
}

// closePosition answers DELETE /v2/positions/{symbol}: an order of the broker's own
// making closes the position, or the part of it that is asked for.
func (b *Broker) closePosition(c *call, name string) *answer {
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	p, refusal := b.findPosition(c, name)
	if refusal != nil {
		return refusal
	}
	qty, refusal := closingQuantity(p, c.query.Get("qty"), c.query.Get("percentage"))
	if refusal != nil {
		return refusal
	}
	return b.submit(c, b.closingOrder(c, p, qty))
}

// closingQuantity is how much of a position is to be closed: all of it, or what a
// quantity or percentage says.
func closingQuantity(p *position, qty, percentage string) (num, *answer) {
	all := p.qty.Abs()
	text, most, name := qty, all, "qty"
	switch {
	case qty != "" && percentage != "":
		return num{}, invalid("only one of qty or percentage is accepted")
	case percentage != "":
		text, most, name = percentage, hundred, "percentage"
	case qty == "":
		return all, nil
	}
	d, err := parseNumber(text)
	if err != nil || !d.IsPositive() {
		return num{}, invalid("invalid " + name)
	}
	if percentage == "" {
		return d, nil // more than there is is refused as any order would be
	}
	if d.GreaterThan(most) {
		return num{}, invalid("percentage must be between 0 and 100")
	}
	places := int32(0)
	if !all.IsInteger() {
		places = quantityPlaces
	}
	part := all.Mul(d).Div(hundred).Truncate(places)
	if !part.IsPositive() {
		return num{}, invalid("percentage of the position is less than one share")
	}
	return part, nil
}

// closingOrder drafts the order that closes a quantity of a position.
func (b *Broker) closingOrder(c *call, p *position, qty num) *order {
	o := &order{asset: p.asset, side: sell, typ: typeMarket, tif: tifDay, qty: some(qty)}
	if p.qty.IsNegative() {
		o.side = buy
	}
	if p.asset.class == crypto {
		o.tif = tifGTC
	}
	o.expires = b.session.expiry(o, c.received.time())
	return o
}

// closeAll answers DELETE /v2/positions.
func (b *Broker) closeAll(c *call) *answer {
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.query.Get("cancel_orders") == "true" {
		a.cancelOpen(c.received)
	}
	body := []byte{'['}
	for i, p := range a.sorted() {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendString(append(body, `{"symbol":`...), p.asset.symbol)
		done := b.submit(c, b.closingOrder(c, p, p.qty.Abs()))
		body = strconv.AppendInt(append(body, `,"status":`...), int64(done.status), 10)
		body = append(append(append(body, `,"body":`...), done.body...), '}')
	}
	return &answer{status: http.StatusMultiStatus, body: append(body, ']')}
}
