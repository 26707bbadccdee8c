package broker_test

import (
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

const id = "acme.intent-1"

func dec(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}

// echo is the order as a faithful broker would show it, changed by change.
func echo(o order.Order, change func(*broker.Order)) *broker.Order {
	b := &broker.Order{ID: "b1", ClientOrderID: id, AssetID: "asset-1", AssetClass: "us_equity", Order: o}
	if o.TakeProfit != nil {
		profit := *o.TakeProfit
		b.TakeProfit = &profit
	}
	if o.StopLoss != nil {
		loss := *o.StopLoss
		b.StopLoss = &loss
	}
	b.Legs = append([]order.Leg(nil), o.Legs...)
	if change != nil {
		change(b)
	}
	return b
}

func TestDifferencesTolerates(t *testing.T) {
	for name, o := range brokertest.Orders() {
		t.Run("an echo of "+name, func(t *testing.T) {
			if d := broker.Differences(id, &o, echo(o, func(b *broker.Order) {
				if b.OrderClass == order.OCO {
					b.LimitPrice = b.TakeProfit.LimitPrice
				}
			})); d != nil {
				t.Errorf("differences %q", d)
			}
		})
	}
	for name, test := range map[string]struct {
		asked  string
		change func(*broker.Order)
	}{
		"class simple as nothing":       {"simple class", func(b *broker.Order) { b.OrderClass = "" }},
		"nothing as class simple":       {"market", func(b *broker.Order) { b.OrderClass = order.Simple }},
		"crypto without its slash":      {"crypto", func(b *broker.Order) { b.Symbol, b.AssetClass = "BTCUSD", "crypto" }},
		"asset id for symbol":           {"market", func(b *broker.Order) { b.Symbol, b.AssetID = "APPLE", "AAPL" }},
		"1 as 1.00":                     {"market", func(b *broker.Order) { b.Qty = dec("1.00") }},
		"notional without quantity":     {"notional", func(b *broker.Order) { b.Qty = nil }},
		"notional with its quantity":    {"notional", func(b *broker.Order) { b.Qty = dec("0.31") }},
		"OCO: the profit's limit":       {"oco", func(b *broker.Order) { b.LimitPrice = dec("301.0") }},
		"OCO: nested orders not shown":  {"oco", func(b *broker.Order) { b.LimitPrice, b.TakeProfit, b.StopLoss = dec("301"), nil, nil }},
		"bracket: legs not shown":       {"bracket", func(b *broker.Order) { b.TakeProfit, b.StopLoss = nil, nil }},
		"mleg: legs not shown":          {"multi-leg", func(b *broker.Order) { b.Legs = nil }},
		"mleg: legs turned round":       {"multi-leg", func(b *broker.Order) { b.Legs[0], b.Legs[1] = b.Legs[1], b.Legs[0] }},
		"mleg: a symbol and a side":     {"multi-leg", func(b *broker.Order) { b.Symbol, b.Side = "AAPL", order.Buy }},
		"trailing: a stop price":        {"trail price", func(b *broker.Order) { b.StopPrice = dec("98.75") }},
		"trailing: the price it is":     {"trail percent", func(b *broker.Order) { b.TrailPrice = dec("2.5") }},
		"extended hours by the broker":  {"market", func(b *broker.Order) { b.ExtendedHours = true }},
		"intent shown, not asked":       {"market", func(b *broker.Order) { b.PositionIntent = order.BuyToOpen }},
		"intent asked, not shown":       {"option", func(b *broker.Order) { b.PositionIntent = "" }},
		"instructions are never echoed": {"advanced instructions", func(b *broker.Order) { b.AdvancedInstructions = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			o, ok := brokertest.Orders()[test.asked]
			if !ok {
				t.Fatalf("no order %q", test.asked)
			}
			if d := broker.Differences(id, &o, echo(o, test.change)); d != nil {
				t.Errorf("differences %q", d)
			}
		})
	}
}

func TestDifferencesFinds(t *testing.T) {
	for name, test := range map[string]struct {
		asked  string
		change func(*broker.Order)
		field  string
	}{
		"another id":            {"market", func(b *broker.Order) { b.ClientOrderID = "acme.2" }, "client_order_id"},
		"another symbol":        {"market", func(b *broker.Order) { b.Symbol = "MSFT" }, "symbol"},
		"a share like a pair":   {"crypto", func(b *broker.Order) { b.Symbol = "BTCUSD" }, "symbol"},
		"another side":          {"market", func(b *broker.Order) { b.Side = order.Sell }, "side"},
		"another type":          {"market", func(b *broker.Order) { b.Type = order.Limit }, "type"},
		"another time in force": {"market", func(b *broker.Order) { b.TimeInForce = order.GTC }, "time_in_force"},
		"more":                  {"market", func(b *broker.Order) { b.Qty = dec("1.000000001") }, "qty"},
		"no quantity":           {"market", func(b *broker.Order) { b.Qty = nil }, "qty"},
		"money, not shares":     {"market", func(b *broker.Order) { b.Qty, b.Notional = nil, dec("1") }, "notional"},
		"other money":           {"notional", func(b *broker.Order) { b.Notional = dec("100.51") }, "notional"},
		"shares, not money":     {"notional", func(b *broker.Order) { b.Notional, b.Qty = nil, dec("1") }, "notional"},
		"another limit":         {"stop limit", func(b *broker.Order) { b.LimitPrice = dec("99.01") }, "limit_price"},
		"no limit":              {"stop limit", func(b *broker.Order) { b.LimitPrice = nil }, "limit_price"},
		"a limit":               {"market", func(b *broker.Order) { b.LimitPrice = dec("1") }, "limit_price"},
		"another stop":          {"stop", func(b *broker.Order) { b.StopPrice = dec("99") }, "stop_price"},
		"another trail":         {"trail price", func(b *broker.Order) { b.TrailPrice = dec("1.3") }, "trail_price"},
		"no trail":              {"trail percent", func(b *broker.Order) { b.TrailPercent = nil }, "trail_percent"},
		"another class":         {"bracket", func(b *broker.Order) { b.OrderClass = order.OTO }, "order_class"},
		"regular hours only":    {"limit, extended hours", func(b *broker.Order) { b.ExtendedHours = false }, "extended_hours"},
		"another intent":        {"option", func(b *broker.Order) { b.PositionIntent = order.BuyToClose }, "position_intent"},
		"another profit":        {"bracket", func(b *broker.Order) { b.TakeProfit.LimitPrice = dec("302") }, "take_profit.limit_price"},
		"another loss":          {"bracket", func(b *broker.Order) { b.StopLoss.StopPrice = dec("298") }, "stop_loss.stop_price"},
		"a loss without limit":  {"bracket", func(b *broker.Order) { b.StopLoss.LimitPrice = nil }, "stop_loss.limit_price"},
		"a profit unasked":      {"oto", func(b *broker.Order) { b.TakeProfit = &order.TakeProfit{LimitPrice: dec("1")} }, "take_profit.limit_price"},
		"a leg less":            {"multi-leg", func(b *broker.Order) { b.Legs = b.Legs[:1] }, "legs"},
		"the same leg twice":    {"multi-leg", func(b *broker.Order) { b.Legs[1] = b.Legs[0] }, "legs"},
		"a leg the other way":   {"multi-leg", func(b *broker.Order) { b.Legs[0].Side = order.Sell }, "legs"},
		"another ratio":         {"multi-leg", func(b *broker.Order) { b.Legs[0].RatioQty = dec("3") }, "legs"},
		"a leg that closes":     {"multi-leg", func(b *broker.Order) { b.Legs[0].PositionIntent = order.BuyToClose }, "legs"},
	} {
		t.Run(name, func(t *testing.T) {
			o, ok := brokertest.Orders()[test.asked]
			if !ok {
				t.Fatalf("no order %q", test.asked)
			}
			d := broker.Differences(id, &o, echo(o, test.change))
			for _, line := range d {
				if strings.HasPrefix(line, test.field+": asked ") {
					return
				}
			}
			t.Errorf("differences %q, want one of %s", d, test.field)
		})
	}
	if broker.Differences(id, nil, new(broker.Order)) == nil || broker.Differences(id, new(order.Order), nil) == nil {
		t.Error("no order is the same as one")
	}
}

func TestChangeDifferences(t *testing.T) {
	booked := echo(order.Order{
		Symbol: "AAPL", Qty: dec("2"), Side: order.Sell, Type: order.TrailingStop, TimeInForce: order.GTC, TrailPercent: dec("1.5"),
	}, nil)
	for name, test := range map[string]struct {
		asked order.Order
		field string // empty: no difference
	}{
		"nothing":               {order.Order{}, ""},
		"quantity":              {order.Order{Qty: dec("2.0")}, ""},
		"trail":                 {order.Order{Trail: dec("1.50"), TimeInForce: order.GTC}, ""},
		"another quantity":      {order.Order{Qty: dec("3")}, "qty"},
		"another trail":         {order.Order{Trail: dec("2")}, "trail"},
		"another time in force": {order.Order{TimeInForce: order.Day}, "time_in_force"},
		"a limit it has not":    {order.Order{LimitPrice: dec("1")}, "limit_price"},
		"a stop it has not":     {order.Order{StopPrice: dec("1")}, "stop_price"},
	} {
		t.Run(name, func(t *testing.T) {
			d := broker.ChangeDifferences(id, &test.asked, booked)
			if test.field == "" && d != nil || test.field != "" && (len(d) != 1 || !strings.HasPrefix(d[0], test.field+": ")) {
				t.Errorf("differences %q, want %q", d, test.field)
			}
		})
	}
	if broker.ChangeDifferences("acme.2", &order.Order{}, booked) == nil {
		t.Error("another client order id is no difference")
	}
}
