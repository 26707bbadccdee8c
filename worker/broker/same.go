package broker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Differences says in which fields the order that the broker booked is not the one
// that was asked for under clientOrderID; none means that it is. It knows how
// brokers echo: numbers in another notation, class simple as nothing, crypto pairs
// without their slash, assets named by id, nested orders left out, the price of a
// trailing stop. Fields that were not asked for and do not change what is traded
// are not compared.
func Differences(clientOrderID string, asked *order.Order, booked *Order) []string {
	if asked == nil || booked == nil {
		return []string{fmt.Sprintf("order: asked %t, booked %t", asked != nil, booked != nil)}
	}
	var d differences
	d.text("client_order_id", clientOrderID, booked.ClientOrderID)
	class := plainClass(asked.OrderClass)
	d.text("order_class", string(class), string(plainClass(booked.OrderClass)))
	if class != order.MultiLeg { // its legs have the symbols, and the sides
		d.symbol(asked.Symbol, booked)
		d.text("side", string(asked.Side), string(booked.Side))
	} else if asked.Side != "" && booked.Side != "" {
		d.text("side", string(asked.Side), string(booked.Side))
	}
	d.text("type", string(asked.Type), string(booked.Type))
	d.text("time_in_force", string(asked.TimeInForce), string(booked.TimeInForce))
	d.size(asked, booked)
	d.prices(class, asked, booked)
	if asked.ExtendedHours && !booked.ExtendedHours {
		d.add("extended_hours", "true", "false")
	}
	if asked.PositionIntent != "" && booked.PositionIntent != "" {
		d.text("position_intent", string(asked.PositionIntent), string(booked.PositionIntent))
	}
	d.protection(asked, booked)
	d.legs(asked.Legs, booked.Legs)
	return d
}

// ChangeDifferences is [Differences] for a replacement: asked holds the fields to
// be changed, and only those are compared.
func ChangeDifferences(clientOrderID string, asked *order.Order, booked *Order) []string {
	if asked == nil || booked == nil {
		return []string{fmt.Sprintf("order: asked %t, booked %t", asked != nil, booked != nil)}
	}
	var d differences
	d.text("client_order_id", clientOrderID, booked.ClientOrderID)
	if asked.TimeInForce != "" {
		d.text("time_in_force", string(asked.TimeInForce), string(booked.TimeInForce))
	}
	d.asked("qty", asked.Qty, booked.Qty)
	d.asked("limit_price", asked.LimitPrice, booked.LimitPrice)
	d.asked("stop_price", asked.StopPrice, booked.StopPrice)
	trail := booked.TrailPrice
	if trail == nil {
		trail = booked.TrailPercent
	}
	d.asked("trail", asked.Trail, trail)
	return d
}

// differences collects lines of the form "field: asked x, booked y".
type differences []string

func (d *differences) add(field, asked, booked string) {
	*d = append(*d, fmt.Sprintf("%s: asked %s, booked %s", field, asked, booked))
}

func (d *differences) text(field, asked, booked string) {
	if asked != booked {
		d.add(field, fmt.Sprintf("%q", asked), fmt.Sprintf("%q", booked))
	}
}

// decimal compares strictly: none is equal to none alone.
func (d *differences) decimal(field string, asked, booked *decimal.Decimal) {
	if asked == booked || asked != nil && booked != nil && asked.Equal(*booked) {
		return
	}
	d.add(field, show(asked), show(booked))
}

// asked compares if something was asked.
func (d *differences) asked(field string, asked, booked *decimal.Decimal) {
	if asked != nil {
		d.decimal(field, asked, booked)
	}
}

func (d *differences) symbol(asked string, booked *Order) {
	switch {
	case strings.EqualFold(asked, booked.Symbol):
	case booked.AssetID != "" && strings.EqualFold(asked, booked.AssetID):
	case booked.AssetClass == "crypto" && strings.EqualFold(noSlash(asked), noSlash(booked.Symbol)):
	default:
		d.text("symbol", asked, booked.Symbol)
	}
}

// size compares qty or notional. Of a notional order the broker may show the
// quantity that it came to.
func (d *differences) size(asked *order.Order, booked *Order) {
	d.decimal("notional", asked.Notional, booked.Notional)
	if asked.Notional == nil || asked.Qty != nil {
		d.decimal("qty", asked.Qty, booked.Qty)
	}
}

func (d *differences) prices(class order.Class, asked *order.Order, booked *Order) {
	limit := asked.LimitPrice
	if limit == nil && class == order.OCO && asked.TakeProfit != nil {
		limit = asked.TakeProfit.LimitPrice // an OCO order is its take-profit
	}
	d.decimal("limit_price", limit, booked.LimitPrice)
	if asked.Type == order.TrailingStop {
		// Its stop price is the broker's, and of trail price and percent the
		// broker may show the one that it worked out.
		d.asked("trail_price", asked.TrailPrice, booked.TrailPrice)
		d.asked("trail_percent", asked.TrailPercent, booked.TrailPercent)
		return
	}
	d.decimal("stop_price", asked.StopPrice, booked.StopPrice)
	d.decimal("trail_price", asked.TrailPrice, booked.TrailPrice)
	d.decimal("trail_percent", asked.TrailPercent, booked.TrailPercent)
}

// protection compares take-profit and stop-loss where the broker shows them.
func (d *differences) protection(asked *order.Order, booked *Order) {
	if b := booked.TakeProfit; b != nil {
		var a order.TakeProfit
		if asked.TakeProfit != nil {
			a = *asked.TakeProfit
		}
		if a.LimitPrice == nil && plainClass(asked.OrderClass) == order.OCO {
			a.LimitPrice = asked.LimitPrice
		}
		d.decimal("take_profit.limit_price", a.LimitPrice, b.LimitPrice)
	}
	if b := booked.StopLoss; b != nil {
		var a order.StopLoss
		if asked.StopLoss != nil {
			a = *asked.StopLoss
		}
		d.decimal("stop_loss.stop_price", a.StopPrice, b.StopPrice)
		d.decimal("stop_loss.limit_price", a.LimitPrice, b.LimitPrice)
	}
}

// legs compares the legs of a multi-leg order, in any order, if they are shown.
func (d *differences) legs(asked, booked []order.Leg) {
	if len(booked) == 0 {
		return
	}
	if len(asked) != len(booked) {
		d.add("legs", fmt.Sprint(len(asked)), fmt.Sprint(len(booked)))
		return
	}
	left := slices.Clone(booked)
	for _, leg := range asked {
		i := slices.IndexFunc(left, func(b order.Leg) bool { return sameLeg(leg, b) })
		if i < 0 {
			d.add("legs", fmt.Sprintf("%s %s x%s", leg.Side, leg.Symbol, show(leg.RatioQty)), "none such")
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
}

func sameLeg(a, b order.Leg) bool {
	if a.PositionIntent != "" && b.PositionIntent != "" && a.PositionIntent != b.PositionIntent {
		return false
	}
	if a.RatioQty != nil && b.RatioQty != nil && !a.RatioQty.Equal(*b.RatioQty) {
		return false
	}
	return strings.EqualFold(a.Symbol, b.Symbol) && (a.Side == "" || a.Side == b.Side)
}

// plainClass writes simple as the broker does.
func plainClass(c order.Class) order.Class {
	if c == order.Simple {
		return ""
	}
	return c
}

func noSlash(symbol string) string { return strings.ReplaceAll(symbol, "/", "") }

func show(d *decimal.Decimal) string {
	if d == nil {
		return "none"
	}
	return d.String()
}
