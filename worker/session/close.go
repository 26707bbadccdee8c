package session

import (
	"context"
	"fmt"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// closePosition closes what the account holds of a symbol, or a part of it, with an
// order of ours. The broker's own close endpoint makes an order without our id, which
// could not be looked up if its answer was lost.
func (s *Session) closePosition(ctx context.Context, t *task) (*order.Outcome, error) {
	// What was booked is ours if it is about this symbol: its side and quantity came
	// from a position that it may have changed since.
	differences := func(booked *broker.Order) []string {
		asked := booked.Order
		asked.Symbol = t.intent.Order.Symbol
		asked.Type = order.Market
		return broker.Differences(t.id, &asked, booked)
	}
	if t.ambiguous { // before the position is asked for: it may be closed already
		o, err := s.resolve(ctx, t, booking{differences: differences})
		if o != nil || err != nil {
			return o, err
		}
	}
	v, o, err := s.lookup(ctx, t, order.CallPosition, func(ctx context.Context) broker.Verdict { return s.client.Position(ctx, t.intent.Order.Symbol) })
	if o != nil || err != nil {
		return o, err
	}
	if asked := t.intent.Order.Qty; asked != nil && asked.GreaterThan(v.Position.Qty.Abs()) {
		t.outcome.Rule = RuleCloseExceedsPosition // the broker would open the opposite position
		return t.end(order.Blocked, fmt.Sprintf("order.qty: %s is more than the position of %s", asked, v.Position.Qty)), nil
	}
	closing := opposite(v.Position, t.intent.Order)
	return s.drive(ctx, t, booking{
		call:        order.CallPlace,
		order:       closing,
		send:        func(ctx context.Context) broker.Verdict { return s.client.Place(ctx, t.id, closing, s.notAfter(t)) },
		differences: differences,
	})
}

// opposite is the market order that undoes a position, or as much of it as asked.
func opposite(p *broker.Position, asked *order.Order) *order.Order {
	qty, side := p.Qty.Abs(), order.Sell
	if p.Qty.IsNegative() {
		side = order.Buy
	}
	if asked.Qty != nil {
		qty = *asked.Qty
	}
	closing := &order.Order{
		Symbol:      asked.Symbol,
		Qty:         &qty,
		Side:        side,
		Type:        order.Market,
		TimeInForce: order.Day,
	}
	if p.AssetClass == "crypto" {
		closing.TimeInForce = order.GTC // the only one beside ioc
	}
	return closing
}
