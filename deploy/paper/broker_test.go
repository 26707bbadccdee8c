package paper_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// TestSameSeedSameAnswers plays one session twice: every byte is the same.
func TestSameSeedSameAnswers(t *testing.T) {
	play := func(seed uint64) string {
		now := noon
		b, c := newClient(t, paper.Config{Seed: seed, Clock: func() time.Time { return now }})
		var all strings.Builder
		hear := func(r reply) { fmt.Fprintln(&all, r.status, r.header, r.body) }
		for i := range 20 {
			now = now.Add(time.Second)
			hear(c.call("POST", "/v2/orders", buyOne))
			hear(c.call("POST", "/v2/orders", fmt.Sprintf(
				`{"symbol":"MSFT","qty":"1","side":"buy","type":"limit","time_in_force":"gtc","limit_price":"%d.5"}`, 410+i)))
			b.Tick()
		}
		for _, target := range []string{"/v2/orders?status=all", "/v2/positions", "/v2/account", "/v2/account/activities", "/v2/clock"} {
			hear(c.call("GET", target, ""))
		}
		return all.String()
	}
	first := play(7)
	if play(7) != first {
		t.Error("the same seed gave other answers")
	}
	if play(8) == first {
		t.Error("another seed gave the same answers")
	}
}

// TestPricesDependOnStepsAlone walks two markets, one of them traded in.
func TestPricesDependOnStepsAlone(t *testing.T) {
	quiet, _ := newClient(t, paper.Config{Seed: 5})
	busy, c := newClient(t, paper.Config{Seed: 5})
	for range 50 {
		quiet.Tick()
		c.place(buyOne)
		busy.Tick()
	}
	a, b := quiet.Prices(), busy.Prices()
	if len(a) < 20 || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%v\n%v", a, b)
	}
	if a["AAPL"].Equal(dec("190")) || a["AAPL"].LessThan(dec("180")) || a["AAPL"].GreaterThan(dec("200")) {
		t.Errorf("AAPL walked to %s", a["AAPL"])
	}
}

// TestManyAccountsAtOnce trades in many accounts while prices move: every order is booked
// once, in the order of its account, and none sees another's.
func TestManyAccountsAtOnce(t *testing.T) {
	const accounts, orders = 8, 40
	b, first := newClient(t, paper.Config{RateLimit: paper.Unlimited})
	stop, ticking := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ticking)
		for {
			select {
			case <-stop:
				return
			default:
				b.Tick()
			}
		}
	}()
	var wg sync.WaitGroup
	for a := range accounts {
		wg.Go(func() {
			c := &client{t, first.api, fmt.Sprint("key", a)}
			for i := range orders {
				body := strings.Replace(buyLow, "{", fmt.Sprintf(`{"client_order_id":"%d-%d",`, a, i), 1)
				if i%2 == 0 {
					body = strings.Replace(body, `"limit","time_in_force":"day","limit_price":"100"`, `"market","time_in_force":"day"`, 1)
				}
				if r := c.call("POST", "/v2/orders", body); r.status != http.StatusOK {
					t.Errorf("%d %s", r.status, r.body)
				}
				if i%10 == 9 {
					c.call("DELETE", "/v2/orders", "")
				}
			}
			if n := len(c.list("/v2/orders?status=all")); n != orders {
				t.Errorf("account %d has %d orders", a, n)
			}
		})
	}
	wg.Wait()
	close(stop)
	<-ticking
	next := make(map[string]int)
	for i, k := range b.Ledger().Booked(0) {
		if k.Seq != i+1 {
			t.Fatalf("booking %d has number %d", i, k.Seq)
		}
		if want := fmt.Sprintf("%s-%d", strings.TrimPrefix(k.Account, "key"), next[k.Account]); k.ClientOrderID != want {
			t.Errorf("booked %s, want %s", k.ClientOrderID, want)
		}
		next[k.Account]++
	}
	if len(next) != accounts || len(b.Ledger().Arrived(0)) != accounts*orders {
		t.Errorf("%v booked, %d arrived", next, len(b.Ledger().Arrived(0)))
	}
}

// TestLedgerPages reads the ledger from everywhere, over the bounds of its chunks.
func TestLedgerPages(t *testing.T) {
	const n = 2500
	b, c := newClient(t, paper.Config{RateLimit: paper.Unlimited})
	for i := range n {
		body := strings.Replace(buyLow, "{", fmt.Sprintf(`{"client_order_id":"%d",`, i+1), 1)
		body = strings.Replace(body, `price":"100"`, `price":"0.01"`, 1)
		if r := c.call("POST", "/v2/orders", body); r.status != http.StatusOK {
			t.Fatal(r.body)
		}
	}
	for _, after := range []int{-1, 0, 1, 1023, 1024, 1025, 2048, n - 1, n, n + 1} {
		want := min(n, n-after)
		booked, arrived := b.Ledger().Booked(after), b.Ledger().Arrived(after)
		if len(booked) != max(0, want) || len(arrived) != len(booked) {
			t.Errorf("behind %d: %d booked, %d arrived, want %d", after, len(booked), len(arrived), want)
			continue
		}
		for i, k := range booked {
			if k.Seq != max(after, 0)+i+1 || k.ClientOrderID != fmt.Sprint(k.Seq) || arrived[i].ClientOrderID != k.ClientOrderID {
				t.Fatalf("behind %d: %+v at %d", after, k, i)
			}
		}
	}
	if open := c.list("/v2/orders?limit=500"); len(open) != 500 || open[0]["client_order_id"] != fmt.Sprint(n) {
		t.Errorf("%d open", len(open))
	}
}

func TestActivities(t *testing.T) {
	now := noon
	_, c := newClient(t, paper.Config{Clock: func() time.Time { return now }})
	for range 3 {
		c.place(buyOne)
		now = now.AddDate(0, 0, 1)
	}
	all := c.list("/v2/account/activities")
	if len(all) != 3 {
		t.Fatalf("%v", all)
	}
	want(t, all[0], "activity_type", "FILL", "type", "fill", "qty", "1", "price", "190", "side", "buy", "symbol", "AAPL",
		"leaves_qty", "0", "cum_qty", "1", "order_status", "filled", "transaction_time", "2026-06-19T16:00:00.123456789Z")
	token, _ := all[0]["id"].(string)
	for query, n := range map[string]int{
		"/FILL": 3, "/DIV": 0, "?activity_types=DIV,FILL": 3, "?category=non_trade_activity": 0, "?page_size=2": 2,
		"?date=2026-06-18": 1, "?after=2026-06-18": 2, "?until=2026-06-18": 1, "?page_token=" + token: 2, "?direction=asc&page_token=" + token: 0,
	} {
		if got := c.list("/v2/account/activities" + query); len(got) != n {
			t.Errorf("%s: %d, want %d", query, len(got), n)
		}
	}
	for _, query := range []string{"?page_size=0", "?page_token=x", "?date=x"} {
		c.do(http.StatusUnprocessableEntity, "GET", "/v2/account/activities"+query, "")
	}
}

func TestConfigurations(t *testing.T) {
	_, c := newClient(t, paper.Config{})
	want(t, c.do(200, "GET", "/v2/account/configurations", ""), "suspend_trade", false, "fractional_trading", true)
	want(t, c.do(200, "PATCH", "/v2/account/configurations", `{"suspend_trade":true}`), "suspend_trade", true, "fractional_trading", true)
	want(t, c.do(403, "POST", "/v2/orders", buyOne), "message", "new orders are rejected by user request")
	want(t, c.do(200, "GET", "/v2/account", ""), "trade_suspended_by_user", true)
	c.do(422, "PATCH", "/v2/account/configurations", `{"pdt_check":"never"}`)
}

func TestAssets(t *testing.T) {
	_, c := newClient(t, paper.Config{})
	apple := c.do(200, "GET", "/v2/assets/AAPL", "")
	want(t, apple, "symbol", "AAPL", "class", "us_equity", "exchange", "NASDAQ", "tradable", true, "fractionable", true, "status", "active")
	id, _ := apple["id"].(string)
	want(t, c.do(200, "GET", "/v2/assets/"+id, ""), "symbol", "AAPL")
	want(t, c.do(200, "GET", "/v2/assets/ETH/USD", ""), "class", "crypto")
	want(t, c.do(404, "GET", "/v2/assets/ZZZZQ", ""), "code", 40410000.0)
	if n := len(c.list("/v2/assets?asset_class=crypto")); n != 6 {
		t.Errorf("%d coins", n)
	}
}
