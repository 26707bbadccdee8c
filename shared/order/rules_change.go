package order

// change checks what a replace asks to change.
func (p *problems) change(o *Order) {
	p.check(o.Qty != nil || o.TimeInForce != "" || o.LimitPrice != nil || o.StopPrice != nil || o.Trail != nil || o.AdvancedInstructions != nil,
		"order", "changes nothing: give qty, time_in_force, limit_price, stop_price, trail or advanced_instructions")
	p.only(o, "a replace", Order{
		Qty: o.Qty, TimeInForce: o.TimeInForce, LimitPrice: o.LimitPrice, StopPrice: o.StopPrice, Trail: o.Trail, AdvancedInstructions: o.AdvancedInstructions,
	})
	// What the order is, and so how fine its prices are, is not known here.
	p.positive("order.qty", o.Qty, 9)
	p.places("order.limit_price", o.LimitPrice, 9) // below 0 for a multi-leg credit
	p.positive("order.stop_price", o.StopPrice, 9)
	p.positive("order.trail", o.Trail, 9)
	oneOf(p, "order.time_in_force", o.TimeInForce, Day, GTC, OPG, CLS, IOC, FOK)
	p.routing(o.AdvancedInstructions)
}

// closing checks what a close_position asks to close.
func (p *problems) closing(o *Order) {
	p.symbol(o.Symbol)
	p.positive("order.qty", o.Qty, 9)
	p.only(o, "a close_position", Order{Symbol: o.Symbol, Qty: o.Qty})
}

// only checks that an order has no other fields than those of allowed.
func (p *problems) only(o *Order, what string, allowed Order) {
	for _, f := range []struct {
		name       string
		there, may bool
	}{
		{"symbol", o.Symbol != "", allowed.Symbol != ""},
		{"qty", o.Qty != nil, allowed.Qty != nil},
		{"notional", o.Notional != nil, false},
		{"side", o.Side != "", false},
		{"type", o.Type != "", false},
		{"time_in_force", o.TimeInForce != "", allowed.TimeInForce != ""},
		{"limit_price", o.LimitPrice != nil, allowed.LimitPrice != nil},
		{"stop_price", o.StopPrice != nil, allowed.StopPrice != nil},
		{"trail_price", o.TrailPrice != nil, false},
		{"trail_percent", o.TrailPercent != nil, false},
		{"trail", o.Trail != nil, allowed.Trail != nil},
		{"extended_hours", o.ExtendedHours, false},
		{"order_class", o.OrderClass != "", false},
		{"take_profit", o.TakeProfit != nil, false},
		{"stop_loss", o.StopLoss != nil, false},
		{"position_intent", o.PositionIntent != "", false},
		{"legs", len(o.Legs) > 0, false},
		{"advanced_instructions", o.AdvancedInstructions != nil, allowed.AdvancedInstructions != nil},
	} {
		p.check(!f.there || f.may, "order."+f.name, "has no place in %s", what)
	}
}
