package paper

import (
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// draft makes an order of a request, or says what is wrong with it. It looks at no
// account.
func (b *Broker) draft(r *orderRequest, now time.Time) (*order, *answer) {
	if refusal := checkWords(r); refusal != nil {
		return nil, refusal
	}
	o := &order{
		clientID: r.ClientOrderID, side: word(r.Side), typ: word(r.Type), tif: word(r.TimeInForce), class: word(r.OrderClass),
		intent: word(r.Intent), extended: r.ExtendedHours,
		qty: r.Qty.opt(), notional: r.Notional.opt(), limit: r.LimitPrice.opt(), stop: r.StopPrice.opt(),
		trailPrice: r.TrailPrice.opt(), trailPercent: r.TrailPercent.opt(),
	}
	if o.class == "simple" {
		o.class = classSimple
	}
	if o.class == classMultiLg {
		if refusal := b.draftMultiLeg(o, r, now); refusal != nil {
			return nil, refusal
		}
	} else {
		if refusal := b.draftSingle(o, r, now); refusal != nil {
			return nil, refusal
		}
	}
	o.expires = b.session.expiry(o, now)
	for _, leg := range o.legs {
		leg.expires = b.session.expiry(leg, now)
	}
	if b.session.hours() == NewYorkHours {
		return o, checkAuction(o, now)
	}
	return o, nil
}

func (b *Broker) draftSingle(o *order, r *orderRequest, now time.Time) *answer {
	if r.Symbol == "" {
		return invalid("symbol is required")
	}
	o.asset = b.market.find(upper(r.Symbol), now)
	if o.asset == nil {
		o.asset = b.market.find(r.Symbol, now) // an id
	}
	switch {
	case o.asset == nil:
		return refuse(http.StatusUnprocessableEntity, codeState, fmt.Sprintf("asset %q not found", r.Symbol))
	case o.side == "":
		return invalid("side is required")
	case len(r.Legs) > 0:
		return invalid("legs are only allowed for mleg orders")
	}
	if o.class == classOCO && r.TakeProfit != nil && !o.limit.Valid {
		o.limit = r.TakeProfit.LimitPrice.opt()
	}
	for _, check := range []func(*order) *answer{checkQuantity, checkPrices, checkTimeInForce} {
		if refusal := check(o); refusal != nil {
			return refusal
		}
	}
	return draftLegs(o, r)
}

// checkWords refuses words that the API does not know.
func checkWords(r *orderRequest) *answer {
	switch {
	case utf8.RuneCountInString(r.ClientOrderID) > maxClientOrderID:
		return invalid(fmt.Sprintf("client_order_id must be no more than %d characters", maxClientOrderID))
	case !isOneOf(r.Side, "", buy, sell):
		return invalid("invalid side")
	case r.Type == "":
		return invalid("type is required")
	case !isOneOf(r.Type, typeMarket, typeLimit, typeStop, typeStopLimit, typeTrailing):
		return invalid("invalid order type")
	case r.TimeInForce == "":
		return invalid("time_in_force is required")
	case !isOneOf(r.TimeInForce, tifDay, tifGTC, tifOPG, tifCLS, tifIOC, tifFOK):
		return invalid("invalid time_in_force")
	case !isOneOf(r.OrderClass, classSimple, "simple", classBracket, classOCO, classOTO, classMultiLg):
		return invalid("invalid order_class")
	case !isIntent(r.Intent):
		return invalid("invalid position_intent")
	}
	return nil
}

// words are the words of orders, one copy of each: a million orders should not keep a
// million of them.
var words = func() map[string]string {
	m := make(map[string]string)
	for _, w := range []string{
		buy, sell, typeMarket, typeLimit, typeStop, typeStopLimit, typeTrailing, classBracket, classOCO, classOTO,
		classMultiLg, tifDay, tifGTC, tifOPG, tifCLS, tifIOC, tifFOK, "simple",
		"buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close",
	} {
		m[w] = w
	}
	return m
}()

// word returns the copy of a word that checkWords has let pass.
func word(s string) string { return words[s] }

func isIntent(s string) bool {
	return isOneOf(s, "", "buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
}

func isOneOf(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return false
}

var one = decimal.NewFromInt(1)

// Bounds of a quantity.
const quantityPlaces = 9

var maxQuantity = decimal.New(1, 12)

func checkQuantity(o *order) *answer {
	switch {
	case o.qty.Valid == o.notional.Valid && o.qty.Valid:
		return invalid("only one of qty or notional is accepted")
	case !o.qty.Valid && !o.notional.Valid:
		return invalid("qty or notional is required")
	case o.qty.Valid && !o.qty.Decimal.IsPositive():
		return invalid("qty must be > 0")
	case o.qty.Valid && o.qty.Decimal.GreaterThan(maxQuantity):
		return invalid("qty is too large")
	case o.qty.Valid && !o.qty.Decimal.Truncate(quantityPlaces).Equal(o.qty.Decimal):
		return invalid("qty increment must be <= 9 decimal places")
	case o.notional.Valid && o.notional.Decimal.LessThan(one):
		return invalid("notional amount must be >= 1.00")
	case o.notional.Valid && o.notional.Decimal.GreaterThan(maxQuantity):
		return invalid("notional amount is too large")
	case o.notional.Valid && !o.notional.Decimal.Truncate(2).Equal(o.notional.Decimal):
		return invalid("notional value must be limited to 2 decimal places")
	}
	fractional := o.notional.Valid || !o.qty.Decimal.IsInteger()
	if !fractional || o.asset.class == crypto {
		return nil
	}
	switch {
	case !o.asset.fractionable:
		return refuse(http.StatusForbidden, codeForbidden, fmt.Sprintf("asset %q is not fractionable", o.asset.symbol))
	case o.tif != tifDay:
		return invalid("fractional orders must be DAY orders")
	case o.class != classSimple:
		return invalid("fractional orders must be simple orders")
	case o.typ == typeTrailing:
		return invalid("fractional orders cannot be trailing_stop orders")
	}
	return nil
}

// checkPrices holds the prices against the type of the order.
func checkPrices(o *order) *answer {
	limits := o.typ == typeLimit || o.typ == typeStopLimit
	stops := o.typ == typeStop || o.typ == typeStopLimit
	trails := o.typ == typeTrailing
	switch {
	case limits && !o.limit.Valid:
		return invalid(o.typ + " orders require a limit price")
	case !limits && o.limit.Valid:
		return invalid(o.typ + " orders must not have a limit price")
	case stops && !o.stop.Valid:
		return invalid(o.typ + " orders require a stop price")
	case !stops && o.stop.Valid:
		return invalid(o.typ + " orders must not have a stop price")
	case trails && o.trailPrice.Valid == o.trailPercent.Valid:
		return invalid("trailing stop orders must specify one of trail_price or trail_percent")
	case !trails && (o.trailPrice.Valid || o.trailPercent.Valid):
		return invalid("trail_price and trail_percent are only allowed for trailing stop orders")
	case trails && o.trailPercent.Valid && (!o.trailPercent.Decimal.IsPositive() || !o.trailPercent.Decimal.LessThan(decimal.NewFromInt(100))):
		return invalid("trail_percent must be between 0 and 100")
	}
	for _, p := range []struct {
		name  string
		price opt
	}{{"limit_price", o.limit}, {"stop_price", o.stop}, {"trail_price", o.trailPrice}} {
		if refusal := checkPrice(o.asset, p.name, p.price); refusal != nil {
			return refusal
		}
	}
	return nil
}

// checkPrice refuses prices that are not positive or finer than the asset's are.
func checkPrice(a *asset, name string, price opt) *answer {
	switch {
	case !price.Valid:
		return nil
	case !price.Decimal.IsPositive():
		return invalid(name + " must be > 0")
	case price.Decimal.GreaterThan(maxQuantity):
		return invalid(name + " is too large")
	case !price.Decimal.Truncate(a.places(price.Decimal)).Equal(price.Decimal):
		return refuse(http.StatusUnprocessableEntity, codeState,
			fmt.Sprintf("invalid %s %s. sub-penny increment does not fulfill minimum pricing criteria", name, price.Decimal))
	}
	return nil
}

func checkTimeInForce(o *order) *answer {
	switch {
	case o.extended && (o.typ != typeLimit || o.tif != tifDay && o.tif != tifGTC):
		return invalid(`only type="limit" is allowed for extended hours orders`)
	case o.asset.class == crypto && !isOneOf(o.tif, tifGTC, tifIOC, tifFOK):
		return invalid("invalid crypto time_in_force")
	case o.asset.class == crypto && !isOneOf(o.typ, typeMarket, typeLimit, typeStopLimit):
		return invalid("invalid order type for crypto order")
	case o.asset.class == crypto && o.class != classSimple:
		return invalid("crypto orders not allowed for advanced order_class: " + o.class)
	case o.asset.class == option && !isOneOf(o.tif, tifDay, tifGTC):
		return invalid("order_time_in_force provided not supported for options trading")
	case o.asset.class == option && o.typ == typeTrailing:
		return invalid("invalid order type for options trading")
	case (o.tif == tifIOC || o.tif == tifFOK) && o.typ != typeMarket && o.typ != typeLimit && o.asset.class != crypto:
		return invalid("ioc and fok orders must be market or limit orders")
	case (o.tif == tifOPG || o.tif == tifCLS) && o.typ != typeMarket && o.typ != typeLimit:
		return invalid(o.tif + " orders must be market or limit orders")
	case o.typ == typeTrailing && o.tif != tifDay && o.tif != tifGTC:
		return invalid("trailing stop orders must be day or gtc orders")
	}
	return nil
}

// checkAuction refuses orders for an auction shortly before it (New York time):
// opg from 09:28 to 19:00, cls from 15:50 to 19:00.
func checkAuction(o *order, now time.Time) *answer {
	if o.tif != tifOPG && o.tif != tifCLS {
		return nil
	}
	t := now.In(newYork)
	minute := t.Hour()*60 + t.Minute()
	switch {
	case minute >= 19*60:
	case o.tif == tifOPG && minute >= 9*60+28:
		return invalid("opg orders are not accepted between 9:28am and 7:00pm ET")
	case o.tif == tifCLS && minute >= 15*60+50:
		return invalid("cls orders are not accepted between 3:50pm and 7:00pm ET")
	}
	return nil
}
