package alpaca

import (
	"bytes"
	"encoding/json"
	"strings"

	sdk "github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// placeRequest says an order in the SDK's words. The SDK writes absent fields as
// null or "", which Alpaca reads as absent; advanced instructions, which it
// cannot say, are added on the way out.
func placeRequest(clientOrderID string, o *order.Order) sdk.PlaceOrderRequest {
	req := sdk.PlaceOrderRequest{
		Symbol:         o.Symbol,
		Qty:            o.Qty,
		Notional:       o.Notional,
		Side:           sdk.Side(o.Side),
		Type:           sdk.OrderType(o.Type),
		TimeInForce:    sdk.TimeInForce(o.TimeInForce),
		LimitPrice:     o.LimitPrice,
		ExtendedHours:  o.ExtendedHours,
		StopPrice:      o.StopPrice,
		ClientOrderID:  clientOrderID,
		OrderClass:     sdk.OrderClass(o.OrderClass),
		TrailPrice:     o.TrailPrice,
		TrailPercent:   o.TrailPercent,
		PositionIntent: sdk.PositionIntent(o.PositionIntent),
	}
	if o.TakeProfit != nil {
		req.TakeProfit = &sdk.TakeProfit{LimitPrice: o.TakeProfit.LimitPrice}
	}
	if o.StopLoss != nil {
		req.StopLoss = &sdk.StopLoss{StopPrice: o.StopLoss.StopPrice, LimitPrice: o.StopLoss.LimitPrice}
	}
	for _, leg := range o.Legs {
		req.Legs = append(req.Legs, sdk.Leg{
			Side:           sdk.Side(leg.Side),
			PositionIntent: sdk.PositionIntent(leg.PositionIntent),
			Symbol:         leg.Symbol,
			RatioQty:       deref(leg.RatioQty),
		})
	}
	return req
}

func replaceRequest(clientOrderID string, o *order.Order) sdk.ReplaceOrderRequest {
	return sdk.ReplaceOrderRequest{
		Qty:           o.Qty,
		LimitPrice:    o.LimitPrice,
		StopPrice:     o.StopPrice,
		Trail:         o.Trail,
		TimeInForce:   sdk.TimeInForce(o.TimeInForce),
		ClientOrderID: clientOrderID,
	}
}

// instructions encodes what the SDK's requests have no field for.
func instructions(o *order.Order) ([]byte, error) {
	if o.AdvancedInstructions == nil {
		return nil, nil
	}
	return json.Marshal(o.AdvancedInstructions)
}

// booked reads an order as the SDK decoded it.
func booked(o *sdk.Order) *broker.Order {
	b := &broker.Order{
		ID:            o.ID,
		ClientOrderID: o.ClientOrderID,
		AssetID:       o.AssetID,
		AssetClass:    string(o.AssetClass),
		Status:        o.Status,
		ReplacedBy:    deref(o.ReplacedBy),
		Replaces:      deref(o.Replaces),
		FilledQty:     o.FilledQty,
		Created:       o.CreatedAt,
		Order: order.Order{
			Symbol:         o.Symbol,
			Qty:            o.Qty,
			Notional:       o.Notional,
			Side:           order.Side(o.Side),
			Type:           order.Type(o.Type),
			TimeInForce:    order.TimeInForce(o.TimeInForce),
			LimitPrice:     o.LimitPrice,
			StopPrice:      o.StopPrice,
			TrailPrice:     o.TrailPrice,
			TrailPercent:   o.TrailPercent,
			ExtendedHours:  o.ExtendedHours,
			OrderClass:     order.Class(o.OrderClass),
			PositionIntent: order.PositionIntent(o.PositionIntent),
		},
	}
	if b.OrderClass == order.MultiLeg {
		for i := range o.Legs {
			leg := &o.Legs[i]
			b.Legs = append(b.Legs, order.Leg{
				Symbol:         leg.Symbol,
				RatioQty:       leg.RatioQty,
				Side:           order.Side(leg.Side),
				PositionIntent: order.PositionIntent(leg.PositionIntent),
			})
		}
		return b
	}
	protect(b, o.Legs)
	return b
}

// protect derives take-profit and stop-loss from the orders nested in one. An OCO
// order is itself the take-profit.
func protect(b *broker.Order, legs []sdk.Order) {
	for i := range legs {
		switch leg := &legs[i]; order.Type(leg.Type) {
		case order.Limit:
			b.TakeProfit = &order.TakeProfit{LimitPrice: leg.LimitPrice}
		case order.Stop, order.StopLimit:
			b.StopLoss = &order.StopLoss{StopPrice: leg.StopPrice, LimitPrice: leg.LimitPrice}
		default:
		}
	}
	if b.OrderClass == order.OCO && b.TakeProfit == nil && b.LimitPrice != nil {
		b.TakeProfit = &order.TakeProfit{LimitPrice: b.LimitPrice}
	}
}

// held reads a position. Alpaca writes a short one with a negative quantity; its
// side is believed too.
func held(p *sdk.Position) *broker.Position {
	h := &broker.Position{
		Symbol:     p.Symbol,
		AssetClass: string(p.AssetClass),
		Qty:        p.Qty,
		Available:  p.QtyAvailable.Abs(),
	}
	if p.Side == "short" && h.Qty.IsPositive() {
		h.Qty = h.Qty.Neg()
	}
	if h.Qty.IsNegative() {
		h.Available = h.Available.Neg()
	}
	return h
}

// repaired decodes an order, in valid JSON, that the SDK could not: some answers
// hold "" where a number or a time belongs. It reports whether it could.
func repaired(body []byte) (*sdk.Order, bool) {
	var members map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // no number becomes a float
	if dec.Decode(&members) != nil {
		return nil, false
	}
	dropEmpty(members)
	clean, err := json.Marshal(members)
	if err != nil {
		return nil, false
	}
	o := new(sdk.Order)
	return o, o.UnmarshalJSON(clean) == nil
}

// dropEmpty removes the members that are "", in nested orders too.
func dropEmpty(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == "" {
				delete(v, name)
			}
			dropEmpty(member)
		}
	case []any:
		for _, element := range v {
			dropEmpty(element)
		}
	}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// sameSymbol compares as Alpaca does for crypto: BTC/USD and BTCUSD are one.
func sameSymbol(a, b string) bool {
	return strings.ReplaceAll(a, "/", "") == strings.ReplaceAll(b, "/", "")
}
