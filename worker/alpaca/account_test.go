package alpaca_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

// TestAccountTargets: every call with a correspondent's keys names the account, and bears
// those keys and no others, whatever is in the environment.
func TestAccountTargets(t *testing.T) {
	setAPCA(t)
	const (
		base  = "/v1/trading/accounts/" + brokertest.Account
		order = brokertest.OrderID
	)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(acting.KeyID+":"+acting.Secret))
	ctx := t.Context()
	for name, transport := range transports() {
		for target, call := range map[string]func(*alpaca.Client){
			"POST " + base + "/orders":           func(c *alpaca.Client) { c.Place(ctx, id, market(), never) },
			"PATCH " + base + "/orders/" + order: func(c *alpaca.Client) { c.Replace(ctx, order, id, market(), never) },
			"DELETE " + base + "/orders/" + order: func(c *alpaca.Client) {
				c.Cancel(ctx, order, never)
			},
			"DELETE " + base + "/orders":                                       func(c *alpaca.Client) { c.CancelAll(ctx, never) },
			"GET " + base + "/orders/" + order:                                 func(c *alpaca.Client) { c.ByID(ctx, order) },
			"GET " + base + "/orders:by_client_order_id?client_order_id=" + id: func(c *alpaca.Client) { c.ByClientID(ctx, id) },
			"GET " + base + "/positions/BTCUSD?symbol=BTCUSD":                  func(c *alpaca.Client) { c.Position(ctx, "BTC/USD") },
			"GET " + base + "/positions":                                       func(c *alpaca.Client) { c.Positions(ctx) },
			"GET " + base + "/orders?direction=desc&limit=500&status=open": func(c *alpaca.Client) {
				c.Orders(ctx, broker.OrdersQuery{State: broker.OpenOrders})
			},
			"GET " + base + "/orders/" + order + "?nested=true": func(c *alpaca.Client) { c.Record(ctx, order) },
			"GET /v1/accounts/activities/FILL?account_id=" + brokertest.Account + "&direction=desc&page_size=100": func(c *alpaca.Client) {
				c.Fills(ctx, broker.FillsQuery{})
			},
			"GET /v2/events/trades": func(c *alpaca.Client) { c.Follow(ctx) },
		} {
			t.Run(name+" "+target, func(t *testing.T) {
				s := brokertest.NewServer(t)
				call(connect(t, s.URL+"/proxy/", transport(t), as(acting)))
				r := s.Last(t)
				method, path, _ := strings.Cut(target, " ")
				if r.Method != method || r.Sent != "/proxy"+path {
					t.Errorf("%s %s", r.Method, r.Sent)
				}
				if got := r.Header["Authorization"]; !slices.Equal(got, []string{basic}) {
					t.Errorf("Authorization %q", got)
				}
				for name, values := range r.Header {
					if strings.HasPrefix(name, "Apca-") || strings.Contains(strings.Join(values, " "), "stray") {
						t.Errorf("%s is %q", name, values)
					}
				}
			})
		}
	}
}

// TestAccountConfig: what would trade somebody else's account, or at another place, makes no
// client.
func TestAccountConfig(t *testing.T) {
	good := alpaca.Config{Tenant: "acme", BaseURL: "https://broker-api.sandbox.alpaca.markets", Credentials: acting}
	for name, test := range map[string]struct {
		change func(*alpaca.Config)
		want   error
	}{
		"all is well":          {func(*alpaca.Config) {}, nil},
		"another broker":       {func(c *alpaca.Config) { c.BaseURL = "http://127.0.0.1:1" }, nil},
		"no secret":            {func(c *alpaca.Config) { c.Credentials.Secret = "" }, tenant.ErrNoCredentials},
		"no key":               {func(c *alpaca.Config) { c.Credentials.KeyID = "" }, tenant.ErrNoCredentials},
		"a token":              {func(c *alpaca.Config) { c.Credentials = tenant.Credentials{OAuth: "t", Account: "a"} }, alpaca.ErrCredentials},
		"a token too":          {func(c *alpaca.Config) { c.Credentials.OAuth = "t" }, alpaca.ErrCredentials},
		"a path":               {func(c *alpaca.Config) { c.Credentials.Account = "../x" }, alpaca.ErrCredentials},
		"the path's end":       {func(c *alpaca.Config) { c.Credentials.Account = "a?x=" }, alpaca.ErrCredentials},
		"a dot":                {func(c *alpaca.Config) { c.Credentials.Account = "." }, alpaca.ErrCredentials},
		"a long id":            {func(c *alpaca.Config) { c.Credentials.Account = strings.Repeat("a", 65) }, alpaca.ErrCredentials},
		"a colon in the key":   {func(c *alpaca.Config) { c.Credentials.KeyID = "a:b" }, alpaca.ErrCredentials},
		"the Trading API":      {func(c *alpaca.Config) { c.BaseURL = "https://paper-api.alpaca.markets" }, alpaca.ErrBaseURL},
		"the version twice":    {func(c *alpaca.Config) { c.BaseURL += "/v1" }, alpaca.ErrBaseURL},
		"in clear":             {func(c *alpaca.Config) { c.BaseURL = "http://broker-api.alpaca.markets" }, alpaca.ErrBaseURL},
		"the Broker API alone": {func(c *alpaca.Config) { c.Credentials = keys }, alpaca.ErrBaseURL},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			_, err := alpaca.New(cfg)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), acting.Secret) || strings.Contains(err.Error(), acting.KeyID)) {
				t.Errorf("the error shows a key: %v", err)
			}
		})
	}
}

// TestAccountFillsOfOthers: a list that is not of the account alone is no list.
func TestAccountFillsOfOthers(t *testing.T) {
	fill := func(account string) string {
		return `{"id":"1::x","account_id":` + account + `,"activity_type":"FILL","transaction_time":"2026-05-04T14:30:00Z","type":"fill",` +
			`"price":"1","qty":"2","side":"buy","symbol":"AAPL","order_id":"o","cum_qty":"2"}`
	}
	ours := fill(`"` + brokertest.Account + `"`)
	s := brokertest.NewServer(t)
	c := connect(t, s.URL, as(acting))
	for name, test := range map[string]struct {
		body string
		kind broker.VerdictKind
	}{
		"ours":             {"[" + ours + "]", broker.Found},
		"another's too":    {"[" + ours + "," + fill(`"another"`) + "]", broker.Unknown},
		"nobody's":         {"[" + fill(`null`) + "]", broker.Unknown},
		"without a word":   {"[" + strings.Replace(ours, "account_id", "x", 1) + "]", broker.Unknown},
		"no object":        {`["x"]`, broker.Unknown},
		"said within":      {`[{"x":` + ours + `,"id":"1::x","order_id":"o"}]`, broker.Unknown},
		"another's, twice": {`[{"account_id":"another",` + ours[1:] + `]`, broker.Unknown},
	} {
		s.Reply(brokertest.JSON(200, test.body))
		list, v := c.Fills(t.Context(), broker.FillsQuery{})
		if v.Kind != test.kind || (len(list) == 0) != (test.kind == broker.Unknown) {
			t.Errorf("%s: kind %d, %d fills: %s", name, v.Kind, len(list), v.Message)
		}
	}
}

// TestAccountUnknown: that the correspondent may not act for an account says nothing of its
// orders; an order of that name is absent all the same.
func TestAccountUnknown(t *testing.T) {
	for message, kind := range map[string]broker.VerdictKind{
		"account not found":                            broker.Unknown,
		"No account with id 0d18ae51-2f22 found":       broker.Unknown,
		"order not found for account.1":                broker.NotFound,
		"order not found for acme.account-not-found":   broker.NotFound,
		"order not found for " + brokertest.OrderID:    broker.NotFound,
		"position does not exist":                      broker.NotFound,
		"the Account is closed; orders are not listed": broker.Unknown,
	} {
		t.Run(message, func(t *testing.T) {
			s := brokertest.NewServer(t)
			s.Reply(brokertest.Error(404, 40410000, message))
			c := connect(t, s.URL, as(acting))
			for _, v := range []broker.Verdict{
				c.ByClientID(t.Context(), id), c.ByID(t.Context(), "x"), c.Position(t.Context(), "AAPL"), c.Cancel(t.Context(), "x", never),
			} {
				want(t, v, kind)
			}
			_, v := c.Record(t.Context(), "x")
			want(t, v, kind)
			want(t, c.Place(t.Context(), id, market(), never), broker.Rejected)
			want(t, connect(t, s.URL).ByClientID(t.Context(), id), broker.NotFound)
		})
	}
}

// TestAccountFeedSecrets: a stream that echoes the keys makes them known to nobody.
func TestAccountFeedSecrets(t *testing.T) {
	echo := acting.Secret + " " + acting.KeyID + " " + base64.StdEncoding.EncodeToString([]byte(acting.KeyID+":"+acting.Secret))
	s := brokertest.NewServer(t)
	c := connect(t, s.URL, as(acting), func(cfg *alpaca.Config) { cfg.Timeouts.Ping = time.Hour })
	s.Reply(brokertest.Error(500, 50010000, echo))
	_, v := c.Follow(t.Context())
	said := v.Message
	s.Reply(brokertest.Reply{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: ": " + echo + "\n\n"})
	feed, v := c.Follow(t.Context())
	want(t, v, broker.Found)
	if feed == nil {
		t.Fatal("no feed")
	}
	defer feed.Close()
	_, err := feed.Next(t.Context())
	if err == nil {
		t.Fatal("it goes on")
	}
	said += err.Error()
	for _, secret := range strings.Fields(echo) {
		if strings.Contains(said, secret) {
			t.Errorf("shown: %s", said)
		}
	}
}

// TestAccountFeedTLS: the stream's connection trusts whom the client trusts, and nobody else.
func TestAccountFeedTLS(t *testing.T) {
	s, trust := secure(t)
	s.Reply(brokertest.Reply{
		Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: `data: {"account_id":"` + brokertest.Account + `","event":"new","order":{"id":"o1"}}` + "\n\n", Then: brokertest.Close,
	})
	_, v := connect(t, s.URL, as(acting)).Follow(t.Context())
	want(t, v, broker.Unknown)
	if n := len(s.Requests()); n != 0 {
		t.Fatal("the keys went to somebody unknown")
	}
	feed, v := connect(t, s.URL, as(acting), func(cfg *alpaca.Config) { cfg.TLS = trust }).Follow(t.Context())
	want(t, v, broker.Found)
	if feed == nil {
		t.Fatal(v.Message)
	}
	defer feed.Close()
	if e, err := feed.Next(t.Context()); err != nil || e.Order.ID != "o1" {
		t.Errorf("%+v: %v", e, err)
	}
	if _, err := feed.Next(t.Context()); err == nil {
		t.Error("it goes on after its end")
	}
}
