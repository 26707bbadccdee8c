package paper

import (
	"fmt"
	"net/http"
	"time"
)

// draftLegs adds the legs of a bracket, OCO or OTO order.
func draftLegs(o *order, r *orderRequest) *answer {
	profit, loss := r.TakeProfit, r.StopLoss
	switch o.class {
	case classSimple:
		if profit != nil || loss != nil {
			return invalid("take_profit and stop_loss are only allowed for complex orders")
		}
		return nil
	case classBracket:
		if profit == nil || loss == nil {
			return invalid("bracket orders require take_profit.limit_price and stop_loss.stop_price")
		}
	case classOCO:
		if loss == nil || profit == nil && !r.LimitPrice.Valid {
			return invalid("oco orders require take_profit.limit_price and stop_loss.stop_price")
		}
		if o.typ != typeLimit {
			return invalid("oco orders must be limit orders")
		}
		if profit != nil && profit.LimitPrice.Valid && !profit.LimitPrice.Decimal.Equal(o.limit.Decimal) {
			return invalid("limit_price and take_profit.limit_price of an oco order must be the same")
		}
		profit = nil // it is the order itself
	case classOTO:
		if (profit == nil) == (loss == nil) {
			return invalid("oto orders require either take_profit or stop_loss")
		}
	}
	if o.tif != tifDay && o.tif != tifGTC {
		return invalid("complex orders must be day or gtc orders")
	}
	if o.extended {
		return invalid("extended hours orders must be simple orders")
	}
	if profit != nil {
		if refusal := addProfit(o, profit); refusal != nil {
			return refusal
		}
	}
	if loss != nil {
		if refusal := addLoss(o, loss); refusal != nil {
			return refusal
		}
	}
	return checkOrderOfPrices(o, r)
}

// leg starts a leg that closes what its parent opens. The leg of an OCO order is on
// its parent's side.
func (o *order) leg(typ string) *order {
	side := buy
	if (o.side == sell) == (o.class == classOCO) {
		side = sell
	}
	leg := &order{asset: o.asset, side: side, typ: typ, tif: o.tif, class: o.class, qty: o.qty, parent: o}
	o.legs = append(o.legs, leg)
	return leg
}

func addProfit(o *order, p *takeProfit) *answer {
	if !p.LimitPrice.Valid {
		return invalid("take_profit.limit_price is required")
	}
	leg := o.leg(typeLimit)
	leg.limit = p.LimitPrice.opt()
	return checkPrice(o.asset, "take_profit.limit_price", leg.limit)
}

func addLoss(o *order, l *stopLoss) *answer {
	if !l.StopPrice.Valid {
		return invalid("stop_loss.stop_price is required")
	}
	leg := o.leg(typeStop)
	leg.stop = l.StopPrice.opt()
	if l.LimitPrice.Valid {
		leg.typ, leg.limit = typeStopLimit, l.LimitPrice.opt()
	}
	if refusal := checkPrice(o.asset, "stop_loss.limit_price", leg.limit); refusal != nil {
		return refusal
	}
	return checkPrice(o.asset, "stop_loss.stop_price", leg.stop)
}

// checkOrderOfPrices wants a take-profit on the far side of its stop-loss.
func checkOrderOfPrices(o *order, r *orderRequest) *answer {
	loss := o.legs[len(o.legs)-1]
	profit := o.limit
	if o.class == classBracket {
		profit = o.legs[0].limit
	}
	if o.class == classOTO || r.StopLoss == nil {
		return nil
	}
	if loss.side == sell && !profit.Decimal.GreaterThan(loss.stop.Decimal) {
		return invalid("take_profit.limit_price must be > stop_loss.stop_price")
	}
	if loss.side == buy && !profit.Decimal.LessThan(loss.stop.Decimal) {
		return invalid("take_profit.limit_price must be < stop_loss.stop_price")
	}
	return nil
}

// maxLegs is the most legs of a multi-leg order.
const maxLegs = 4

// draftMultiLeg adds the legs of a multi-leg options order.
func (b *Broker) draftMultiLeg(o *order, r *orderRequest, now time.Time) *answer {
	switch {
	case len(r.Legs) < 2 || len(r.Legs) > maxLegs:
		return invalid("mleg orders require between 2 and 4 legs")
	case r.Symbol != "":
		return invalid("symbol is not allowed for mleg orders")
	case !o.qty.Valid || o.notional.Valid:
		return invalid("qty is required for mleg orders")
	case !o.qty.Decimal.IsPositive() || !o.qty.Decimal.IsInteger() || o.qty.Decimal.GreaterThan(maxQuantity):
		return invalid("qty of an mleg order must be a whole number > 0")
	case o.typ != typeMarket && o.typ != typeLimit:
		return invalid("mleg orders must be market or limit orders")
	case o.tif != tifDay && o.tif != tifGTC:
		return invalid("order_time_in_force provided not supported for options trading")
	case (o.typ == typeLimit) != o.limit.Valid:
		return invalid("limit_price is required for limit orders and only for them")
	case o.limit.Valid && o.limit.Decimal.Abs().GreaterThan(maxQuantity):
		return invalid("limit_price is too large")
	case o.limit.Valid && !o.limit.Decimal.Truncate(2).Equal(o.limit.Decimal):
		return invalid("invalid limit_price: at most 2 decimal places")
	case o.stop.Valid || o.trailPrice.Valid || o.trailPercent.Valid || r.TakeProfit != nil || r.StopLoss != nil || o.extended:
		return invalid("mleg orders take qty, limit_price and legs alone")
	}
	seen := make(map[*asset]bool, len(r.Legs))
	for i := range r.Legs {
		leg, refusal := b.draftLeg(o, &r.Legs[i], now)
		if refusal != nil {
			return refusal
		}
		if seen[leg.asset] {
			return invalid(fmt.Sprintf("duplicate leg %q", leg.asset.symbol))
		}
		seen[leg.asset] = true
		o.legs = append(o.legs, leg)
	}
	return nil
}

func (b *Broker) draftLeg(o *order, r *legRequest, now time.Time) (*order, *answer) {
	a := b.market.find(upper(r.Symbol), now)
	ratio := r.RatioQty.opt()
	side := r.Side
	if side == "" && len(r.Intent) > 4 {
		side = map[bool]string{true: buy, false: sell}[r.Intent[:4] == "buy_"]
	}
	switch {
	case a == nil:
		return nil, refuse(http.StatusUnprocessableEntity, codeState, fmt.Sprintf("asset %q not found", r.Symbol))
	case a.class != option:
		return nil, invalid("legs of an mleg order must be options")
	case !isIntent(r.Intent):
		return nil, invalid("invalid position_intent")
	case !isOneOf(side, buy, sell):
		return nil, invalid("side of a leg is required")
	case !ratio.Valid || !ratio.Decimal.IsPositive() || !ratio.Decimal.IsInteger() || ratio.Decimal.GreaterThan(maxQuantity):
		return nil, invalid("ratio_qty must be a whole number > 0")
	}
	return &order{
		asset: a, side: word(side), tif: o.tif, class: o.class, intent: word(r.Intent), parent: o,
		qty: some(o.qty.Decimal.Mul(ratio.Decimal)), ratio: ratio,
	}, nil
}
