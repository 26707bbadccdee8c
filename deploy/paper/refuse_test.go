package paper_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

func TestRefusals(t *testing.T) {
	const (
		parameter = 40010001.0
		state     = 42210000.0
		denied    = 40310000.0
	)
	order := func(fields string) string {
		return `{"symbol":"AAPL","side":"buy","time_in_force":"day",` + fields + `}`
	}
	for name, tc := range map[string]struct {
		body    string
		status  int
		code    float64
		message string
	}{
		"no JSON":              {`{"symbol":`, 400, 40010000, "request body format is invalid"},
		"empty":                {``, 400, 40010000, "request body format is invalid"},
		"a number as symbol":   {`{"symbol":7}`, 400, 40010000, "request body format is invalid"},
		"empty number":         {order(`"type":"market","qty":""`), 422, parameter, "invalid qty"},
		"exponent":             {order(`"type":"market","qty":"1e9"`), 422, parameter, "invalid qty"},
		"nested number":        {order(`"type":"market","qty":"1","order_class":"oto","stop_loss":{"stop_price":"x"}`), 422, parameter, "invalid stop_loss.stop_price"},
		"unknown symbol":       {`{"symbol":"ZZZZQ","side":"buy","type":"market","time_in_force":"day","qty":"1"}`, 422, state, `asset "ZZZZQ" not found`},
		"expired option":       {`{"symbol":"AAPL200117C00250000","side":"buy","type":"market","time_in_force":"day","qty":"1"}`, 422, state, "not found"},
		"no symbol":            {`{"side":"buy","type":"market","time_in_force":"day","qty":"1"}`, 422, parameter, "symbol is required"},
		"no side":              {`{"symbol":"AAPL","type":"market","time_in_force":"day","qty":"1"}`, 422, parameter, "side is required"},
		"no type":              {order(`"qty":"1"`), 422, parameter, "type is required"},
		"odd type":             {order(`"qty":"1","type":"iceberg"`), 422, parameter, "invalid order type"},
		"odd time in force":    {`{"symbol":"AAPL","side":"buy","type":"market","time_in_force":"soon","qty":"1"}`, 422, parameter, "invalid time_in_force"},
		"qty and notional":     {order(`"type":"market","qty":"1","notional":"5"`), 422, parameter, "only one of qty or notional is accepted"},
		"neither":              {order(`"type":"market"`), 422, parameter, "qty or notional is required"},
		"no quantity":          {order(`"type":"market","qty":"0"`), 422, parameter, "qty must be > 0"},
		"ten decimals":         {order(`"type":"market","qty":"0.0000000001"`), 422, parameter, "9 decimal places"},
		"less than a dollar":   {order(`"type":"market","notional":"0.99"`), 422, parameter, "notional amount must be >= 1.00"},
		"fractional gtc":       {`{"symbol":"AAPL","side":"buy","type":"market","time_in_force":"gtc","qty":"1.5"}`, 422, parameter, "fractional orders must be DAY orders"},
		"fractional option":    {`{"symbol":"AAPL271217C00250000","side":"buy","type":"market","time_in_force":"day","qty":"1.5"}`, 403, denied, "is not fractionable"},
		"fractional short":     {`{"symbol":"AAPL","side":"sell","type":"market","time_in_force":"day","qty":"1.5"}`, 422, state, "fractional orders cannot be sold short"},
		"limit without price":  {order(`"type":"limit","qty":"1"`), 422, parameter, "limit orders require a limit price"},
		"market with price":    {order(`"type":"market","qty":"1","limit_price":"5"`), 422, parameter, "market orders must not have a limit price"},
		"stop without price":   {order(`"type":"stop","qty":"1"`), 422, parameter, "stop orders require a stop price"},
		"negative price":       {order(`"type":"limit","qty":"1","limit_price":"-5"`), 422, parameter, "limit_price must be > 0"},
		"sub-penny":            {order(`"type":"limit","qty":"1","limit_price":"5.001"`), 422, state, "sub-penny increment"},
		"below a dollar":       {order(`"type":"limit","qty":"1","limit_price":"0.00001"`), 422, state, "sub-penny increment"},
		"both trails":          {order(`"type":"trailing_stop","qty":"1","trail_price":"1","trail_percent":"1"`), 422, parameter, "one of trail_price or trail_percent"},
		"neither trail":        {order(`"type":"trailing_stop","qty":"1"`), 422, parameter, "one of trail_price or trail_percent"},
		"extended market":      {order(`"type":"market","qty":"1","extended_hours":true`), 422, parameter, `only type="limit" is allowed for extended hours orders`},
		"bracket without legs": {order(`"type":"market","qty":"1","order_class":"bracket","take_profit":{"limit_price":"300"}`), 422, parameter, "bracket orders require"},
		"bracket upside down":  {order(`"type":"market","qty":"1","order_class":"bracket","take_profit":{"limit_price":"100"},"stop_loss":{"stop_price":"200"}`), 422, parameter, "take_profit.limit_price must be > stop_loss.stop_price"},
		"oto with both":        {order(`"type":"market","qty":"1","order_class":"oto","take_profit":{"limit_price":"300"},"stop_loss":{"stop_price":"1"}`), 422, parameter, "oto orders require either"},
		"crypto day":           {`{"symbol":"BTC/USD","side":"buy","type":"market","time_in_force":"day","qty":"1"}`, 422, parameter, "invalid crypto time_in_force"},
		"crypto short":         {`{"symbol":"BTC/USD","side":"sell","type":"market","time_in_force":"gtc","qty":"1"}`, 403, denied, "insufficient balance for BTC/USD (requested: 1, available: 0)"},
		"one leg":              {`{"order_class":"mleg","type":"market","time_in_force":"day","qty":"1","legs":[{"symbol":"AAPL271217C00250000","ratio_qty":"1","side":"buy"}]}`, 422, parameter, "between 2 and 4 legs"},
		"a leg of shares":      {`{"order_class":"mleg","type":"market","time_in_force":"day","qty":"1","legs":[{"symbol":"AAPL271217C00250000","ratio_qty":"1","side":"buy"},{"symbol":"AAPL","ratio_qty":"1","side":"buy"}]}`, 422, parameter, "must be options"},
		"too long an id":       {order(`"type":"market","qty":"1","client_order_id":"` + strings.Repeat("x", 129) + `"`), 422, parameter, "128 characters"},
		"too much":             {order(`"type":"market","qty":"1000"`), 403, denied, "insufficient buying power"},
	} {
		t.Run(name, func(t *testing.T) {
			b, c := newClient(t, paper.Config{Clock: atNoon})
			v := c.do(tc.status, "POST", "/v2/orders", tc.body)
			if message, _ := v["message"].(string); v["code"] != tc.code || !strings.Contains(message, tc.message) {
				t.Errorf("%v, want code %v and %q", v, tc.code, tc.message)
			}
			if len(b.Ledger().Booked(0)) != 0 || len(c.list("/v2/orders?status=all")) != 0 {
				t.Error("booked all the same")
			}
			if a := b.Ledger().Arrived(0); len(a) != 1 || a[0].Status != tc.status {
				t.Errorf("arrived %+v", a)
			}
		})
	}
}

func TestBuyingPower(t *testing.T) {
	_, c := newClient(t, paper.Config{Cash: dec("1000")})
	want(t, c.do(403, "POST", "/v2/orders", strings.Replace(buyOne, `"1"`, `"6"`, 1)),
		"buying_power", "1000", "cost_basis", "1140", "code", 40310000.0, "message", "insufficient buying power")
	c.place(strings.Replace(buyLow, `"2"`, `"9"`, 1)) // reserves 900
	want(t, c.do(403, "POST", "/v2/orders", buyOne), "buying_power", "100")
}

func TestShares(t *testing.T) {
	_, c := newClient(t, paper.Config{})
	c.place(strings.Replace(buyOne, `"1"`, `"10"`, 1))
	resting := c.place(`{"symbol":"AAPL","qty":"8","side":"sell","type":"limit","time_in_force":"gtc","limit_price":"500"}`)
	v := c.do(403, "POST", "/v2/orders", strings.Replace(sellOne, `"1"`, `"3"`, 1))
	want(t, v, "available", "2", "existing_qty", "10", "held_for_orders", "8", "symbol", "AAPL", "code", 40310000.0,
		"message", "insufficient qty available for order (requested: 3, available: 2)")
	if related := fmt.Sprint(v["related_orders"]); related != fmt.Sprintf("[%v]", resting["id"]) {
		t.Errorf("related orders %s", related)
	}
	want(t, c.do(200, "GET", "/v2/positions/AAPL", ""), "qty_available", "2")
}

func TestWashTrade(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	resting := c.place(buyLow)
	want(t, c.do(403, "POST", "/v2/orders", `{"symbol":"AAPL","qty":"1","side":"sell","type":"limit","time_in_force":"day","limit_price":"99"}`),
		"code", 40310000.0, "existing_order_id", resting["id"], "message", "potential wash trade detected. use complex orders")
	c.place(`{"symbol":"AAPL","qty":"1","side":"sell","type":"limit","time_in_force":"day","limit_price":"101"}`)
	if n := len(b.Ledger().Booked(0)); n != 2 {
		t.Errorf("%d booked", n)
	}
}

func TestShortSale(t *testing.T) {
	b, c := newClient(t, paper.Config{Cash: dec("1000")})
	c.place(strings.Replace(sellOne, `"1"`, `"2"`, 1))
	want(t, c.do(200, "GET", "/v2/positions/AAPL", ""), "qty", "-2", "side", "short", "cost_basis", "-380", "avg_entry_price", "190")
	want(t, c.do(200, "GET", "/v2/account", ""), "cash", "1380", "buying_power", "620", "equity", "1000")
	c.do(403, "POST", "/v2/orders", strings.Replace(buyOne, `"1"`, `"3"`, 1)) // more than it closes
	prices(t, b, "AAPL", "180")
	want(t, c.place(strings.Replace(buyOne, `"1"`, `"2"`, 1)), "status", "filled")
	want(t, c.do(200, "GET", "/v2/account", ""), "cash", "1020", "buying_power", "1020")
	want(t, c.do(404, "GET", "/v2/positions/AAPL", ""), "code", 40410000.0, "message", "position does not exist")
	c.do(200, "PATCH", "/v2/account/configurations", `{"no_shorting":true}`)
	c.do(403, "POST", "/v2/orders", sellOne)
}

func TestKeys(t *testing.T) {
	_, c := newClient(t, paper.Config{Cash: dec("7")})
	for _, tc := range []struct {
		key, secret string
		status      int
		body        string
	}{
		{"", "", 403, `{"message":"forbidden."}`},
		{"k", "", 403, `{"message":"forbidden."}`},
		{"k", "s", 200, `"cash":"7"`},
		{"k", "other", 401, `{"message":"unauthorized."}`},
		{"j", "other", 200, `"cash":"7"`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/account", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if tc.key != "" {
			req.Header.Set("APCA-API-KEY-ID", tc.key)
		}
		if tc.secret != "" {
			req.Header.Set("APCA-API-SECRET-KEY", tc.secret)
		}
		r := c.send(req)
		if r.status != tc.status || !strings.Contains(r.body, tc.body) || r.header.Get("X-Request-Id") == "" {
			t.Errorf("%q %q: %d %s", tc.key, tc.secret, r.status, r.body)
		}
	}
}

func TestRateLimit(t *testing.T) {
	now := noon
	b, c := newClient(t, paper.Config{RateLimit: 2, Clock: func() time.Time { return now }})
	other := &client{t, c.api, "other"}
	limit := func(r reply, status int, remaining string) {
		t.Helper()
		if r.status != status || r.header.Get("X-RateLimit-Limit") != "2" || r.header.Get("X-RateLimit-Remaining") != remaining ||
			r.header.Get("X-RateLimit-Reset") != fmt.Sprint(noon.Truncate(time.Minute).Add(time.Minute).Unix()) {
			t.Errorf("%d %v", r.status, r.header)
		}
	}
	limit(c.call("GET", "/v2/clock", ""), 200, "1")
	limit(c.call("GET", "/v2/clock", ""), 200, "0")
	r := c.call("POST", "/v2/orders", buyOne)
	limit(r, 429, "0")
	if r.body != `{"code":42910000,"message":"rate limit exceeded"}` {
		t.Error(r.body)
	}
	if a := b.Ledger().Arrived(0); len(a) != 1 || a[0].Status != 429 || len(b.Ledger().Booked(0)) != 0 {
		t.Errorf("arrived %+v", a)
	}
	limit(other.call("GET", "/v2/clock", ""), 200, "1")
	now = now.Add(time.Minute)
	if r := c.call("GET", "/v2/clock", ""); r.status != 200 {
		t.Errorf("a minute later: %d", r.status)
	}
}

func TestUnknownPaths(t *testing.T) {
	_, c := newClient(t, paper.Config{})
	for target, status := range map[string]int{
		"GET /":               404,
		"GET /v1/account":     404,
		"GET /v2/nothing":     404,
		"PUT /v2/orders":      405,
		"POST /v2/clock":      405,
		"POST /v2/positions":  405,
		"GET /v2/account/odd": 404,
	} {
		method, path, _ := strings.Cut(target, " ")
		if r := c.call(method, path, ""); r.status != status || !strings.Contains(r.body, `"message"`) {
			t.Errorf("%s: %d %s", target, r.status, r.body)
		}
	}
	if r := c.call("POST", "/v2/orders", strings.Repeat(" ", 70_000)); r.status != 400 {
		t.Errorf("oversized body: %d", r.status)
	}
}
