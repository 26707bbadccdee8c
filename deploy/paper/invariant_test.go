package paper

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// book drives one account of a broker and keeps its own accounts beside.
type book struct {
	*Broker
	account *account
	now     time.Time
	cash    num            // what there must be
	held    map[*asset]num // as well
	seen    int            // events counted so far
}

func (k *book) call(t *rapid.T, method, target, body string) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("APCA-API-KEY-ID", "acme")
	r.Header.Set("APCA-API-SECRET-KEY", "secret")
	w := httptest.NewRecorder()
	k.Handler().ServeHTTP(w, r)
	if w.Code >= http.StatusInternalServerError || w.Code == http.StatusBadRequest {
		t.Fatalf("%s %s %s: %d %s", method, target, body, w.Code, w.Body)
	}
}

var (
	symbols = []string{"AAPL", "MSFT", "BTC/USD"}
	// amounts lie so close together that no short position loses more than its security.
	amounts = rapid.Custom(func(t *rapid.T) string {
		return decimal.New(rapid.Int64Range(9000, 11000).Draw(t, "price"), -2).String()
	})
)

// request draws the body of an order, not always a valid one.
func request(t *rapid.T) string {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	b := fmt.Sprintf(`{"symbol":%q,"side":%q,"time_in_force":%q`,
		rapid.SampledFrom(symbols).Draw(t, "symbol"), pick("side", buy, sell), pick("tif", tifDay, tifGTC, tifIOC, tifFOK, tifCLS))
	if rapid.IntRange(0, 5).Draw(t, "sized") == 0 {
		b += `,"notional":"` + pick("notional", "10", "333.33", "5000") + `"`
	} else {
		b += `,"qty":"` + pick("qty", "1", "3", "10", "0.5", "2.123456789", "60") + `"`
	}
	typ := pick("type", typeMarket, typeMarket, typeLimit, typeLimit, typeStop, typeStopLimit, typeTrailing)
	b += `,"type":"` + typ + `"`
	if typ == typeLimit || typ == typeStopLimit {
		b += `,"limit_price":"` + amounts.Draw(t, "limit") + `"`
	}
	if typ == typeStop || typ == typeStopLimit {
		b += `,"stop_price":"` + amounts.Draw(t, "stop") + `"`
	}
	if typ == typeTrailing {
		b += `,"trail_price":"` + pick("trail", "1", "5") + `"`
	}
	switch pick("class", "simple", "simple", classBracket, classOCO, classOTO) {
	case classBracket:
		b += fmt.Sprintf(`,"order_class":"bracket","take_profit":{"limit_price":%q},"stop_loss":{"stop_price":%q}`, amounts.Draw(t, "profit"), amounts.Draw(t, "loss"))
	case classOCO:
		b += fmt.Sprintf(`,"order_class":"oco","stop_loss":{"stop_price":%q},"take_profit":{"limit_price":%q}`, amounts.Draw(t, "loss"), amounts.Draw(t, "profit"))
	case classOTO:
		b += fmt.Sprintf(`,"order_class":"oto","stop_loss":{"stop_price":%q}`, amounts.Draw(t, "loss"))
	}
	return b + "}"
}

// open draws an order that may be open.
func (k *book) open(t *rapid.T) string {
	if len(k.account.open) == 0 {
		t.Skip("none is open")
	}
	return rapid.SampledFrom(k.account.open).Draw(t, "order").id
}

// TestNothingIsLostOrMade trades at random and counts beside: cash and positions are
// what the fills make of them, every reservation belongs to an open order, and buying
// power is never overdrawn.
func TestNothingIsLostOrMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := &book{now: time.Date(2026, 6, 17, 14, 0, 0, 0, time.UTC), cash: decimal.NewFromInt(5000), held: make(map[*asset]num)}
		k.Broker = New(Config{Cash: k.cash, RateLimit: Unlimited, Clock: func() time.Time { return k.now }})
		k.account = k.Broker.open("acme", "secret")
		k.prices(t)
		t.Repeat(map[string]func(*rapid.T){
			"place":  func(t *rapid.T) { k.call(t, "POST", "/v2/orders", request(t)) },
			"place2": func(t *rapid.T) { k.call(t, "POST", "/v2/orders", request(t)) },
			"prices": k.prices,
			"cancel": func(t *rapid.T) { k.call(t, "DELETE", "/v2/orders/"+k.open(t), "") },
			"replace": func(t *rapid.T) {
				k.call(t, "PATCH", "/v2/orders/"+k.open(t), fmt.Sprintf(`{"qty":%q,"limit_price":%q}`,
					rapid.SampledFrom([]string{"1", "7", "30"}).Draw(t, "qty"), amounts.Draw(t, "limit")))
			},
			"cancel all": func(t *rapid.T) { k.call(t, "DELETE", "/v2/orders", "") },
			"close": func(t *rapid.T) {
				k.call(t, "DELETE", "/v2/positions/"+plain(rapid.SampledFrom(symbols).Draw(t, "symbol")), "")
			},
			"close all": func(t *rapid.T) { k.call(t, "DELETE", "/v2/positions?cancel_orders=true", "") },
			"liquidity": func(t *rapid.T) {
				if err := k.SetLiquidity(decimal.NewFromInt(rapid.Int64Range(0, 4).Draw(t, "most"))); err != nil {
					t.Fatal(err)
				}
			},
			"hours": func(t *rapid.T) {
				k.SetHours(rapid.SampledFrom([]Hours{AlwaysOpen, AlwaysOpen, AlwaysClosed}).Draw(t, "hours"))
			},
			"time": func(t *rapid.T) {
				k.now = k.now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "hours")) * time.Hour)
				k.settle()
			},
			"": k.check,
		})
	})
}

func (k *book) prices(t *rapid.T) {
	set := make(map[string]decimal.Decimal)
	for _, s := range symbols {
		set[s] = decimal.RequireFromString(amounts.Draw(t, s))
	}
	if err := k.SetPrices(set); err != nil {
		t.Fatal(err)
	}
}

// check compares the account with the books.
func (k *book) check(t *rapid.T) {
	a := k.account
	for _, e := range a.feed.events[k.seen:] {
		if e.isTrade() {
			signed := e.qty.Mul(e.order.sign())
			k.cash = k.cash.Sub(signed.Mul(e.price))
			k.held[e.order.asset] = k.held[e.order.asset].Add(signed)
		}
	}
	k.seen = len(a.feed.events)
	if !a.cash.Equal(k.cash) {
		t.Fatalf("cash %s, the fills make %s", a.cash, k.cash)
	}
	for as, qty := range k.held {
		if !a.held(as).Equal(qty) {
			t.Fatalf("%s of %s, the fills make %s", a.held(as), as.symbol, qty)
		}
	}
	var reserved, shorted num
	stock, closed := make(map[*asset]num), 0
	for _, o := range a.orders {
		if o.status.over() {
			if !o.cash.IsZero() || !o.stock.IsZero() {
				t.Fatalf("%s order %s holds %s and %s shares", o.status, o.id, o.cash, o.stock)
			}
			continue
		}
		if o.status == held && (!o.cash.IsZero() || !o.stock.IsZero()) {
			t.Fatalf("held order %s reserves", o.id)
		}
		reserved = reserved.Add(o.cash)
		stock[o.asset] = stock[o.asset].Add(o.stock)
	}
	standing := make(map[interest]int)
	for _, o := range a.open {
		if o.status.over() {
			closed++
		} else {
			standing[interest{o.asset, o.side}]++
		}
	}
	if !maps.Equal(standing, a.standing) {
		t.Fatalf("standing %v, want %v", a.standing, standing)
	}
	for _, p := range a.positions {
		shorted = shorted.Add(p.security())
	}
	if !reserved.Equal(a.reserved) || !shorted.Equal(a.shorted) || closed != a.closed {
		t.Fatalf("reserved %s, want %s; shorted %s, want %s; closed %d, want %d", a.reserved, reserved, a.shorted, shorted, a.closed, closed)
	}
	for as, n := range a.stock {
		if !stock[as].Equal(n) {
			t.Fatalf("%s shares of %s held, want %s", n, as.symbol, stock[as])
		}
	}
	if power := a.cash.Sub(a.reserved).Sub(a.shorted).Sub(a.shorted); power.LessThan(decimal.New(-1, -6)) {
		t.Fatalf("buying power %s", power)
	}
}
