package order_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Bodies of orders that break no rule, to be bent in the tables below.
const (
	market   = `"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"`
	limit    = `"symbol":"AAPL","qty":"1","side":"buy","type":"limit","limit_price":"150.25","time_in_force":"day"`
	trailing = `"symbol":"AAPL","qty":"1","side":"sell","type":"trailing_stop","trail_price":"2","time_in_force":"gtc"`
	coin     = `"symbol":"BTC/USD","qty":"0.001","side":"buy","type":"limit","limit_price":"61000.123456","time_in_force":"gtc"`
	call     = `"symbol":"AAPL271217C00250000","qty":"2","side":"buy","type":"limit","limit_price":"12.35","time_in_force":"day"`
	bracket  = `"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"gtc","order_class":"bracket","take_profit":{"limit_price":"200"},"stop_loss":{"stop_price":"100"}`
	oco      = `"symbol":"AAPL","qty":"1","side":"sell","type":"limit","time_in_force":"gtc","order_class":"oco","take_profit":{"limit_price":"200"},"stop_loss":{"stop_price":"100"}`
	spread   = `"qty":"1","type":"limit","limit_price":"-0.6","time_in_force":"day","order_class":"mleg","legs":[{"symbol":"AAPL271217C00250000","ratio_qty":"1","side":"sell"},{"symbol":"AAPL271217C00260000","ratio_qty":"2","side":"buy"}]`
)

// bend replaces texts of an order's body, in pairs.
func bend(body string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(body, pairs[i]) {
			panic("no " + pairs[i] + " in " + body)
		}
		body = strings.Replace(body, pairs[i], pairs[i+1], 1)
	}
	return body
}

func TestOrderRules(t *testing.T) {
	for _, test := range []struct{ name, body, field string }{
		{"a market order", market, ""},
		{"a limit order", limit, ""},
		{"a trailing stop", trailing, ""},
		{"crypto", coin, ""},
		{"an option", call, ""},
		{"a bracket", bracket, ""},
		{"an oco", oco, ""},
		{"a spread", spread, ""},

		{"no symbol", bend(market, `"AAPL"`, `""`), "order.symbol"},
		{"a symbol with a quote", bend(market, `"AAPL"`, `"AA\"PL"`), "order.symbol"},
		{"a symbol with a space", bend(market, `"AAPL"`, `"AA PL"`), "order.symbol"},
		{"a long symbol", bend(market, `AAPL`, strings.Repeat("A", 65)), "order.symbol"},
		{"no side", bend(market, `"side":"buy",`, ``), "order.side"},
		{"another side", bend(market, `"buy"`, `"hold"`), "order.side"},
		{"no type", bend(market, `"type":"market",`, ``), "order.type"},
		{"another type", bend(market, `"market"`, `"mkt"`), "order.type"},
		{"no time in force", bend(market, `,"time_in_force":"day"`, ``), "order.time_in_force"},
		{"another time in force", bend(market, `"day"`, `"week"`), "order.time_in_force"},
		{"another class", bend(market, `"qty"`, `"order_class":"combo","qty"`), "order.order_class"},

		{"neither qty nor notional", bend(market, `"qty":"1",`, ``), "order.qty"},
		{"qty and notional", bend(market, `"qty":"1"`, `"qty":"1","notional":"10"`), "order.notional"},
		{"a qty of 0", bend(market, `"1"`, `"0"`), "order.qty"},
		{"a negative qty", bend(market, `"1"`, `"-1"`), "order.qty"},
		{"a fractional qty", bend(market, `"1"`, `"0.123456789"`), ""},
		{"a finer qty", bend(market, `"1"`, `"0.1234567891"`), "order.qty"},
		{"a fractional qty for good", bend(market, `"1"`, `"0.5"`, `"day"`, `"gtc"`), "order.time_in_force"},
		{"a notional order", bend(market, `"qty":"1"`, `"notional":"10"`), ""},
		{"a notional order below a dollar", bend(market, `"qty":"1"`, `"notional":"0.99"`), "order.notional"},
		{"a notional order for good", bend(market, `"qty":"1"`, `"notional":"10"`, `"day"`, `"gtc"`), "order.time_in_force"},

		{"a limit order without price", bend(limit, `"limit_price":"150.25",`, ``), "order.limit_price"},
		{"a limit of 0", bend(limit, `150.25`, `0`), "order.limit_price"},
		{"a limit below 0", bend(limit, `150.25`, `-1`), "order.limit_price"},
		{"a sub-penny limit", bend(limit, `150.25`, `150.255`), "order.limit_price"},
		{"a sub-penny limit below a dollar", bend(limit, `150.25`, `0.1234`), ""},
		{"too fine a limit below a dollar", bend(limit, `150.25`, `0.12345`), "order.limit_price"},
		{"a price at the market", bend(market, `"qty"`, `"limit_price":"1","qty"`), "order.limit_price"},
		{"a stop price at the market", bend(market, `"qty"`, `"stop_price":"1","qty"`), "order.stop_price"},
		{"a stop order", bend(market, `"market"`, `"stop","stop_price":"100"`), ""},
		{"a stop order without price", bend(market, `"market"`, `"stop"`), "order.stop_price"},
		{"a stop-limit order", bend(limit, `"limit",`, `"stop_limit","stop_price":"100",`), ""},
		{"a stop-limit order without stop", bend(limit, `"limit",`, `"stop_limit",`), "order.stop_price"},
		{"a trail at the market", bend(market, `"qty"`, `"trail_price":"1","qty"`), "order.trail_price"},
		{"a percent at the market", bend(market, `"qty"`, `"trail_percent":"1","qty"`), "order.trail_percent"},
		{"a trailing stop without trail", bend(trailing, `"trail_price":"2",`, ``), "order.trail_price"},
		{"a trailing stop of two trails", bend(trailing, `"qty"`, `"trail_percent":"1","qty"`), "order.trail_percent"},
		{"a trail of 0", bend(trailing, `"2"`, `"0"`), "order.trail_price"},
		{"a replace's trail", bend(trailing, `"qty"`, `"trail":"1","qty"`), "order.trail"},

		{"market on open", bend(market, `"day"`, `"opg"`), ""},
		{"a trailing stop on open", bend(trailing, `"gtc"`, `"opg"`), "order.time_in_force"},
		{"a trailing stop, fill or kill", bend(trailing, `"gtc"`, `"fok"`), "order.time_in_force"},
		{"a limit in extended hours", bend(limit, `"qty"`, `"extended_hours":true,"qty"`), ""},
		{"a market order in extended hours", bend(market, `"qty"`, `"extended_hours":true,"qty"`), "order.extended_hours"},
		{"an opening limit in extended hours", bend(limit, `"qty"`, `"extended_hours":true,"qty"`, `"day"`, `"opg"`), "order.extended_hours"},

		{"crypto by the day", bend(coin, `"gtc"`, `"day"`), "order.time_in_force"},
		{"a trailing coin", bend(trailing, `AAPL`, `BTC/USD`), "order.type"},
		{"a bracket of coins", bend(bracket, `AAPL`, `BTC/USD`), "order.order_class"},
		{"crypto in extended hours", bend(coin, `"qty"`, `"extended_hours":true,"qty"`), "order.extended_hours"},
		{"half a contract", bend(call, `"2"`, `"0.5"`), "order.qty"},
		{"contracts for dollars", bend(call, `"qty":"2"`, `"notional":"100"`), "order.notional"},
		{"a bracket of contracts", bend(bracket, `AAPL`, `AAPL271217C00250000`), "order.order_class"},
		{"an intent against its side", bend(call, `"qty"`, `"position_intent":"sell_to_open","qty"`), "order.position_intent"},
		{"an intent that there is not", bend(call, `"qty"`, `"position_intent":"buy","qty"`), "order.position_intent"},

		{"a bracket without profit", bend(bracket, `"take_profit":{"limit_price":"200"},`, ``), "order.take_profit"},
		{"a bracket without loss", bend(bracket, `,"stop_loss":{"stop_price":"100"}`, ``), "order.stop_loss"},
		{"a bracket with an empty profit", bend(bracket, `"limit_price":"200"`, ``), "order.take_profit.limit_price"},
		{"a bracket with an empty loss", bend(bracket, `"stop_price":"100"`, ``), "order.stop_loss.stop_price"},
		{"a bracket the wrong way round", bend(bracket, `"200"`, `"100"`, `"stop_price":"100"`, `"stop_price":"200"`), "order.take_profit.limit_price"},
		{"a short bracket", bend(bracket, `"buy"`, `"sell"`, `"200"`, `"100"`, `"stop_price":"100"`, `"stop_price":"200"`), ""},
		{"a bracket of a fraction", bend(bracket, `"qty":"1"`, `"qty":"1.5"`, `"gtc"`, `"day"`), "order.qty"},
		{"a bracket on open", bend(bracket, `"gtc"`, `"opg"`), "order.time_in_force"},
		{"a bracket in dollars", bend(bracket, `"qty":"1"`, `"notional":"10"`, `"gtc"`, `"day"`), "order.notional"},
		{"profit of a simple order", bend(market, `"qty"`, `"take_profit":{"limit_price":"1"},"qty"`), "order.take_profit"},
		{"loss of a simple order", bend(market, `"qty"`, `"stop_loss":{"stop_price":"1"},"qty"`), "order.stop_loss"},
		{"an oco at the market", bend(oco, `"limit",`, `"market",`), "order.type"},
		{"an oco without loss", bend(oco, `,"stop_loss":{"stop_price":"100"}`, ``), "order.stop_loss"},
		{"an oto of a loss", bend(bracket, `"bracket"`, `"oto"`, `"take_profit":{"limit_price":"200"},`, ``), ""},
		{"an oto of both", bend(bracket, `"bracket"`, `"oto"`), "order.take_profit"},

		{"a spread with a symbol", bend(spread, `"qty"`, `"symbol":"AAPL","qty"`), "order.symbol"},
		{"a spread for good", bend(spread, `"day"`, `"gtc"`), "order.time_in_force"},
		{"a spread of stops", bend(spread, `"type":"limit"`, `"type":"stop"`), "order.type"},
		{"a spread of one leg", bend(spread, `,{"symbol":"AAPL271217C00260000","ratio_qty":"2","side":"buy"}`, ``), "order.legs"},
		{"a spread of shares", bend(spread, `AAPL271217C00250000`, `AAPL`), "order.legs.0.symbol"},
		{"a spread without ratio", bend(spread, `"ratio_qty":"2",`, ``), "order.legs.1.ratio_qty"},
		{"a spread without side", bend(spread, `,"side":"buy"`, ``), "order.legs.1.side"},
		{"a spread of even ratios", bend(spread, `"ratio_qty":"1"`, `"ratio_qty":"4"`), "order.legs"},
		{"a spread of half contracts", bend(spread, `"qty":"1"`, `"qty":"1.5"`), "order.qty"},
		{"legs of a simple order", bend(spread, `"mleg"`, `"simple"`), "order.legs"},

		{"routed", bend(market, `"qty"`, `"advanced_instructions":{"algorithm":"DMA","destination":"NYSE","display_qty":"100"},"qty"`), ""},
		{"routed nowhere", bend(market, `"qty"`, `"advanced_instructions":{"destination":"MOON"},"qty"`), "order.advanced_instructions.destination"},
		{"an odd lot shown", bend(market, `"qty"`, `"advanced_instructions":{"display_qty":"150"},"qty"`), "order.advanced_instructions.display_qty"},
		{"all of the volume", bend(market, `"qty"`, `"advanced_instructions":{"max_percentage":"1"},"qty"`), "order.advanced_instructions.max_percentage"},
		{"an end before its start", bend(market, `"qty"`, `"advanced_instructions":{"start_time":"2026-11-24T16:00:00Z","end_time":"2026-11-24T15:00:00Z"},"qty"`), "order.advanced_instructions.end_time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkRule(t, `{"id":"i1","kind":"order","expires_at":"2026-11-24T15:00:00Z","order":{`+test.body+`}}`, test.field)
		})
	}
}

func TestIntentRules(t *testing.T) {
	const head = `{"id":"i1","expires_at":"2026-11-24T15:00:00Z",`
	for _, test := range []struct{ name, message, field string }{
		{"a version of tomorrow", with(`"id"`, `"v":2,"id"`), "v"},
		{"no id", with(`"i1"`, `""`), "id"},
		{"an id with a dot", with(`"i1"`, `"a.b"`), "id"},
		{"an id with an umlaut", with(`"i1"`, `"ü"`), "id"},
		{"the longest id", with(`i1`, strings.Repeat("x", 64)), ""},
		{"a longer id", with(`i1`, strings.Repeat("x", 65)), "id"},
		{"no expiry", with(`"expires_at":"2026-11-24T15:00:00Z",`, ``), "expires_at"},
		{"no kind", with(`"kind":"order",`, ``), "kind"},
		{"a kind that there is not", with(`"kind":"order"`, `"kind":"buy"`), "kind"},
		{"an order without order", head + `"kind":"order"}`, "order"},
		{"driven again", with(`"kind"`, `"retry_of":"i0","kind"`), ""},
		{"driven again by itself", with(`"kind"`, `"retry_of":"i1","kind"`), "retry_of"},
		{"driven again of no id", with(`"kind"`, `"retry_of":"a.b","kind"`), "retry_of"},
		{"an order with a target", with(`"kind"`, `"target":"x","kind"`), "target"},
		{"too many labels", with(`"kind"`, `"labels":{`+manyLabels(17)+`},"kind"`), "labels"},
		{"a label without a name", with(`"kind"`, `"labels":{"":"x"},"kind"`), "labels"},
		{"a label of a line", with(`"kind"`, `"labels":{"a":"b\nc"},"kind"`), "labels"},
		{"a long label", with(`"kind"`, `"labels":{"a":"`+strings.Repeat("x", 257)+`"},"kind"`), "labels"},

		{"a replace", head + `"kind":"replace","target":"x","order":{"qty":"2"}}`, ""},
		{"a replace of nothing", head + `"kind":"replace","order":{"qty":"2"}}`, "target"},
		{"a replace of itself", head + `"kind":"replace","target":"i1","order":{"qty":"2"}}`, "target"},
		{"a replace by nothing", head + `"kind":"replace","target":"x"}`, "order"},
		{"a replace without change", head + `"kind":"replace","target":"x","order":{}}`, "order"},
		{"a replaced side", head + `"kind":"replace","target":"x","order":{"qty":"2","side":"buy"}}`, "order.side"},
		{"a replaced class", head + `"kind":"replace","target":"x","order":{"qty":"2","order_class":"oco"}}`, "order.order_class"},
		{"a replace by a qty of 0", head + `"kind":"replace","target":"x","order":{"qty":"0"}}`, "order.qty"},
		{"a replace by another time", head + `"kind":"replace","target":"x","order":{"time_in_force":"week"}}`, "order.time_in_force"},
		{"a target that is no id", head + `"kind":"cancel","target":"a.b"}`, "target"},
		{"a cancel", head + `"kind":"cancel","target":"x"}`, ""},
		{"a cancel of nothing", head + `"kind":"cancel"}`, "target"},
		{"a cancel with an order", head + `"kind":"cancel","target":"x","order":{}}`, "order"},
		{"cancel all", head + `"kind":"cancel_all"}`, ""},
		{"cancel all of one", head + `"kind":"cancel_all","target":"x"}`, "target"},
		{"a close", head + `"kind":"close_position","order":{"symbol":"AAPL"}}`, ""},
		{"a close of nothing", head + `"kind":"close_position"}`, "order"},
		{"a close without symbol", head + `"kind":"close_position","order":{"qty":"1"}}`, "order.symbol"},
		{"a close with a price", head + `"kind":"close_position","order":{"symbol":"AAPL","limit_price":"1"}}`, "order.limit_price"},
		{"a close of less than nothing", head + `"kind":"close_position","order":{"symbol":"AAPL","qty":"-1"}}`, "order.qty"},
	} {
		t.Run(test.name, func(t *testing.T) { checkRule(t, test.message, test.field) })
	}
}

func manyLabels(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"k` + string(rune('a'+i)) + `":"v"`)
	}
	return b.String()
}

// checkRule wants no complaint, or one about the field; and never a complaint of the
// schema that Go does not share.
func checkRule(t *testing.T, message, field string) {
	t.Helper()
	in, err := order.DecodeIntent([]byte(message))
	if err != nil {
		t.Fatal(err)
	}
	err = in.Validate()
	if field == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		if err := refused(t, compiled(t, order.IntentSchema), []byte(message)); err != nil {
			t.Errorf("refused by the schema: %v", err)
		}
		return
	}
	all, ok := errors.AsType[order.FieldErrors](err)
	if !ok {
		t.Fatalf("got %v, want FieldErrors", err)
	}
	for _, one := range all {
		if f, ok := errors.AsType[*order.FieldError](one); ok && f.Field == field {
			return
		}
	}
	t.Errorf("no complaint about %s: %v", field, err)
}

// Everything that is wrong is said at once.
func TestValidateSaysAll(t *testing.T) {
	in := order.Intent{ID: "a.b", Kind: order.KindOrder, Order: &order.Order{}}
	err := in.Validate()
	for _, field := range []string{"id: ", "expires_at: ", "order.type: ", "order.time_in_force: ", "order.symbol: ", "order.side: ", "order.qty: "} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("nothing of %s in %v", field, err)
		}
	}
}

func TestClientOrderID(t *testing.T) {
	tenant, id := strings.Repeat("t", order.MaxTenant), strings.Repeat("i", order.MaxID)
	full := order.ClientOrderID(tenant, id)
	if len(full) > 128 {
		t.Errorf("has %d characters, more than the broker's 128", len(full))
	}
	if gotTenant, gotID, ok := order.ParseClientOrderID(full); !ok || gotTenant != tenant || gotID != id {
		t.Errorf("parsed as %q, %q, %v", gotTenant, gotID, ok)
	}
	for _, foreign := range []string{"", "a", "a.", ".b", "a.b.c", "904837e3-3b76-47ec-b432-046db621571b", "a.b c", tenant + "x." + id} {
		if _, _, ok := order.ParseClientOrderID(foreign); ok {
			t.Errorf("%q was taken for ours", foreign)
		}
	}
}
