package brokertest

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Orders holds a valid order of every class and type, by name.
func Orders() map[string]order.Order {
	open := time.Date(2026, 5, 4, 13, 30, 0, 0, time.UTC)
	end := open.Add(6 * time.Hour)
	return map[string]order.Order{
		"market": {Symbol: "AAPL", Qty: dec("1"), Side: order.Buy, Type: order.Market, TimeInForce: order.Day},
		"simple class": {Symbol: "AAPL", Qty: dec("1"), Side: order.Buy, Type: order.Market, TimeInForce: order.Day,
			OrderClass: order.Simple},
		"fractional": {Symbol: "AAPL", Qty: dec("0.123456789"), Side: order.Sell, Type: order.Market, TimeInForce: order.Day},
		"notional":   {Symbol: "AAPL", Notional: dec("100.50"), Side: order.Buy, Type: order.Market, TimeInForce: order.Day},
		"limit, extended hours": {Symbol: "BRK.B", Qty: dec("10"), Side: order.Buy, Type: order.Limit,
			TimeInForce: order.GTC, LimitPrice: dec("321.25"), ExtendedHours: true},
		"stop": {Symbol: "AAPL", Qty: dec("10"), Side: order.Sell, Type: order.Stop, TimeInForce: order.GTC, StopPrice: dec("99.5")},
		"stop limit": {Symbol: "AAPL", Qty: dec("10"), Side: order.Sell, Type: order.StopLimit, TimeInForce: order.Day,
			StopPrice: dec("99.5"), LimitPrice: dec("99")},
		"trail price": {Symbol: "AAPL", Qty: dec("3"), Side: order.Sell, Type: order.TrailingStop, TimeInForce: order.Day,
			TrailPrice: dec("1.25")},
		"trail percent": {Symbol: "AAPL", Qty: dec("3"), Side: order.Sell, Type: order.TrailingStop, TimeInForce: order.GTC,
			TrailPercent: dec("2.5")},
		"crypto": {Symbol: "BTC/USD", Qty: dec("0.000012345"), Side: order.Buy, Type: order.Limit, TimeInForce: order.IOC,
			LimitPrice: dec("64123.123456789")},
		"bracket": {Symbol: "SPY", Qty: dec("100"), Side: order.Buy, Type: order.Market, TimeInForce: order.GTC,
			OrderClass: order.Bracket, TakeProfit: &order.TakeProfit{LimitPrice: dec("301")},
			StopLoss: &order.StopLoss{StopPrice: dec("299"), LimitPrice: dec("298.5")}},
		"oco": {Symbol: "SPY", Qty: dec("100"), Side: order.Sell, Type: order.Limit, TimeInForce: order.GTC,
			OrderClass: order.OCO, TakeProfit: &order.TakeProfit{LimitPrice: dec("301")},
			StopLoss: &order.StopLoss{StopPrice: dec("299")}},
		"oto": {Symbol: "SPY", Qty: dec("100"), Side: order.Buy, Type: order.Market, TimeInForce: order.Day,
			OrderClass: order.OTO, StopLoss: &order.StopLoss{StopPrice: dec("299")}},
		"option": {Symbol: "AAPL260619C00200000", Qty: dec("1"), Side: order.Buy, Type: order.Limit, TimeInForce: order.Day,
			LimitPrice: dec("1.05"), PositionIntent: order.BuyToOpen},
		"multi-leg": {Qty: dec("1"), Type: order.Limit, TimeInForce: order.Day, LimitPrice: dec("-0.75"),
			OrderClass: order.MultiLeg, Legs: []order.Leg{
				{Symbol: "AAPL260619C00200000", RatioQty: dec("1"), Side: order.Buy, PositionIntent: order.BuyToOpen},
				{Symbol: "AAPL260619C00210000", RatioQty: dec("2"), Side: order.Sell, PositionIntent: order.SellToOpen},
			}},
		"advanced instructions": {Symbol: "AAPL", Qty: dec("1000"), Side: order.Buy, Type: order.Limit,
			TimeInForce: order.Day, LimitPrice: dec("200"), AdvancedInstructions: &order.AdvancedInstructions{
				Algorithm: "VWAP", StartTime: &open, EndTime: &end, MaxPercentage: dec("0.314")}},
	}
}

func dec(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}
