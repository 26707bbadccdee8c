package alpaca_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

// Each test in this file is named for a trap of the SDK; doc.go lists them.

const id = "acme.intent-1"

var never time.Time

func market() *order.Order {
	o := brokertest.Orders()["market"]
	return &o
}

func want(t *testing.T, v broker.Verdict, kind broker.VerdictKind) {
	t.Helper()
	if v.Kind != kind {
		t.Errorf("kind %d, want %d: HTTP %d, %s", v.Kind, kind, v.HTTPStatus, v.Message)
	}
}

// overAll runs a test over each way to hold a connection.
func overAll(t *testing.T, test func(t *testing.T, s *brokertest.Server, c *alpaca.Client)) {
	for name, transport := range transports() {
		t.Run(name, func(t *testing.T) {
			s := brokertest.NewServer(t)
			test(t, s, connect(t, s.URL, transport(t)))
		})
	}
}

func setAPCA(t *testing.T) {
	for _, name := range []string{
		"APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "APCA_API_OAUTH", "APCA_API_BASE_URL",
		"APCA_BROKER_KEY", "APCA_BROKER_SECRET", "APCA_API_DATA_URL", "APCA_RETRY_MAX", "APCA_RETRY_WAIT",
	} {
		t.Setenv(name, "http://stray.invalid")
	}
}

func TestTrapEnvironmentFallback(t *testing.T) {
	setAPCA(t)
	s := brokertest.NewServer(t)
	for name, test := range map[string]struct {
		creds tenant.Credentials
		want  http.Header
	}{
		"key pair": {keys, http.Header{"Apca-Api-Key-Id": {keys.KeyID}, "Apca-Api-Secret-Key": {keys.Secret}}},
		"OAuth":    {tenant.Credentials{OAuth: "token"}, http.Header{"Authorization": {"Bearer token"}}},
		"account":  {acting, http.Header{"Authorization": {"Basic Q0tURVNUMDAwMDpzM2NyZXQtb2YtdGhlLWNvcnJlc3BvbmRlbnQ="}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, s.URL, func(cfg *alpaca.Config) { cfg.Credentials = test.creds })
			want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
			got := s.Last(t).Header
			for _, name := range []string{"Authorization", "Apca-Api-Key-Id", "Apca-Api-Secret-Key"} {
				if !slices.Equal(got[name], test.want[name]) {
					t.Errorf("%s: %q, want %q", name, got[name], test.want[name])
				}
			}
			for name, values := range got {
				if strings.Contains(strings.Join(values, " "), "stray") {
					t.Errorf("%s comes from the environment", name)
				}
			}
		})
	}
}

func TestTrapEmptyConfigMeansSomebodyElse(t *testing.T) {
	setAPCA(t)
	good := alpaca.Config{Tenant: "acme", BaseURL: "http://127.0.0.1:1", Credentials: keys}
	for name, test := range map[string]struct {
		change func(*alpaca.Config)
		want   error
	}{
		"no credentials":     {func(c *alpaca.Config) { c.Credentials = tenant.Credentials{} }, tenant.ErrNoCredentials},
		"no secret":          {func(c *alpaca.Config) { c.Credentials.Secret = "" }, tenant.ErrNoCredentials},
		"no key id":          {func(c *alpaca.Config) { c.Credentials.KeyID = "" }, tenant.ErrNoCredentials},
		"both kinds":         {func(c *alpaca.Config) { c.Credentials.OAuth = "token" }, alpaca.ErrCredentials},
		"a header in a key":  {func(c *alpaca.Config) { c.Credentials.Secret = "x\r\nHost: evil" }, alpaca.ErrCredentials},
		"a huge key":         {func(c *alpaca.Config) { c.Credentials.Secret = strings.Repeat("x", 4096) }, alpaca.ErrCredentials},
		"no base URL":        {func(c *alpaca.Config) { c.BaseURL = "" }, alpaca.ErrBaseURL},
		"no scheme":          {func(c *alpaca.Config) { c.BaseURL = "paper-api.alpaca.markets" }, alpaca.ErrBaseURL},
		"another scheme":     {func(c *alpaca.Config) { c.BaseURL = "ftp://x" }, alpaca.ErrBaseURL},
		"no host":            {func(c *alpaca.Config) { c.BaseURL = "https:///x" }, alpaca.ErrBaseURL},
		"a user":             {func(c *alpaca.Config) { c.BaseURL = "https://k:s3cret-of-acme@h" }, alpaca.ErrBaseURL},
		"does not parse":     {func(c *alpaca.Config) { c.BaseURL = "https://k:s3cret-of-acme@h:port" }, alpaca.ErrBaseURL},
		"a query":            {func(c *alpaca.Config) { c.BaseURL = "https://h?x=y" }, alpaca.ErrBaseURL},
		"the version twice":  {func(c *alpaca.Config) { c.BaseURL = "https://h/v2/" }, alpaca.ErrBaseURL},
		"keys in clear":      {func(c *alpaca.Config) { c.BaseURL = "http://paper-api.alpaca.markets" }, alpaca.ErrBaseURL},
		"no tenant":          {func(c *alpaca.Config) { c.Tenant = "" }, alpaca.ErrTenant},
		"nothing is amiss":   {func(*alpaca.Config) {}, nil},
		"a path and a slash": {func(c *alpaca.Config) { c.BaseURL = "https://h/alpaca/" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			_, err := alpaca.New(cfg)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), keys.Secret) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestTrapRetryOn429SendsNoBody(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		s.Reply(brokertest.Error(429, 42910000, "rate limit exceeded"))
		v := c.Place(t.Context(), id, market(), never)
		want(t, v, broker.RetryAfter)
		if n := len(s.Requests()); n != 1 {
			t.Errorf("%d requests arrived", n)
		}
		if len(s.Last(t).Body) == 0 {
			t.Error("the body was lost")
		}
	})
}

func TestTrapBodiesNeverClosed(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		s.Answer(func(r brokertest.Request) brokertest.Reply {
			if r.Method == http.MethodDelete {
				return brokertest.Booked(r)
			}
			return brokertest.Error(429, 42910000, "rate limit exceeded")
		})
		call := func() {
			want(t, c.CancelAll(t.Context(), never), broker.Accepted)
			want(t, c.Place(t.Context(), id, market(), never), broker.RetryAfter)
		}
		call()
		before := runtime.NumGoroutine()
		for range 500 {
			call()
		}
		if after := runtime.NumGoroutine(); after > before+2 {
			t.Errorf("goroutines: %d before, %d after 1000 calls", before, after)
		}
		if n := s.Accepted(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

func TestTrapRedirectCarriesKeysAway(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
			elsewhere := brokertest.NewServer(t)
			s.Reply(brokertest.Reply{Status: status, Header: http.Header{"Location": {elsewhere.URL + "/v2/orders"}}})
			for _, call := range []func() broker.Verdict{
				func() broker.Verdict { return c.Place(t.Context(), id, market(), never) },
				func() broker.Verdict { return c.ByClientID(t.Context(), id) },
				func() broker.Verdict { return c.Cancel(t.Context(), "x", never) },
			} {
				want(t, call(), broker.Unknown)
			}
			if n := len(elsewhere.Requests()); n != 0 {
				t.Errorf("HTTP %d: %d requests went elsewhere", status, n)
			}
			if n := len(s.Requests()); n != 3 {
				t.Errorf("HTTP %d: %d requests for 3 calls", status, n)
			}
		})
	}
}

func TestTrapIdempotencyKeyReplays(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		s.Reply(brokertest.Booked(brokertest.Request{Method: http.MethodDelete, Path: "/v2/orders"}))
		c.CancelAll(t.Context(), never) // the connection is now a reused one
		s.Reply(brokertest.Reply{Then: brokertest.Close})
		want(t, c.Place(t.Context(), id, market(), never), broker.Unknown)
		if n := len(s.Requests()); n != 2 {
			t.Errorf("%d requests for 2 calls", n)
		}
		for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
			if s.Last(t).Header.Get(name) != "" {
				t.Errorf("%s is set", name)
			}
		}
	})
}

func TestTrapNoContentType(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		for _, call := range []func(){
			func() { c.Place(t.Context(), id, market(), never) },
			func() { c.Replace(t.Context(), "x", id, market(), never) },
		} {
			call()
			if got := s.Last(t).Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
		}
		c.Cancel(t.Context(), "x", never)
		h := s.Last(t).Header
		if h.Get("Content-Type") != "" || h.Get("Accept-Encoding") != "" || h.Get("Accept") != "application/json" {
			t.Errorf("header of a cancel: %v", h)
		}
	})
}

func TestTrapNoContext(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		s.Reply(brokertest.Reply{Then: brokertest.Hang})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			s.WaitRequests(1)
			cancel()
		}()
		want(t, c.Place(ctx, id, market(), never), broker.Unknown)
		s.Answer(brokertest.Booked)
		want(t, c.Place(t.Context(), id, market(), never), broker.Accepted)
	})
}

func TestTrapStatusOfOddErrorsIsLost(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		for body, message := range map[string]string{
			"<html>502</html>":                    "<html>502</html>",
			`{"code":"oops","message":"no"}`:      "no",
			`{"code":4.2e7,"message":"no"}`:       "no",
			`{"code":40310000,"message":["a"]}`:   `{"code":40310000,"message":["a"]}`,
			`{"code":40310000,"message":"money"}`: "money",
			"":                                    "",
		} {
			s.Reply(brokertest.JSON(403, body))
			v := c.Place(t.Context(), id, market(), never)
			want(t, v, broker.Rejected)
			if v.HTTPStatus != 403 || v.Message != message || v.RequestID != "req-1" {
				t.Errorf("%s: verdict %+v", body, v)
			}
		}
	})
}

func TestTrapEmpty200IsEOF(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		s.Reply(brokertest.JSON(200, ""))
		v := c.Place(t.Context(), id, market(), never)
		want(t, v, broker.Unknown)
		if v.HTTPStatus != 200 || v.RequestID != "req-1" || v.Answered.IsZero() {
			t.Errorf("verdict %+v", v)
		}
	})
}

func TestTrapEmptyNumbersBreakDecoding(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		s.Reply(brokertest.JSON(200, `{"id":"b1","client_order_id":"`+id+`","symbol":"AAPL","qty":"","notional":12345678901234567890.123456789,
			"filled_qty":"","filled_at":"","status":"new","legs":[{"id":"leg","type":"stop","stop_price":"99.10","limit_price":""}]}`))
		v := c.Place(t.Context(), id, market(), never)
		want(t, v, broker.Accepted)
		if v.Order == nil {
			t.Fatal("no order")
		}
		if v.Order.Qty != nil || v.Order.Notional.String() != "12345678901234567890.123456789" {
			t.Errorf("qty %v, notional %v", v.Order.Qty, v.Order.Notional)
		}
		if l := v.Order.StopLoss; l == nil || l.StopPrice.String() != "99.1" || l.LimitPrice != nil {
			t.Errorf("stop-loss %+v", l)
		}
	})
}

func TestTrapDefaultTransportIsShared(t *testing.T) {
	defaultTransport := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = defaultTransport })
	http.DefaultTransport = nil // whoever uses it panics
	s := brokertest.NewServer(t)
	for range 3 {
		want(t, connect(t, s.URL).Place(t.Context(), id, market(), never), broker.Accepted)
	}
	if n := s.Accepted(); n != 3 {
		t.Errorf("3 clients made %d connections", n)
	}
}

func TestTrapCancelOfNothingCancelsAll(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		for _, orderID := range []string{"", "/", "a/..", "?", "%2e%2e", ".."} {
			want(t, c.Cancel(t.Context(), orderID, never), broker.Rejected)
		}
		if n := len(s.Requests()); n != 0 {
			t.Errorf("%d requests arrived", n)
		}
	})
}

func TestTrapDecimalSettingsAreGlobal(t *testing.T) {
	for name, setting := range map[string]*bool{
		"MarshalJSONWithoutQuotes": &decimal.MarshalJSONWithoutQuotes,
		"UseScientificNotation":    &decimal.UseScientificNotation,
	} {
		t.Run(name, func(t *testing.T) {
			*setting = true
			defer func() { *setting = false }()
			_, err := alpaca.New(alpaca.Config{Tenant: "acme", BaseURL: "http://127.0.0.1:1", Credentials: keys})
			if !errors.Is(err, alpaca.ErrDecimalSettings) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// What leaves is pinned to the byte for some orders (to the member where the SDK's
// bytes were amended), so that a change of the SDK shows.
func TestTrapFieldsTheSDKDropsOrAdds(t *testing.T) {
	overAll(t, func(t *testing.T, s *brokertest.Server, c *alpaca.Client) {
		orders := brokertest.Orders()
		place := func(name string) string {
			o := orders[name]
			want(t, c.Place(t.Context(), id, &o, never), broker.Accepted)
			return string(s.Last(t).Body)
		}
		for name, body := range map[string]string{
			"crypto": `{"symbol":"BTC/USD","qty":"0.000012345","notional":null,"side":"buy","type":"limit","time_in_force":"ioc",` +
				`"limit_price":"64123.123456789","extended_hours":false,"stop_price":null,"client_order_id":"acme.intent-1",` +
				`"order_class":"","take_profit":null,"stop_loss":null,"trail_price":null,"trail_percent":null,"legs":null}`,
			"bracket": `{"symbol":"SPY","qty":"100","notional":null,"side":"buy","type":"market","time_in_force":"gtc",` +
				`"limit_price":null,"extended_hours":false,"stop_price":null,"client_order_id":"acme.intent-1",` +
				`"order_class":"bracket","take_profit":{"limit_price":"301"},"stop_loss":{"limit_price":"298.5","stop_price":"299"},` +
				`"trail_price":null,"trail_percent":null,"legs":null}`,
			"multi-leg": `{"symbol":"","qty":"1","notional":null,"side":"","type":"limit","time_in_force":"day",` +
				`"limit_price":"-0.75","extended_hours":false,"stop_price":null,"client_order_id":"acme.intent-1",` +
				`"order_class":"mleg","take_profit":null,"stop_loss":null,"trail_price":null,"trail_percent":null,"legs":[` +
				`{"side":"buy","position_intent":"buy_to_open","symbol":"AAPL260619C00200000","ratio_qty":"1"},` +
				`{"side":"sell","position_intent":"sell_to_open","symbol":"AAPL260619C00210000","ratio_qty":"2"}]}`,
		} {
			if got := place(name); got != body {
				t.Errorf("%s:\nsent %s\nwant %s", name, got, body)
			}
		}
		var sent struct {
			Instructions map[string]any `json:"advanced_instructions"`
			Price        any            `json:"limit_price"`
		}
		if err := json.Unmarshal([]byte(place("advanced instructions")), &sent); err != nil {
			t.Fatal(err)
		}
		if sent.Price != "200" || !reflect.DeepEqual(sent.Instructions, map[string]any{
			"algorithm": "VWAP", "start_time": "2026-05-04T13:30:00Z", "end_time": "2026-05-04T19:30:00Z", "max_percentage": "0.314",
		}) {
			t.Errorf("sent %+v", sent)
		}
		change := order.Order{Qty: market().Qty, TimeInForce: order.GTC}
		want(t, c.Replace(t.Context(), "x", id, &change, never), broker.Accepted)
		if got := string(s.Last(t).Body); got != `{"qty":"1","limit_price":null,"stop_price":null,"trail":null,"time_in_force":"gtc","client_order_id":"acme.intent-1"}` {
			t.Errorf("replace sent %s", got)
		}
	})
}
