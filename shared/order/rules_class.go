package order

import (
	"fmt"
	"math/big"

	"github.com/shopspring/decimal"
)

// class checks an order of several orders.
func (p *problems) class(o *Order) {
	profit, loss := o.TakeProfit, o.StopLoss
	switch o.OrderClass {
	case Bracket:
		p.check(profit != nil, "order.take_profit", "is required with order_class bracket")
		p.check(loss != nil, "order.stop_loss", "is required with order_class bracket")
	case OCO:
		p.check(o.Type == "" || o.Type == Limit, "order.type", "must be limit with order_class oco")
		p.check(profit != nil, "order.take_profit", "is required with order_class oco")
		p.check(loss != nil, "order.stop_loss", "is required with order_class oco")
	case OTO:
		p.check((profit == nil) != (loss == nil), "order.take_profit", "with order_class oto, give either take_profit or stop_loss")
	default:
		p.check(profit == nil, "order.take_profit", "needs order_class bracket, oco or oto")
		p.check(loss == nil, "order.stop_loss", "needs order_class bracket, oco or oto")
		return
	}
	p.check(o.TimeInForce == "" || o.TimeInForce == Day || o.TimeInForce == GTC, "order.time_in_force", "must be day or gtc with order_class %s", o.OrderClass)
	p.check(!o.ExtendedHours, "order.extended_hours", "has no place in order_class %s", o.OrderClass)
	p.check(o.Notional == nil, "order.notional", "has no place in order_class %s", o.OrderClass)
	p.check(o.Qty == nil || o.Qty.IsInteger(), "order.qty", "must be whole with order_class %s", o.OrderClass)
	p.protection(o)
}

// protection checks the prices of the legs that close what an order opens.
func (p *problems) protection(o *Order) {
	kind := assetOf(o.Symbol)
	var profit, stop, limit *decimal.Decimal
	if t := o.TakeProfit; t != nil {
		profit = t.LimitPrice
		p.check(profit != nil, "order.take_profit.limit_price", "is required")
		p.price("order.take_profit.limit_price", profit, kind)
	}
	if l := o.StopLoss; l != nil {
		stop, limit = l.StopPrice, l.LimitPrice
		p.check(stop != nil, "order.stop_loss.stop_price", "is required")
		p.price("order.stop_loss.stop_price", stop, kind)
		p.price("order.stop_loss.limit_price", limit, kind)
	}
	if profit == nil || stop == nil || o.Side == "" {
		return
	}
	// The legs of an entry are on the other side; an OCO is the exit itself.
	exitSells := (o.Side == Buy) != (o.OrderClass == OCO)
	if exitSells {
		p.check(profit.GreaterThan(*stop), "order.take_profit.limit_price", "%s must be above the stop_loss at %s", profit, stop)
	} else {
		p.check(profit.LessThan(*stop), "order.take_profit.limit_price", "%s must be below the stop_loss at %s", profit, stop)
	}
}

// multiLeg checks an options order of several legs. Its limit price may be negative: a
// credit.
func (p *problems) multiLeg(o *Order) {
	p.check(o.Symbol == "", "order.symbol", "has no place in order_class mleg: the legs have the symbols")
	p.check(o.Type == "" || o.Type == Market || o.Type == Limit, "order.type", "must be market or limit with order_class mleg")
	p.check(o.TimeInForce == "" || o.TimeInForce == Day, "order.time_in_force", "must be day with order_class mleg")
	p.check(o.Notional == nil, "order.notional", "has no place in order_class mleg")
	p.check(!o.ExtendedHours, "order.extended_hours", "has no place in order_class mleg")
	p.check(o.TakeProfit == nil, "order.take_profit", "has no place in order_class mleg")
	p.check(o.StopLoss == nil, "order.stop_loss", "has no place in order_class mleg")
	p.check(o.StopPrice == nil, "order.stop_price", "has no place in order_class mleg")
	p.check(o.TrailPrice == nil, "order.trail_price", "has no place in order_class mleg")
	p.check(o.TrailPercent == nil, "order.trail_percent", "has no place in order_class mleg")
	p.check(o.Qty != nil, "order.qty", "is required")
	p.positive("order.qty", o.Qty, 0)
	p.check(o.LimitPrice != nil || o.Type != Limit, "order.limit_price", "is required with type limit")
	p.check(o.LimitPrice == nil || o.Type == Limit, "order.limit_price", "has no place in type %s", clipped(string(o.Type)))
	p.places("order.limit_price", o.LimitPrice, 9)
	p.routing(o.AdvancedInstructions)
	if len(o.Legs) < 2 || len(o.Legs) > 4 {
		p.check(false, "order.legs", "has %d legs, not 2 to 4", len(o.Legs))
		return
	}
	for i := range o.Legs {
		p.leg(fmt.Sprintf("order.legs.%d.", i), &o.Legs[i])
	}
	p.ratios(o.Legs)
}

// ratios checks that the legs' quantities are in lowest terms: 2:1, not 4:2.
func (p *problems) ratios(legs []Leg) {
	var divisor big.Int
	for i := range legs {
		r := legs[i].RatioQty
		if r == nil || !r.IsPositive() || !r.IsInteger() {
			return // a problem by itself
		}
		divisor.GCD(nil, nil, &divisor, r.BigInt())
	}
	p.check(divisor.IsInt64() && divisor.Int64() == 1, "order.legs", "has quantities that all divide by %s: give them in lowest terms", &divisor)
}

func (p *problems) leg(field string, l *Leg) {
	p.check(occ.MatchString(l.Symbol) || assetID.MatchString(l.Symbol), field+"symbol", "%q is no option's symbol, as AAPL271217C00250000", clipped(l.Symbol))
	p.check(l.RatioQty != nil, field+"ratio_qty", "is required")
	p.positive(field+"ratio_qty", l.RatioQty, 0)
	oneOf(p, field+"side", l.Side, Buy, Sell)
	p.check(l.Side != "" || l.PositionIntent != "", field+"side", "is required, or position_intent")
	p.intent(field+"position_intent", l.PositionIntent, l.Side)
}

// routing checks the instructions to the broker's router.
func (p *problems) routing(a *AdvancedInstructions) {
	if a == nil {
		return
	}
	const field = "order.advanced_instructions."
	oneOf(p, field+"algorithm", a.Algorithm, "DMA", "TWAP", "VWAP")
	oneOf(p, field+"destination", a.Destination, "NYSE", "NASDAQ", "ARCA")
	if d := a.DisplayQty; d != nil {
		p.positive(field+"display_qty", d, 0)
		p.check(d.Mod(roundLot).IsZero(), field+"display_qty", "%s is not a multiple of %s", d, roundLot)
	}
	if m := a.MaxPercentage; m != nil {
		p.positive(field+"max_percentage", m, 3)
		p.check(m.LessThan(one), field+"max_percentage", "%s is not below 1", m)
	}
	if a.StartTime != nil && a.EndTime != nil {
		p.check(a.StartTime.Before(*a.EndTime), field+"end_time", "is not after start_time")
	}
}

var roundLot = decimal.New(100, 0)
