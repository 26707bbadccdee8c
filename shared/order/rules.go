package order

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// The rules below are those of https://docs.alpaca.markets/docs/orders-at-alpaca and of
// the order endpoints' reference.

// asset is what can be told of an asset from its symbol alone.
type asset uint8

const (
	equity asset = iota
	crypto
	option
	unknown // an asset id, an IPO's name, a coin's old name: only the broker knows
)

var (
	symbols = regexp.MustCompile(`^[A-Za-z0-9./_-]{1,64}$`)
	// share is a ticker, and a class or series of it.
	share = regexp.MustCompile(`^[A-Za-z]{1,5}([._-][A-Za-z]{1,4})?$`)
	// occ is the OCC symbol of an option: root (adjusted ones end in a digit), expiry,
	// call or put, strike.
	occ     = regexp.MustCompile(`^[A-Z]{1,6}[0-9]?[0-9]{6}[CP][0-9]{8}$`)
	assetID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

func assetOf(symbol string) asset {
	switch {
	case strings.Contains(symbol, "/"):
		return crypto
	case share.MatchString(symbol):
		return equity
	case occ.MatchString(symbol):
		return option
	default:
		return unknown
	}
}

// order checks a new order.
func (p *problems) order(o *Order) {
	p.check(o.Trail == nil, "order.trail", "belongs to a replace; use trail_price or trail_percent")
	p.words(o)
	if o.OrderClass == MultiLeg {
		p.multiLeg(o)
		return
	}
	p.check(len(o.Legs) == 0, "order.legs", "needs order_class mleg")
	p.symbol(o.Symbol)
	p.check(o.Side != "", "order.side", "is required: buy or sell")
	p.size(o)
	p.prices(o)
	p.lifetime(o)
	p.class(o)
	p.asset(o)
	p.routing(o.AdvancedInstructions)
}

// words checks every word against the list of those there are.
func (p *problems) words(o *Order) {
	p.check(o.Type != "", "order.type", "is required: market, limit, stop, stop_limit or trailing_stop")
	p.check(o.TimeInForce != "", "order.time_in_force", "is required: day, gtc, opg, cls, ioc or fok")
	oneOf(p, "order.type", o.Type, Types...)
	oneOf(p, "order.time_in_force", o.TimeInForce, Day, GTC, OPG, CLS, IOC, FOK)
	oneOf(p, "order.side", o.Side, Buy, Sell)
	oneOf(p, "order.order_class", o.OrderClass, Simple, Bracket, OCO, OTO, MultiLeg)
	p.intent("order.position_intent", o.PositionIntent, o.Side)
}

// intent checks that opening and closing go with the side.
func (p *problems) intent(field string, intent PositionIntent, side Side) {
	oneOf(p, field, intent, BuyToOpen, BuyToClose, SellToOpen, SellToClose)
	if intent != "" && side != "" {
		p.check(strings.HasPrefix(string(intent), string(side)), field, "%s does not go with side %s", clipped(string(intent)), clipped(string(side)))
	}
}

// oneOf checks a word that may be left out.
func oneOf[T ~string](p *problems, field string, got T, allowed ...T) {
	if got == "" || slices.Contains(allowed, got) {
		return
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	p.check(false, field, "%q is not one of %s", clipped(string(got)), strings.Join(words, ", "))
}

// ValidSymbol says that a text may be the symbol of an asset: AAPL, BTC/USD, an option's.
func ValidSymbol(symbol string) error {
	if !symbols.MatchString(symbol) {
		return fmt.Errorf("%q may hold 1 to 64 letters, digits and . / _ -", clipped(symbol))
	}
	return nil
}

func (p *problems) symbol(symbol string) {
	switch {
	case symbol == "":
		p.check(false, "order.symbol", "is required")
	default:
		p.check(symbols.MatchString(symbol), "order.symbol", "%q may hold 1 to 64 letters, digits and . / _ -", clipped(symbol))
	}
}

// size checks quantity and notional value.
func (p *problems) size(o *Order) {
	p.check(o.Qty != nil || o.Notional != nil, "order.qty", "is required, or notional")
	p.check(o.Qty == nil || o.Notional == nil, "order.notional", "cannot stand beside qty")
	p.positive("order.qty", o.Qty, 9)
	if n := o.Notional; n != nil {
		p.positive("order.notional", n, 9)
		p.check(!n.IsPositive() || n.GreaterThanOrEqual(one), "order.notional", "%s is less than 1 dollar", n)
	}
	if assetOf(o.Symbol) == equity {
		p.check(o.Qty == nil || o.Qty.IsInteger() || o.TimeInForce == Day, "order.time_in_force", "must be day for a fractional qty")
		p.check(o.Notional == nil || o.TimeInForce == Day, "order.time_in_force", "must be day for a notional order")
	}
}

var one = decimal.New(1, 0)

// positive checks a number that may be left out.
func (p *problems) positive(field string, d *decimal.Decimal, places int32) {
	if d == nil {
		return
	}
	p.check(d.IsPositive(), field, "%s is not greater than 0", d)
	p.places(field, d, places)
}

// places checks how fine a number is.
func (p *problems) places(field string, d *decimal.Decimal, most int32) {
	if d != nil {
		p.check(d.Equal(d.Truncate(most)), field, "%s has more than %d decimals", d, most)
	}
}

// price checks a price of an asset: shares and options have two decimals from one dollar
// up and four below.
func (p *problems) price(field string, d *decimal.Decimal, kind asset) {
	if d == nil {
		return
	}
	places := int32(9)
	if kind == equity || kind == option {
		if places = 4; d.GreaterThanOrEqual(one) {
			places = 2
		}
	}
	p.positive(field, d, places)
}

// prices checks which prices an order of its type has.
func (p *problems) prices(o *Order) {
	kind := assetOf(o.Symbol)
	p.price("order.limit_price", o.LimitPrice, kind)
	p.price("order.stop_price", o.StopPrice, kind)
	p.positive("order.trail_price", o.TrailPrice, 9)
	p.positive("order.trail_percent", o.TrailPercent, 9)

	limit := o.Type == Limit || o.Type == StopLimit
	stop := o.Type == Stop || o.Type == StopLimit
	trailing := o.Type == TrailingStop
	if o.OrderClass != OCO { // whose limit price is that of its take_profit
		p.check(o.LimitPrice != nil || !limit, "order.limit_price", "is required with type %s", o.Type)
	}
	p.check(o.LimitPrice == nil || limit, "order.limit_price", "has no place in type %s", clipped(string(o.Type)))
	p.check(o.StopPrice != nil || !stop, "order.stop_price", "is required with type %s", o.Type)
	p.check(o.StopPrice == nil || stop, "order.stop_price", "has no place in type %s", clipped(string(o.Type)))
	if trailing {
		p.check(o.TrailPrice != nil || o.TrailPercent != nil, "order.trail_price", "is required with type trailing_stop, or trail_percent")
		p.check(o.TrailPrice == nil || o.TrailPercent == nil, "order.trail_percent", "cannot stand beside trail_price")
		return
	}
	p.check(o.TrailPrice == nil, "order.trail_price", "needs type trailing_stop")
	p.check(o.TrailPercent == nil, "order.trail_percent", "needs type trailing_stop")
}

// lifetime checks time in force and trading hours by type.
func (p *problems) lifetime(o *Order) {
	switch o.TimeInForce {
	case OPG, CLS, IOC, FOK:
		p.check(o.Type == Market || o.Type == Limit || assetOf(o.Symbol) == crypto, "order.time_in_force", "%s is for market and limit orders", o.TimeInForce)
	default: // day and gtc go with every type
	}
	if o.ExtendedHours {
		p.check(o.Type == Limit, "order.extended_hours", "is for limit orders only")
		p.check(o.TimeInForce == Day || o.TimeInForce == GTC, "order.extended_hours", "needs time_in_force day or gtc")
	}
}

// asset checks what the asset's kind does not allow.
func (p *problems) asset(o *Order) {
	switch assetOf(o.Symbol) {
	case crypto:
		p.check(o.Type == "" || o.Type == Market || o.Type == Limit || o.Type == StopLimit, "order.type", "%s is not for crypto: market, limit or stop_limit", clipped(string(o.Type)))
		p.check(o.TimeInForce == "" || o.TimeInForce == GTC || o.TimeInForce == IOC, "order.time_in_force", "%s is not for crypto: gtc or ioc", clipped(string(o.TimeInForce)))
		p.check(o.OrderClass == "" || o.OrderClass == Simple, "order.order_class", "%s is not for crypto", clipped(string(o.OrderClass)))
		p.check(!o.ExtendedHours, "order.extended_hours", "is not for crypto, which trades all day")
	case option:
		p.check(o.Qty == nil || o.Qty.IsInteger(), "order.qty", "must be whole contracts")
		p.check(o.Notional == nil, "order.notional", "is not for options")
		p.check(o.OrderClass == "" || o.OrderClass == Simple, "order.order_class", "%s is not for a single option", clipped(string(o.OrderClass)))
		p.check(!o.ExtendedHours, "order.extended_hours", "is not for options")
	case equity, unknown:
	}
}
