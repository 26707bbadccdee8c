package paper

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var seeds = []string{
	`{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}`,
	`{"symbol":"AAPL","qty":1.5,"side":"sell","type":"limit","time_in_force":"gtc","limit_price":"0.1234","extended_hours":true}`,
	`{"symbol":"BTC/USD","notional":"12.34","side":"buy","type":"market","time_in_force":"ioc","client_order_id":"\u0000\ud800"}`,
	`{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","time_in_force":"gtc","limit_price":"1","order_class":"bracket","take_profit":{"limit_price":"3"},"stop_loss":{"stop_price":"0.5"}}`,
	`{"order_class":"mleg","qty":"1","type":"market","time_in_force":"day","legs":[{"symbol":"AAPL271217C00250000","ratio_qty":"1","side":"buy"},{"symbol":"AAPL271217P00250000","ratio_qty":"2","side":"sell"}]}`,
	`{"symbol":"AAPL","qty":"0.000000001","side":"buy","type":"trailing_stop","time_in_force":"day","trail_percent":"99.9"}`,
	`{"qty":"1e999999999"}`, `null`, `[]`, `{"qty":"-0"}`, "\xff",
}

// FuzzPlaceOrder sends any body: the answer is JSON of a known status, an order that was
// booked can be looked up and moved by prices, and one that was not leaves no trace.
func FuzzPlaceOrder(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	now := func() time.Time { return time.Date(2026, 6, 17, 14, 0, 0, 0, time.UTC) }
	f.Fuzz(func(t *testing.T, body string) {
		b := New(Config{Clock: now, RateLimit: Unlimited})
		call := func(method, target, body string) (int, []byte) {
			r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
			r.Header.Set("APCA-API-KEY-ID", "acme")
			r.Header.Set("APCA-API-SECRET-KEY", "secret")
			w := httptest.NewRecorder()
			b.Handler().ServeHTTP(w, r)
			return w.Code, w.Body.Bytes()
		}
		status, answer := call("POST", "/v2/orders", body)
		if !json.Valid(answer) {
			t.Fatalf("%d %s", status, answer)
		}
		booked := b.Ledger().Booked(0)
		switch status {
		case http.StatusOK:
			if len(booked) != 1 {
				t.Fatalf("%d booked", len(booked))
			}
			for range 3 {
				b.Tick()
			}
			if status, answer := call("GET", "/v2/orders/"+booked[0].OrderID, ""); status != http.StatusOK || !json.Valid(answer) {
				t.Fatalf("%d %s", status, answer)
			}
			call("PATCH", "/v2/orders/"+booked[0].OrderID, body)
			if status, answer := call("DELETE", "/v2/orders", ""); status != http.StatusMultiStatus || !json.Valid(answer) {
				t.Fatalf("%d %s", status, answer)
			}
		case http.StatusBadRequest, http.StatusForbidden, http.StatusUnprocessableEntity:
			if len(booked) != 0 {
				t.Fatalf("refused with %d, but booked %+v", status, booked)
			}
		default:
			t.Fatalf("%d %s", status, answer)
		}
		if a := b.Ledger().Arrived(0); len(a) == 0 || a[0].Status != status {
			t.Fatalf("arrived %+v", a)
		}
	})
}

// FuzzStrings renders any string as JSON that reads back.
func FuzzStrings(f *testing.F) {
	for _, s := range append(seeds, "\x00\x1f\"\\", "é\u2028", "a\xffb\xc3") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != string([]rune(s)) {
			t.Errorf("%q became %q: %v", s, back, err)
		}
	})
}

// FuzzNumbers takes only plain decimals, and keeps them.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"1", "-0.5", ".5", "1e5", "", "0x10", "1_0", strings.Repeat("9", 41)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseNumber(s)
		if err != nil {
			return
		}
		if len(d.String()) > maxDigits {
			return // it was written without its leading zero
		}
		again, err := parseNumber(d.String())
		if err != nil || !again.Equal(d) {
			t.Errorf("%q became %s, then %s: %v", s, d, again, err)
		}
	})
}

// FuzzParseFault: what is taken as a fault is one that a broker takes.
func FuzzParseFault(f *testing.F) {
	f.Add(`{"operation":"place","kind":"error","probability":0.3,"most":4}`)
	f.Add(`{"kind":"latency","p50":"1ms","p99":"5ms"}`)
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil {
			return
		}
		if err := New(Config{}).SetFault(fault); err != nil {
			t.Errorf("%q is parsed and refused: %v", text, err)
		}
	})
}
