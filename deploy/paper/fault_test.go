package paper_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// running is a broker on real sockets.
type running struct {
	*paper.Broker
	t          testing.TB
	api, admin string
	http       *http.Client
}

// run starts a broker and stops it with the test.
func run(t testing.TB, c paper.Config) *running {
	t.Helper()
	c.Tick = -1
	listeners := make([]net.Listener, 2)
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = l
	}
	b := paper.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, listeners[0], listeners[1]) }()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
	})
	return &running{b, t, "http://" + listeners[0].Addr().String(), "http://" + listeners[1].Addr().String(), client}
}

func (b *running) request(ctx context.Context, method, url, body string) *http.Request {
	b.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("APCA-API-KEY-ID", "acme")
	req.Header.Set("APCA-API-SECRET-KEY", "secret")
	return req
}

// call reads a whole answer; the error is the connection's.
func (b *running) call(ctx context.Context, method, url, body string) (int, http.Header, string, error) {
	b.t.Helper()
	resp, err := b.http.Do(b.request(ctx, method, url, body))
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(text), err
}

func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  paper.Fault
		status int    // of the answer; 0 if the connection fails
		body   string // part of it
		booked int
		record int // the status on the ledger
	}{
		"429":              {paper.Fault{Kind: paper.RateLimit, RetryAfter: 1500 * time.Millisecond}, 429, `"code":42910000`, 0, 429},
		"error before":     {paper.Fault{Kind: paper.Error}, 500, `"code":50010000`, 0, 500},
		"error after":      {paper.Fault{Kind: paper.Error, When: paper.After, Status: 504}, 504, `"code":50410000`, 1, 200},
		"gateway before":   {paper.Fault{Kind: paper.HTML}, 502, "<html>", 0, 502},
		"gateway after":    {paper.Fault{Kind: paper.HTML, When: paper.After}, 502, "<html>", 1, 200},
		"reset before":     {paper.Fault{Kind: paper.Reset}, 0, "", 0, 0},
		"reset after":      {paper.Fault{Kind: paper.Reset, When: paper.After}, 0, "", 1, 200},
		"empty":            {paper.Fault{Kind: paper.Empty}, 200, "", 1, 200},
		"empty, no order":  {paper.Fault{Kind: paper.Empty, When: paper.Before}, 200, "", 0, 200},
		"garbage":          {paper.Fault{Kind: paper.Garbage}, 200, "61e6", 1, 200},
		"slow body":        {paper.Fault{Kind: paper.SlowBody, Delay: time.Microsecond}, 200, `"filled_qty":"0"`, 1, 200},
		"latency, fixed":   {paper.Fault{Kind: paper.Latency, Delay: time.Millisecond}, 200, `"id"`, 1, 200},
		"latency, after":   {paper.Fault{Kind: paper.Latency, When: paper.After, Delay: time.Millisecond}, 200, `"id"`, 1, 200},
		"latency, uniform": {paper.Fault{Kind: paper.Latency, Min: time.Microsecond, Max: time.Millisecond}, 200, `"id"`, 1, 200},
		"latency, drawn":   {paper.Fault{Kind: paper.Latency, P50: time.Microsecond, P99: time.Millisecond}, 200, `"id"`, 1, 200},
		"other account":    {paper.Fault{Kind: paper.Error, Account: "other"}, 200, `"id"`, 1, 200},
		"other operation":  {paper.Fault{Kind: paper.Error, Operation: paper.Cancel}, 200, `"id"`, 1, 200},
		"other path":       {paper.Fault{Kind: paper.Error, Path: "/v2/positions"}, 200, `"id"`, 1, 200},
	} {
		t.Run(name, func(t *testing.T) {
			b := run(t, paper.Config{})
			tc.fault.Count = 1
			if err := b.SetFault(tc.fault); err != nil {
				t.Fatal(err)
			}
			status, header, body, err := b.call(t.Context(), "POST", b.api+"/v2/orders", buyOne)
			if status != tc.status || !strings.Contains(body, tc.body) || (err != nil) != (tc.status == 0) {
				t.Errorf("%d %q %v", status, body, err)
			}
			if tc.fault.Kind == paper.Reset && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%v, want a reset", err)
			}
			if tc.fault.Kind == paper.RateLimit && header.Get("Retry-After") != "2" {
				t.Errorf("Retry-After %q", header.Get("Retry-After"))
			}
			if n := len(b.Ledger().Booked(0)); n != tc.booked {
				t.Errorf("%d booked, want %d", n, tc.booked)
			}
			if a := b.Ledger().Arrived(0); len(a) != 1 || a[0].Status != tc.record {
				t.Errorf("arrived %+v, want status %d", a, tc.record)
			}
			struck := tc.fault.Account == "" && tc.fault.Operation == "" && tc.fault.Path == ""
			if left := len(b.Faults()); struck != (left == 0) {
				t.Errorf("%d faults left", left)
			}
		})
	}
}

// TestSilence lets a client give up, then shows what became of its order.
func TestSilence(t *testing.T) {
	for _, when := range []paper.When{paper.Before, paper.After} {
		t.Run(string(when), func(t *testing.T) {
			b := run(t, paper.Config{})
			if err := b.SetFault(paper.Fault{Kind: paper.Silence, When: when, Count: 1}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, _, _, err := b.call(ctx, "POST", b.api+"/v2/orders", buyOne); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			want := map[paper.When]int{paper.Before: 0, paper.After: 1}[when]
			if n := len(b.Ledger().Booked(0)); n != want {
				t.Errorf("%d booked, want %d", n, want)
			}
		})
	}
}

// TestStopEndsSilence stops a broker that holds a request up: the stop does not wait.
func TestStopEndsSilence(t *testing.T) {
	done := make(chan error, 1)
	t.Run("held up", func(t *testing.T) {
		b := run(t, paper.Config{})
		if err := b.SetFault(paper.Fault{Kind: paper.Silence, When: paper.After}); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _, _, err := b.call(context.Background(), "POST", b.api+"/v2/orders", buyOne)
			done <- err
		}()
		for len(b.Ledger().Booked(0)) == 0 {
			runtime.Gosched()
		}
	})
	if err := <-done; err == nil {
		t.Error("a broker that stopped answered")
	}
}

func TestFaultChecks(t *testing.T) {
	b := paper.New(paper.Config{})
	for name, f := range map[string]paper.Fault{
		"no kind":                 {},
		"odd kind":                {Kind: "odd"},
		"odd operation":           {Kind: paper.Error, Operation: "odd"},
		"odd side":                {Kind: paper.Error, When: "odd"},
		"rate limit after":        {Kind: paper.RateLimit, When: paper.After},
		"slow body before":        {Kind: paper.SlowBody, When: paper.Before},
		"negative count":          {Kind: paper.Error, Count: -1},
		"probability":             {Kind: paper.Error, Probability: 1.1},
		"status of a reset":       {Kind: paper.Reset, Status: 500},
		"status 404":              {Kind: paper.Error, Status: 404},
		"retry after of an error": {Kind: paper.Error, RetryAfter: time.Second},
		"latency of none":         {Kind: paper.Latency},
		"delay of an error":       {Kind: paper.Error, Delay: time.Second},
		"two latencies":           {Kind: paper.Latency, Delay: time.Second, P50: time.Second, P99: time.Second},
		"min above max":           {Kind: paper.Latency, Min: 2, Max: 1},
		"p50 above p99":           {Kind: paper.Latency, P50: 2, P99: 1},
	} {
		if b.SetFault(f) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if len(b.Faults()) != 0 {
		t.Error("a refused fault stays")
	}
}

// TestProbability strikes the same requests of the same seed.
func TestProbability(t *testing.T) {
	pattern := func(seed uint64) (s string) {
		b, c := newClient(t, paper.Config{Seed: seed})
		if err := b.SetFault(paper.Fault{Kind: paper.Error, Probability: 0.5}); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			s += string("0012345"[c.call("GET", "/v2/clock", "").status/100])
		}
		return s
	}
	first := pattern(1)
	if n := strings.Count(first, "4"); first != pattern(1) || first == pattern(2) || n < 8 || n > 32 {
		t.Errorf("%s, then %s, other seed %s", first, pattern(1), pattern(2))
	}
}

func TestAdmin(t *testing.T) {
	b := run(t, paper.Config{})
	admin := func(method, path, body string, status int, contains string) {
		t.Helper()
		got, _, text, err := b.call(t.Context(), method, b.admin+path, body)
		if err != nil || got != status || !strings.Contains(text, contains) {
			t.Errorf("%s %s %s: %d %s %v", method, path, body, got, text, err)
		}
	}
	admin("POST", "/faults", `{"kind":"latency","p50":"5ms","p99":"80ms","account":"acme","operation":"place","count":3}`, 200, `"p99":"80ms"`)
	admin("GET", "/faults", "", 200, `[{"account":"acme","operation":"place","kind":"latency","count":3,"p50":"5ms","p99":"80ms"}]`)
	admin("POST", "/faults", `{"kind":"latency"}`, 422, "latency needs")
	admin("POST", "/faults", `{"kind":"latency","dealy":"5ms"}`, 400, "dealy")
	admin("DELETE", "/faults", "", 204, "")
	admin("GET", "/faults", "", 200, "[]")
	admin("POST", "/prices", `{"aapl":"77.5","BTC/USD":1000}`, 200, `"aapl":"77.5"`)
	admin("GET", "/prices", "", 200, `"AAPL":"77.5"`)
	admin("POST", "/prices", `{"AAPL":"0"}`, 422, "above 0")
	admin("POST", "/prices", `{"AAPL":"1","ZZZZQ":"1"}`, 422, "ZZZZQ")
	admin("GET", "/prices", "", 200, `"AAPL":"77.5"`)
	admin("POST", "/clock", `{"open":false}`, 200, `"hours":"closed","open":false`)
	admin("POST", "/clock", `{"hours":"new_york","time":"2026-06-17T16:00:00Z"}`, 200, `"time":"2026-06-17T16:00:0`)
	admin("POST", "/clock", `{"hours":"odd"}`, 422, "odd")
	admin("POST", "/clock", `{"open":true,"ticks":3}`, 200, `"open":true`)
	admin("POST", "/settings", `{"duplicate_check":false,"liquidity":"5"}`, 200, `{"duplicate_check":false,"rate_limit":200,"liquidity":"5","correspondent_limit":1000,"correspondent_window":"1m0s"}`)
	admin("POST", "/settings", `{"correspondent_limit":70,"correspondent_window":"1.5s"}`, 200, `"correspondent_limit":70,"correspondent_window":"2s"`)
	admin("POST", "/settings", `{"liquidity":"-5"}`, 422, "liquidity")
	admin("GET", "/settings", "", 200, `"liquidity":"5"`)
	admin("GET", "/ledger?kind=odd", "", 400, "booked, arrived or requested")
	admin("GET", "/ledger?after=x", "", 400, "after")
	for range 3 {
		if status, _, body, err := b.call(t.Context(), "POST", b.api+"/v2/orders", buyOne); status != 200 || err != nil {
			t.Fatal(status, body, err)
		}
	}
	admin("GET", "/ledger?kind=booked&after=2", "", 200, `{"seq":3,"account":"acme","client_order_id":"`)
	admin("GET", "/ledger?kind=arrived", "", 200, `"method":"POST","path":"/v2/orders","client_order_id":""`)
	_, _, lines, err := b.call(t.Context(), "GET", b.admin+"/ledger", "")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for scan := bufio.NewScanner(strings.NewReader(lines)); scan.Scan(); n++ {
		var line struct {
			Seq      int       `json:"seq"`
			OrderID  string    `json:"order_id"`
			Received time.Time `json:"received"`
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil || line.Seq != n+1 || line.OrderID == "" || line.Received.Year() != 2026 {
			t.Errorf("%v %s", err, scan.Text())
		}
	}
	if n != 3 {
		t.Errorf("%d lines", n)
	}
}

// An order that was booked behind an error is not found at first, and then is.
func TestUnseen(t *testing.T) {
	b := run(t, paper.Config{RateLimit: paper.Unlimited})
	if err := b.SetFault(paper.Fault{Kind: paper.Unseen, Operation: paper.Place, Count: 1, Delay: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	status, _, _, err := b.call(t.Context(), http.MethodPost, b.api+"/v2/orders", `{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day","client_order_id":"x"}`)
	if err != nil || status != http.StatusInternalServerError {
		t.Fatalf("HTTP %d, %v", status, err)
	}
	if booked := b.Ledger().Booked(0); len(booked) != 1 {
		t.Fatalf("booked %+v", booked)
	}
	for lookups := 1; ; lookups++ {
		status, _, body, err := b.call(t.Context(), http.MethodGet, b.api+"/v2/orders:by_client_order_id?client_order_id=x", "")
		switch {
		case err != nil:
			t.Fatal(err)
		case status == http.StatusNotFound:
			continue
		case status != http.StatusOK || lookups == 1:
			t.Errorf("lookup %d: HTTP %d %s", lookups, status, body)
		}
		return
	}
}

// TestFaultsOfARequest: whether a fault strikes a request depends on the request and on how
// often it was made, not on what others ask meanwhile, and it can be bounded.
func TestFaultsOfARequest(t *testing.T) {
	ids := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	place := func(b *running, id string) int {
		status, _, _, err := b.call(t.Context(), "POST", b.api+"/v2/orders", `{"client_order_id":"`+id+`","symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}`)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	run3 := func(ids []string) map[string]string {
		b := run(t, paper.Config{Seed: 7, RateLimit: paper.Unlimited})
		if err := b.SetFault(paper.Fault{Kind: paper.Error, Operation: paper.Place, Probability: 0.6, Most: 2}); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		for range 3 {
			for _, id := range ids {
				got[id] += map[int]string{200: "booked ", 500: "error ", 422: "twice "}[place(b, id)]
			}
		}
		return got
	}
	forwards := run3(ids)
	slices.Reverse(ids)
	backwards := run3(ids)
	some := make(map[string]bool)
	for _, id := range ids {
		some[forwards[id]] = true
		if forwards[id] != backwards[id] {
			t.Errorf("%s: %s, in another order %s", id, forwards[id], backwards[id])
		}
		if forwards[id] == "error error error " {
			t.Errorf("%s was struck more than twice", id)
		}
	}
	if len(some) < 3 || !some["error error booked "] {
		t.Errorf("the faults are all alike: %v", some)
	}
}

func TestParseFault(t *testing.T) {
	f, err := paper.ParseFault(`{"operation":"place","kind":"error","status":503,"when":"after","probability":0.3,"most":4}`)
	want := paper.Fault{Operation: paper.Place, Kind: paper.Error, Status: 503, When: paper.After, Probability: 0.3, Most: 4}
	if err != nil || f != want {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{``, `place`, `{"kind":"none"}`, `{"kind":"error","colour":"red"}`, `{"kind":"error","most":-1}`} {
		if _, err := paper.ParseFault(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestListings: an asset that the broker did not know trades at its price; of one that it
// knows, the price counts.
func TestListings(t *testing.T) {
	b := run(t, paper.Config{Assets: []paper.Listing{
		{Symbol: "PLTR", Price: decimal.RequireFromString("17.5")}, {Symbol: "XRP/USD", Price: decimal.RequireFromString("0.5")}, {Symbol: "AAPL", Price: decimal.RequireFromString("201")},
	}})
	if !b.Lists("pltr") || !b.Lists("XRPUSD") || b.Lists("ZZZZQ") {
		t.Error("what it lists is not what it was told")
	}
	for symbol, price := range map[string]string{"PLTR": "17.5", "XRP/USD": "0.5", "AAPL": "201", "MSFT": "418"} {
		if got := b.Prices()[symbol]; got.String() != price {
			t.Errorf("%s costs %s, wanted %s", symbol, got, price)
		}
	}
	status, _, body, err := b.call(t.Context(), "POST", b.api+"/v2/orders", strings.Replace(buyOne, "AAPL", "PLTR", 1))
	if err != nil || status != 200 {
		t.Errorf("%d %s %v", status, body, err)
	}
}
