package paper_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client calls a broker's handler as one account.
type client struct {
	t   testing.TB
	api http.Handler
	key string
}

func newClient(t testing.TB, c paper.Config) (*paper.Broker, *client) {
	t.Helper()
	b := paper.New(c)
	return b, &client{t, b.Handler(), "acme"}
}

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

func (c *client) call(method, target, body string) reply {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("APCA-API-KEY-ID", c.key)
	r.Header.Set("APCA-API-SECRET-KEY", "secret of "+c.key)
	return c.send(r)
}

func (c *client) send(r *http.Request) reply {
	w := httptest.NewRecorder()
	c.api.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// do wants an answer of a status and decodes its JSON.
func (c *client) do(status int, method, target, body string) map[string]any {
	c.t.Helper()
	r := c.call(method, target, body)
	if r.status != status {
		c.t.Fatalf("%s %s %s: %d %s, want %d", method, target, body, r.status, r.body, status)
	}
	if r.body == "" {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, target, err, r.body)
	}
	return v
}

// place books an order and returns it as it is once the market has seen it.
func (c *client) place(body string) map[string]any {
	c.t.Helper()
	o := c.do(http.StatusOK, "POST", "/v2/orders", body)
	return c.order(o)
}

func (c *client) order(o map[string]any) map[string]any {
	c.t.Helper()
	id, _ := o["id"].(string)
	return c.do(http.StatusOK, "GET", "/v2/orders/"+id, "")
}

// list returns a list of objects.
func (c *client) list(target string) []map[string]any {
	c.t.Helper()
	r := c.call("GET", target, "")
	var v []map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil || r.status != http.StatusOK {
		c.t.Fatalf("GET %s: %d %s", target, r.status, r.body)
	}
	return v
}

// want compares fields of an object.
func want(t testing.TB, v map[string]any, fields ...any) {
	t.Helper()
	for i := 0; i < len(fields); i += 2 {
		name, _ := fields[i].(string)
		if v[name] != fields[i+1] {
			t.Errorf("%s is %v, want %v in %v", name, v[name], fields[i+1], v)
		}
	}
}

// dec is a decimal of a test.
func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// prices sets prices by symbol.
func prices(t testing.TB, b *paper.Broker, pairs ...string) {
	t.Helper()
	m := make(map[string]decimal.Decimal)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = dec(pairs[i+1])
	}
	if err := b.SetPrices(m); err != nil {
		t.Fatal(err)
	}
}

func TestMarketOrderFillsAtOnce(t *testing.T) {
	b, c := newClient(t, paper.Config{})
	echo := c.do(http.StatusOK, "POST", "/v2/orders", `{"symbol":"AAPL","qty":"3","side":"buy","type":"market","time_in_force":"day","client_order_id":"acme.1"}`)
	want(t, echo, "status", "pending_new", "filled_qty", "0", "filled_avg_price", nil, "qty", "3", "notional", nil,
		"order_class", "", "type", "market", "order_type", "market", "legs", nil, "client_order_id", "acme.1")
	want(t, c.order(echo), "status", "filled", "filled_qty", "3", "filled_avg_price", "190")
	want(t, c.do(200, "GET", "/v2/positions/AAPL", ""), "qty", "3", "cost_basis", "570", "side", "long")
	want(t, c.do(200, "GET", "/v2/account", ""), "cash", "99430", "buying_power", "99430", "equity", "100000")

	booked := b.Ledger().Booked(0)
	if len(booked) != 1 || booked[0].ClientOrderID != "acme.1" || booked[0].OrderID != echo["id"] || booked[0].Qty != "3" {
		t.Errorf("booked %+v", booked)
	}
	arrived := b.Ledger().Arrived(0)
	if len(arrived) != 1 || arrived[0].ClientOrderID != "acme.1" || arrived[0].Status != http.StatusOK {
		t.Errorf("arrived %+v", arrived)
	}
}

func BenchmarkPlaceOrder(b *testing.B) {
	_, c := newClient(b, paper.Config{RateLimit: paper.Unlimited, NoDuplicateCheck: true})
	const body = `{"symbol":"AAPL","qty":"0.001","side":"buy","type":"market","time_in_force":"day","client_order_id":"acme.1"}`
	r := httptest.NewRequestWithContext(b.Context(), "POST", "/v2/orders", http.NoBody)
	r.Header.Set("APCA-API-KEY-ID", "acme")
	r.Header.Set("APCA-API-SECRET-KEY", "secret")
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		r.Body = nopCloser{strings.NewReader(body)}
		w.Body.Reset()
		c.api.ServeHTTP(w, r)
	}
	if w.Code != http.StatusOK {
		b.Fatal(w.Body.String())
	}
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }
