package paper_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

const (
	bracket = `{"symbol":"AAPL","qty":"2","side":"buy","type":"market","time_in_force":"gtc","order_class":"bracket",
		"take_profit":{"limit_price":"220"},"stop_loss":{"stop_price":"170","limit_price":"169"}}`
	oco = `{"symbol":"AAPL","qty":"2","side":"sell","type":"limit","time_in_force":"gtc","order_class":"oco",
		"take_profit":{"limit_price":"220"},"stop_loss":{"stop_price":"170"}}`
)

// legs returns the legs of an order as they are now.
func (c *client) legs(o map[string]any) []map[string]any {
	c.t.Helper()
	list, _ := c.order(o)["legs"].([]any)
	var legs []map[string]any
	for _, l := range list {
		leg, _ := l.(map[string]any)
		legs = append(legs, leg)
	}
	return legs
}

// wantLegs compares the states of an order's legs.
func (c *client) wantLegs(o map[string]any, states ...string) {
	c.t.Helper()
	legs := c.legs(o)
	if len(legs) != len(states) {
		c.t.Fatalf("%d legs, want %d", len(legs), len(states))
	}
	for i, s := range states {
		want(c.t, legs[i], "status", s)
	}
}

func TestBracket(t *testing.T) {
	waiting := strings.Replace(bracket, `"type":"market"`, `"type":"limit","limit_price":"180"`, 1)
	for name, tc := range map[string]struct {
		order  string
		prices []string
		entry  string
		legs   []string // take-profit, stop-loss
		qty    any      // of the position; nil for none
	}{
		"entry waits":         {waiting, nil, "new", []string{"held", "held"}, nil},
		"entry fills":         {bracket, nil, "filled", []string{"new", "held"}, "2"},
		"profit":              {bracket, []string{"220"}, "filled", []string{"filled", "canceled"}, nil},
		"loss":                {bracket, []string{"170"}, "filled", []string{"canceled", "filled"}, nil},
		"loss past its limit": {bracket, []string{"168"}, "filled", []string{"canceled", "new"}, "2"},
		"there and back":      {waiting, []string{"180", "200", "171", "230"}, "filled", []string{"filled", "canceled"}, nil},
		"stop before entry":   {waiting, []string{"181"}, "new", []string{"held", "held"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, c := newClient(t, paper.Config{})
			o := c.place(tc.order)
			for _, p := range tc.prices {
				prices(t, b, "AAPL", p)
			}
			want(t, c.order(o), "status", tc.entry, "order_class", "bracket")
			c.wantLegs(o, tc.legs...)
			c.wantPosition("AAPL", tc.qty)
			if n := len(b.Ledger().Booked(0)); n != 1 {
				t.Errorf("%d bookings: legs count with their parent", n)
			}
		})
	}
}

// wantPosition compares the quantity of a position; nil means that there is none.
func (c *client) wantPosition(symbol string, qty any) {
	c.t.Helper()
	if qty == nil {
		c.do(http.StatusNotFound, "GET", "/v2/positions/"+symbol, "")
		return
	}
	want(c.t, c.do(http.StatusOK, "GET", "/v2/positions/"+symbol, ""), "qty", qty)
}

func TestBracketEnds(t *testing.T) {
	_, c := newClient(t, paper.Config{})
	waiting := c.place(strings.Replace(bracket, `"type":"market"`, `"type":"limit","limit_price":"180"`, 1))
	c.do(204, "DELETE", "/v2/orders/"+waiting["id"].(string), "")
	c.wantLegs(waiting, "canceled", "canceled")

	o := c.place(bracket)
	profit := c.legs(o)[0]
	want(t, profit, "side", "sell", "type", "limit", "limit_price", "220", "qty", "2")
	want(t, c.legs(o)[1], "side", "sell", "type", "stop_limit", "stop_price", "170", "limit_price", "169")
	moved := c.do(200, "PATCH", "/v2/orders/"+profit["id"].(string), `{"limit_price":"225"}`)
	c.wantLegs(o, "new", "held")
	c.do(204, "DELETE", "/v2/orders/"+moved["id"].(string), "")
	c.wantLegs(o, "canceled", "canceled")
	want(t, c.do(200, "GET", "/v2/positions/AAPL", ""), "qty_available", "2")
}

func TestOneCancelsOther(t *testing.T) {
	for name, tc := range map[string]struct{ price, parent, leg string }{
		"rests":  {"200", "new", "held"},
		"profit": {"220", "filled", "canceled"},
		"loss":   {"170", "canceled", "filled"},
	} {
		t.Run(name, func(t *testing.T) {
			b, c := newClient(t, paper.Config{})
			c.place(strings.Replace(buyOne, `"1"`, `"2"`, 1))
			o := c.place(oco)
			want(t, o, "limit_price", "220", "order_class", "oco", "side", "sell")
			want(t, c.legs(o)[0], "side", "sell", "type", "stop", "stop_price", "170")
			prices(t, b, "AAPL", tc.price)
			want(t, c.order(o), "status", tc.parent)
			c.wantLegs(o, tc.leg)
		})
	}
}

func TestOneTriggersOther(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	o := c.place(`{"symbol":"AAPL","qty":"2","side":"buy","type":"market","time_in_force":"day","order_class":"oto","stop_loss":{"stop_price":"170"}}`)
	c.wantLegs(o, "new")
	prices(t, b, "AAPL", "169")
	c.wantLegs(o, "filled")
	c.wantPosition("AAPL", nil)
}

func TestNestedLists(t *testing.T) {
	_, c := newClient(t, paper.Config{})
	c.place(bracket)
	flat, nested := c.list("/v2/orders?status=all"), c.list("/v2/orders?status=all&nested=true")
	if len(flat) != 3 || len(nested) != 1 {
		t.Fatalf("%d flat, %d nested", len(flat), len(nested))
	}
	if legs, _ := nested[0]["legs"].([]any); len(legs) != 2 || flat[2]["legs"] != nil {
		t.Errorf("nested %v, flat %v", nested[0]["legs"], flat[2]["legs"])
	}
}

const spread = `{"order_class":"mleg","qty":"2","type":"limit","time_in_force":"day","limit_price":"1.20","legs":[
	{"symbol":"AAPL271217C00250000","ratio_qty":"1","side":"buy","position_intent":"buy_to_open"},
	{"symbol":"AAPL271217C00260000","ratio_qty":"1","side":"sell","position_intent":"sell_to_open"}]}`

func TestMultiLeg(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	prices(t, b, "AAPL271217C00250000", "3", "AAPL271217C00260000", "1")
	o := c.place(spread)
	want(t, o, "status", "new", "symbol", "", "asset_class", "", "order_class", "mleg", "limit_price", "1.2")
	want(t, c.legs(o)[0], "ratio_qty", "1", "qty", "2", "position_intent", "buy_to_open", "status", "new", "order_class", "mleg")
	prices(t, b, "AAPL271217C00250000", "2.10")
	want(t, c.order(o), "status", "filled", "filled_avg_price", "1.1", "filled_qty", "2")
	c.wantLegs(o, "filled", "filled")
	c.wantPosition("AAPL271217C00250000", "2")
	c.wantPosition("AAPL271217C00260000", "-2")
	want(t, c.do(200, "GET", "/v2/account", ""), "cash", "99780", "buying_power", "99380", "equity", "100000")
}

func TestHours(t *testing.T) {
	b, c := newClient(t, paper.Config{Clock: atNoon})
	b.SetHours(paper.AlwaysClosed)
	want(t, c.do(200, "GET", "/v2/clock", ""), "is_open", false)
	echo := c.do(200, "POST", "/v2/orders", buyOne)
	want(t, echo, "status", "accepted")
	opg := c.place(`{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","limit_price":"10","time_in_force":"opg"}`)
	fills := c.place(`{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"opg"}`)
	want(t, c.place(`{"symbol":"BTC/USD","qty":"0.1","side":"buy","type":"market","time_in_force":"ioc"}`), "status", "filled")
	want(t, c.do(422, "PATCH", "/v2/orders/"+echo["id"].(string), `{"qty":"2"}`), "message", "cannot replace order in accepted status")
	b.SetHours(paper.AlwaysOpen)
	want(t, c.order(echo), "status", "filled")
	want(t, c.order(opg), "status", "canceled")
	want(t, c.order(fills), "status", "filled")
	cls := c.place(`{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"cls"}`)
	want(t, cls, "status", "accepted")
	b.SetHours(paper.AlwaysClosed)
	want(t, c.order(cls), "status", "filled")
}

func TestNewYorkHours(t *testing.T) {
	b, c := newClient(t, paper.Config{Clock: atNoon})
	b.SetHours(paper.NewYorkHours)
	want(t, c.do(200, "GET", "/v2/clock", ""), "is_open", true,
		"next_close", "2026-06-17T16:00:00-04:00", "next_open", "2026-06-18T09:30:00-04:00")
	day := c.place(buyLow)
	gtc := c.place(strings.Replace(buyLow, `"day"`, `"gtc"`, 1))
	extended := c.place(strings.Replace(buyLow, `"day"`, `"day","extended_hours":true`, 1))
	c.do(422, "POST", "/v2/orders", `{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"opg"}`)

	b.SetTime(noon.Add(5 * time.Hour)) // 17:00 in New York
	want(t, c.do(200, "GET", "/v2/clock", ""), "is_open", false, "next_open", "2026-06-18T09:30:00-04:00")
	want(t, c.order(day), "status", "expired")
	prices(t, b, "AAPL", "90")
	want(t, c.order(extended), "status", "filled")
	want(t, c.order(gtc), "status", "new")
	want(t, c.place(buyOne), "status", "accepted")

	b.SetTime(noon.AddDate(0, 0, 1)) // Thursday
	want(t, c.order(gtc), "status", "filled")
	b.SetTime(noon.AddDate(0, 0, 2)) // Juneteenth
	want(t, c.do(200, "GET", "/v2/clock", ""), "is_open", false, "next_open", "2026-06-22T09:30:00-04:00")
}

func TestCalendar(t *testing.T) {
	_, c := newClient(t, paper.Config{})
	days := c.list("/v2/calendar?start=2026-11-25&end=2026-11-30")
	if len(days) != 3 {
		t.Fatalf("%v", days)
	}
	want(t, days[0], "date", "2026-11-25", "open", "09:30", "close", "16:00", "settlement_date", "2026-11-27")
	want(t, days[1], "date", "2026-11-27", "close", "13:00")
	want(t, days[2], "date", "2026-11-30", "session_open", "0400", "session_close", "2000")
	for _, holiday := range []string{"2026-01-01", "2026-01-19", "2026-02-16", "2026-04-03", "2026-05-25", "2026-06-19", "2026-07-03", "2026-09-07", "2026-12-25"} {
		if days := c.list("/v2/calendar?start=" + holiday + "&end=" + holiday); len(days) != 0 {
			t.Errorf("open on %s", holiday)
		}
	}
	if n := len(c.list("/v2/calendar?start=2026-01-01&end=2026-12-31")); n != 251 {
		t.Errorf("%d trading days in 2026", n)
	}
	c.do(422, "GET", "/v2/calendar?start=soon", "")
}

func TestClosePositions(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	c.place(strings.Replace(buyOne, `"1"`, `"10"`, 1))
	c.place(`{"symbol":"BTC/USD","notional":"3200","side":"buy","type":"market","time_in_force":"ioc"}`)
	c.place(strings.Replace(sellOne, "AAPL", "MSFT", 1))
	want(t, c.do(200, "DELETE", "/v2/positions/AAPL?qty=2", ""), "side", "sell", "qty", "2", "type", "market", "status", "pending_new")
	want(t, c.do(200, "DELETE", "/v2/positions/AAPL?percentage=50", ""), "qty", "4")
	c.wantPosition("AAPL", "4")
	want(t, c.do(200, "DELETE", "/v2/positions/BTCUSD?percentage=50", ""), "qty", "0.025")
	c.wantPosition("BTCUSD", "0.025")
	for target, status := range map[string]int{
		"AAPL?qty=1&percentage=1": 422, "AAPL?qty=x": 422, "AAPL?percentage=101": 422, "AAPL?qty=5": 403, "AMD": 404, "NOPE": 422,
	} {
		c.do(status, "DELETE", "/v2/positions/"+target, "")
	}
	c.place(`{"symbol":"AAPL","qty":"3","side":"sell","type":"limit","time_in_force":"gtc","limit_price":"900"}`)
	r := c.call("DELETE", "/v2/positions?cancel_orders=true", "")
	if r.status != http.StatusMultiStatus || strings.Count(r.body, `"status":200,"body":{`) != 3 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if left := c.list("/v2/positions"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if n := len(b.Ledger().Booked(0)); n != 10 {
		t.Errorf("%d booked", n)
	}
}
