package paper_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// noon is a Wednesday in New York, 12:00 there.
var noon = time.Date(2026, 6, 17, 16, 0, 0, 123456789, time.UTC)

func atNoon() time.Time { return noon }

const (
	buyLow  = `{"symbol":"AAPL","qty":"2","side":"buy","type":"limit","time_in_force":"day","limit_price":"100"}`
	buyOne  = `{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}`
	sellOne = `{"symbol":"AAPL","qty":"1","side":"sell","type":"market","time_in_force":"day"}`
)

// TestEcho holds every field of an answer, in Alpaca's order-insensitive shape.
func TestEcho(t *testing.T) {
	_, c := newClient(t, paper.Config{Seed: 3, Clock: atNoon})
	for name, tc := range map[string]struct{ request, answer string }{
		"limit": {
			`{"symbol":"AAPL","qty":2.50,"side":"buy","type":"limit","time_in_force":"day","limit_price":"100.10","client_order_id":"a.1","order_class":"simple"}`,
			`"notional":null,"qty":"2.5","filled_qty":"0","filled_avg_price":null,"order_class":"","order_type":"limit","type":"limit","side":"buy","time_in_force":"day","limit_price":"100.1","stop_price":null,"status":"pending_new","extended_hours":false,"legs":null,"trail_percent":null,"trail_price":null,"hwm":null,"subtag":null,"source":null}`,
		},
		"notional": {
			`{"symbol":"AAPL","notional":"50.25","side":"buy","type":"market","time_in_force":"day","client_order_id":"a.2"}`,
			`"notional":"50.25","qty":null,"filled_qty":"0","filled_avg_price":null,"order_class":"","order_type":"market"`,
		},
		"trailing stop": {
			`{"symbol":"AAPL","qty":"1","side":"buy","type":"trailing_stop","time_in_force":"gtc","trail_percent":"5","client_order_id":"a.3"}`,
			`"trail_percent":"5","trail_price":null,"hwm":null`,
		},
		"option": {
			`{"symbol":"AAPL271217C00250000","qty":"1","side":"buy","type":"limit","time_in_force":"day","limit_price":"0.05","position_intent":"buy_to_open","client_order_id":"a.4"}`,
			`"symbol":"AAPL271217C00250000","asset_class":"us_option"`,
		},
		"times": {
			`{"symbol":"btcusd","qty":"0.001","side":"buy","type":"limit","time_in_force":"gtc","limit_price":"1","client_order_id":"a.5"}`,
			`"client_order_id":"a.5","created_at":"2026-06-17T16:00:00.123456789Z","updated_at":"2026-06-17T16:00:00.123456789Z","submitted_at":"2026-06-17T16:00:00.123456789Z","expires_at":"2026-09-15T16:00:00.123456789Z","filled_at":null,"expired_at":null,"canceled_at":null,"failed_at":null,"replaced_at":null,"replaced_by":null,"replaces":null`,
		},
		"pair": {
			`{"symbol":"BTCUSD","qty":"0.001","side":"buy","type":"limit","time_in_force":"gtc","limit_price":"1","client_order_id":"a.6"}`,
			`"symbol":"BTC/USD","asset_class":"crypto"`,
		},
		"id that needs escapes": {
			`{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","time_in_force":"gtc","limit_price":"1","client_order_id":"\"\\\n\u00e9\u2028"}`,
			`"client_order_id":"\"\\\u000aé` + "\u2028" + `"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("POST", "/v2/orders", tc.request)
			if r.status != http.StatusOK || !strings.Contains(r.body, tc.answer) {
				t.Errorf("%d %s\nwant %s", r.status, r.body, tc.answer)
			}
			if r.header.Get("X-Request-ID") == "" {
				t.Error("no X-Request-ID")
			}
		})
	}
}

// TestStates walks orders through their states.
func TestStates(t *testing.T) {
	limit := func(side, price string) string {
		return `{"symbol":"AAPL","qty":"2","side":"` + side + `","type":"limit","time_in_force":"gtc","limit_price":"` + price + `"}`
	}
	stop := func(extra string) string {
		return `{"symbol":"AAPL","qty":"2","side":"buy","time_in_force":"gtc",` + extra + `}`
	}
	for name, tc := range map[string]struct {
		order  string
		states []string // at first, then after each of the prices
		prices []string
	}{
		"limit rests and fills":       {limit("buy", "150"), []string{"new", "new", "filled"}, []string{"150.01", "150"}},
		"marketable limit":            {limit("buy", "200"), []string{"filled"}, nil},
		"short limit":                 {limit("sell", "200"), []string{"new", "filled"}, []string{"201"}},
		"stop":                        {stop(`"type":"stop","stop_price":"200"`), []string{"new", "new", "filled"}, []string{"199.99", "200"}},
		"stop limit":                  {stop(`"type":"stop_limit","stop_price":"200","limit_price":"201"`), []string{"new", "new", "filled"}, []string{"202", "199"}},
		"stop limit under its stop":   {stop(`"type":"stop_limit","stop_price":"200","limit_price":"201"`), []string{"new", "new"}, []string{"150"}},
		"trailing stop, price":        {stop(`"type":"trailing_stop","trail_price":"10"`), []string{"new", "new", "new", "filled"}, []string{"170", "179.99", "180"}},
		"trailing stop, per cent":     {stop(`"type":"trailing_stop","trail_percent":"10"`), []string{"new", "new", "new", "filled"}, []string{"100", "109.99", "110"}},
		"ioc at a price out of reach": {`{"symbol":"AAPL","qty":"2","side":"buy","type":"limit","time_in_force":"ioc","limit_price":"150"}`, []string{"canceled"}, nil},
		"fok":                         {`{"symbol":"AAPL","qty":"2","side":"buy","type":"limit","time_in_force":"fok","limit_price":"190"}`, []string{"filled"}, nil},
		"opg waits for the opening":   {`{"symbol":"AAPL","qty":"2","side":"buy","type":"market","time_in_force":"opg"}`, []string{"accepted"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, c := newClient(t, paper.Config{Clock: atNoon})
			o := c.place(tc.order)
			want(t, o, "status", tc.states[0])
			for i, p := range tc.prices {
				prices(t, b, "AAPL", p)
				want(t, c.order(o), "status", tc.states[i+1])
			}
		})
	}
}

func TestTrailingStopShowsItsStop(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	c.place(buyOne)
	o := c.place(`{"symbol":"AAPL","qty":"1","side":"sell","type":"trailing_stop","time_in_force":"day","trail_price":"5"}`)
	want(t, o, "hwm", "190", "stop_price", "185")
	prices(t, b, "AAPL", "200")
	want(t, c.order(o), "hwm", "200", "stop_price", "195", "status", "new")
	prices(t, b, "AAPL", "195")
	want(t, c.order(o), "status", "filled", "filled_avg_price", "195")
}

func TestPartialFills(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	if err := b.SetLiquidity(dec("3")); err != nil {
		t.Fatal(err)
	}
	const limit = `{"symbol":"AAPL","qty":"7","side":"buy","type":"limit","limit_price":"190","time_in_force":`
	o := c.place(limit + `"day"}`)
	want(t, o, "status", "partially_filled", "filled_qty", "3")
	prices(t, b, "AAPL", "180")
	want(t, c.order(o), "status", "partially_filled", "filled_qty", "6", "filled_avg_price", "185")
	want(t, c.do(200, "GET", "/v2/account", ""), "cash", "98890", "buying_power", "98700")
	prices(t, b, "AAPL", "181")
	want(t, c.order(o), "status", "filled", "filled_qty", "7", "filled_avg_price", "184.428571429")
	want(t, c.do(200, "GET", "/v2/account", ""), "buying_power", "98709")
	want(t, c.place(limit+`"ioc"}`), "status", "canceled", "filled_qty", "3")
	want(t, c.place(limit+`"fok"}`), "status", "canceled", "filled_qty", "0")
	if n := len(c.list("/v2/account/activities/FILL")); n != 4 {
		t.Errorf("%d activities", n)
	}
}

func TestCancel(t *testing.T) {
	_, c := newClient(t, paper.Config{})
	o := c.place(buyLow)
	id, _ := o["id"].(string)
	want(t, c.do(200, "GET", "/v2/account", ""), "buying_power", "99800", "cash", "100000")
	c.do(http.StatusNoContent, "DELETE", "/v2/orders/"+id, "")
	want(t, c.order(o), "status", "canceled")
	want(t, c.do(200, "GET", "/v2/account", ""), "buying_power", "100000")
	want(t, c.do(422, "DELETE", "/v2/orders/"+id, ""), "code", 42210000.0, "message", `order is already in "canceled" state`)
	want(t, c.do(404, "DELETE", "/v2/orders/nobody", ""), "code", 40410000.0, "message", "order not found for nobody")
	first := c.place(buyLow)
	c.place(buyLow)
	r := c.call("DELETE", "/v2/orders", "")
	if r.status != http.StatusMultiStatus || strings.Count(r.body, `"status":200`) != 2 {
		t.Errorf("%d %s", r.status, r.body)
	}
	want(t, c.order(first), "status", "canceled")
	if r := c.call("DELETE", "/v2/orders", ""); r.body != "[]" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestReplace(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	old := c.do(200, "POST", "/v2/orders", buyLow)
	id, _ := old["id"].(string)
	next := c.do(200, "PATCH", "/v2/orders/"+id, `{"qty":"3","limit_price":"101.5","client_order_id":"second"}`)
	want(t, next, "replaces", id, "qty", "3", "limit_price", "101.5", "client_order_id", "second", "status", "pending_new")
	want(t, c.order(old), "status", "replaced", "replaced_by", next["id"])
	want(t, c.do(200, "GET", "/v2/account", ""), "buying_power", "99695.5")
	want(t, c.do(422, "PATCH", "/v2/orders/"+id, `{"qty":"3"}`), "message", `order is already in "replaced" state`)
	nextID, _ := next["id"].(string)
	want(t, c.do(403, "PATCH", "/v2/orders/"+nextID, `{"qty":"100000"}`), "message", "insufficient buying power")
	want(t, c.order(next), "status", "new")
	want(t, c.do(422, "PATCH", "/v2/orders/"+nextID, `{"qty":"4","client_order_id":"second"}`),
		"code", 42210000.0, "message", "client_order_id must be unique")
	want(t, c.do(422, "PATCH", "/v2/orders/"+nextID, `{}`), "code", 40010001.0)
	want(t, c.do(422, "PATCH", "/v2/orders/"+nextID, `{"stop_price":"3"}`), "code", 40010001.0)
	if booked := b.Ledger().Booked(0); len(booked) != 2 || booked[1].Replaces != id || booked[1].ClientOrderID != "second" {
		t.Errorf("booked %+v", booked)
	}
	if arrived := b.Ledger().Arrived(0); len(arrived) != 7 || arrived[3].Status != 403 {
		t.Errorf("arrived %+v", arrived)
	}
	prices(t, b, "AAPL", "101")
	want(t, c.order(next), "status", "filled", "filled_qty", "3")
}

// TestReplacePartlyFilled changes the quantity of an order of which a part is filled.
func TestReplacePartlyFilled(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	if err := b.SetLiquidity(dec("3")); err != nil {
		t.Fatal(err)
	}
	old := c.place(`{"symbol":"AAPL","qty":"7","side":"buy","type":"limit","limit_price":"190","time_in_force":"day"}`)
	next := c.do(200, "PATCH", "/v2/orders/"+old["id"].(string), `{"qty":"4"}`)
	want(t, next, "qty", "4", "filled_qty", "3")
	want(t, c.order(next), "status", "filled", "filled_qty", "4", "filled_avg_price", "190")
	want(t, c.order(old), "status", "replaced", "filled_qty", "3")
	want(t, c.do(200, "GET", "/v2/positions/AAPL", ""), "qty", "4")
	want(t, c.do(200, "GET", "/v2/account", ""), "buying_power", "99240")
}

func TestClientOrderID(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	body := strings.Replace(buyLow, "{", `{"client_order_id":"once",`, 1)
	o := c.place(body)
	want(t, c.do(422, "POST", "/v2/orders", body), "code", 42210000.0, "message", "client_order_id must be unique")
	c.do(204, "DELETE", "/v2/orders/"+o["id"].(string), "")
	want(t, c.do(422, "POST", "/v2/orders", body), "code", 40010001.0, "message", "client_order_id must be unique")
	want(t, c.do(200, "GET", "/v2/orders:by_client_order_id?client_order_id=once", ""), "id", o["id"], "status", "canceled")
	want(t, c.do(404, "GET", "/v2/orders:by_client_order_id?client_order_id=twice", ""), "code", 40410000.0, "message", "order not found for twice")
	c.do(403, "POST", "/v2/orders", strings.Replace(strings.Replace(body, "once", "refused", 1), `"2"`, `"20000"`, 1))
	c.do(200, "POST", "/v2/orders", strings.Replace(body, "once", "refused", 1)) // a refusal uses no id up
	b.SetDuplicateCheck(false)
	again := c.do(200, "POST", "/v2/orders", body)
	if again["id"] == o["id"] {
		t.Error("the same order again")
	}
	if n := len(b.Ledger().Booked(0)); n != 3 {
		t.Errorf("%d booked", n)
	}
}

func TestListFilters(t *testing.T) {
	now := noon
	_, c := newClient(t, paper.Config{Clock: func() time.Time { return now }})
	var ids []string
	for i, body := range []string{buyLow, buyOne, strings.Replace(buyLow, "AAPL", "MSFT", 1), sellOne,
		`{"symbol":"ETH/USD","qty":"1","side":"buy","type":"limit","time_in_force":"gtc","limit_price":"9"}`} {
		now = noon.Add(time.Duration(i) * time.Second)
		ids = append(ids, c.place(body)["id"].(string))
	}
	for query, want := range map[string][]int{
		"":                                     {4, 2, 0},
		"?status=open&direction=asc":           {0, 2, 4},
		"?status=closed":                       {3, 1},
		"?status=all":                          {4, 3, 2, 1, 0},
		"?status=all&limit=2":                  {4, 3},
		"?status=all&symbols=MSFT,ETHUSD":      {4, 2},
		"?status=all&side=sell":                {3},
		"?status=all&asset_class=crypto":       {4},
		"?status=all&after_order_id=" + ids[2]: {4, 3},
		"?before_order_id=" + ids[2]:           {0},
		"?status=all&direction=asc&after_order_id=" + ids[2]: {3, 4},
		"?status=all&after=2026-06-17T16:00:02.123456789Z":   {4, 3},
		"?status=all&until=2026-06-17T16:00:01.123456789Z":   {0},
		"?status=all&after=2026-06-18":                       {},
	} {
		got := c.list("/v2/orders" + query)
		if len(got) != len(want) {
			t.Errorf("%s: %d orders, want %d", query, len(got), len(want))
			continue
		}
		for i, o := range got {
			if o["id"] != ids[want[i]] {
				t.Errorf("%s: order %d is not %d", query, i, want[i])
			}
		}
	}
	for _, query := range []string{"?status=odd", "?limit=0", "?after=yesterday", "?direction=up", "?after_order_id=a&before_order_id=b"} {
		c.do(422, "GET", "/v2/orders"+query, "")
	}
}
