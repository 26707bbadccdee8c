package brokertest

import (
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// ConnectBooks makes the books under test, for the broker at baseURL, whose feed asks for
// signs of life every ping. Whatever must be torn down is left to t.Cleanup.
type ConnectBooks func(t *testing.T, baseURL string, ping time.Duration) broker.Books

// Stream is how a broker tells what happens.
type Stream int

// The streams.
const (
	Websocket  Stream = iota // of one account
	ServerSent               // of all accounts of a correspondent; the one under test is [Account]
)

// RunBooks checks all of the contract of [broker.Books].
func RunBooks(t *testing.T, stream Stream, connect ConnectBooks) {
	t.Run("Lists", func(t *testing.T) { testLists(t, connect) })
	t.Run("Orders", func(t *testing.T) { testOrders(t, connect) })
	t.Run("Record", func(t *testing.T) { testRecord(t, connect) })
	t.Run("Fills", func(t *testing.T) { testFills(t, connect) })
	t.Run("Positions", func(t *testing.T) { testPositions(t, connect) })
	if stream == ServerSent {
		t.Run("Feed", func(t *testing.T) { testEvents(t, connect) })
		t.Run("NoFeed", func(t *testing.T) { testNoEvents(t, connect) })
		t.Run("FeedEnds", func(t *testing.T) { testEventsEnd(t, connect) })
		return
	}
	t.Run("Feed", func(t *testing.T) { testFeed(t, connect) })
	t.Run("NoFeed", func(t *testing.T) { testNoFeed(t, connect) })
	t.Run("FeedEnds", func(t *testing.T) { testFeedEnds(t, connect) })
	t.Run("Line", func(t *testing.T) { testBooksLine(t, connect) })
}

// long is a ping that does not come.
const long = time.Hour

// testBooksLine: a line that was hung up is dialled again, and one that was closed is not.
func testBooksLine(t *testing.T, connect ConnectBooks) {
	s := NewServer(t)
	s.Reply(JSON(200, `[]`))
	b := connect(t, s.URL, long)
	b.Hangup()
	for range 2 {
		_, v := b.Positions(t.Context())
		want(t, v, broker.Found)
		b.Hangup()
		b.Hangup()
	}
	b.Close()
	b.Close()
	_, v := b.Positions(t.Context())
	want(t, v, broker.Unsent)
	if feed, v := b.Follow(t.Context()); feed != nil || v.Kind != broker.Unsent {
		t.Errorf("a feed opens over a line that was closed: kind %d", v.Kind)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("the broker got %d requests", n)
	}
}

// testLists: what is no list proves nothing, and shows nothing.
func testLists(t *testing.T, connect ConnectBooks) {
	lists := map[string]func(broker.Books) (int, broker.Verdict){
		"orders": func(b broker.Books) (int, broker.Verdict) {
			l, v := b.Orders(t.Context(), broker.OrdersQuery{State: broker.AllOrders})
			return len(l), v
		},
		"fills": func(b broker.Books) (int, broker.Verdict) {
			l, v := b.Fills(t.Context(), broker.FillsQuery{})
			return len(l), v
		},
		"positions": func(b broker.Books) (int, broker.Verdict) {
			l, v := b.Positions(t.Context())
			return len(l), v
		},
	}
	for name, list := range lists {
		t.Run(name, func(t *testing.T) {
			s := NewServer(t)
			b := connect(t, s.URL, long)
			for name, c := range map[string]struct {
				reply Reply
				kind  broker.VerdictKind
			}{
				"empty":        {JSON(200, `[]`), broker.Found},
				"no list":      {JSON(200, `{"a":1}`), broker.Unknown},
				"null":         {JSON(200, `null`), broker.Unknown},
				"nothing":      {JSON(200, ``), broker.Unknown},
				"cut short":    {JSON(200, `[{"id":"a","order_id":"b","symbol":"AAPL"}`), broker.Unknown},
				"a page":       {Reply{Status: 200, Body: "<html>log in</html>"}, broker.Unknown},
				"nameless":     {JSON(200, `[{}]`), broker.Unknown},
				"bad keys":     {JSON(401, `{"message":"unauthorized."}`), broker.Rejected},
				"rate limit":   {Error(429, 42910000, "rate limit exceeded"), broker.RetryAfter},
				"server error": {Error(503, 50310000, "unavailable"), broker.Unknown},
			} {
				s.Reply(c.reply)
				n, v := list(b)
				if v.Kind != c.kind || n != 0 {
					t.Errorf("%s: kind %d, want %d, with %d lines: HTTP %d, %s", name, v.Kind, c.kind, n, v.HTTPStatus, v.Message)
				}
			}
			s.Stop()
			if n, v := list(b); v.Kind != broker.Unsent || n != 0 {
				t.Errorf("no broker: kind %d", v.Kind)
			}
		})
	}
}

func testOrders(t *testing.T, connect ConnectBooks) {
	s := NewServer(t)
	b := connect(t, s.URL, long)
	filled := strings.Replace(Show([]byte(`{"client_order_id":"acme.a","symbol":"AAPL","qty":"3","side":"buy"}`)), `"filled_at":null`, `"filled_at":"2026-05-04T14:31:00.5Z"`, 1)
	filled = strings.Replace(strings.Replace(filled, `"filled_qty":"0"`, `"filled_qty":"3"`, 1), `"filled_avg_price":null`, `"filled_avg_price":"100.5"`, 1)
	filled = strings.Replace(filled, `"status":"accepted"`, `"status":"filled"`, 1)
	s.Reply(JSON(200, "["+filled+"]"))
	since := time.Date(2026, 5, 4, 14, 30, 0, 123456789, time.UTC)
	list, v := b.Orders(t.Context(), broker.OrdersQuery{State: broker.ClosedOrders, Since: since, Nested: true, Ascending: true, Limit: 10_000})
	want(t, v, broker.Found)
	if len(list) != 1 {
		t.Fatalf("%d orders", len(list))
	}
	o := list[0]
	if o.ID != OrderID || o.ClientOrderID != "acme.a" || !o.FilledQty.Equal(*dec("3")) || !o.FilledAvgPrice.Equal(*dec("100.5")) ||
		o.Status != "filled" || !o.Over() || !o.Ended.Equal(time.Date(2026, 5, 4, 14, 31, 0, 500_000_000, time.UTC)) || o.Submitted.IsZero() || o.Side != order.Buy {
		t.Errorf("order %+v", o)
	}
	q := s.Last(t).Query
	for name, value := range map[string]string{
		"status": "closed", "direction": "asc", "limit": "500", "nested": "true", "after": "2026-05-04T14:30:00.123456789Z",
	} {
		if q.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, q.Get(name), value)
		}
	}
	b.Orders(t.Context(), broker.OrdersQuery{State: broker.OpenOrders, Before: OrderID})
	if q := s.Last(t).Query; q.Get("before_order_id") != OrderID || q.Get("direction") != "desc" || q.Has("nested") || q.Has("after") {
		t.Errorf("the next page: %v", q)
	}
	arrived := len(s.Requests())
	if _, v := b.Orders(t.Context(), broker.OrdersQuery{State: broker.OpenOrders, Before: "../account"}); v.Kind != broker.Rejected || len(s.Requests()) != arrived {
		t.Errorf("an id that is none: kind %d", v.Kind)
	}
}

func testRecord(t *testing.T, connect ConnectBooks) {
	s := NewServer(t)
	b := connect(t, s.URL, long)
	leg := Show([]byte(`{"client_order_id":"leg"}`))
	s.Reply(JSON(200, strings.Replace(Show([]byte(`{"client_order_id":"acme.a","order_class":"bracket"}`)), `"legs":null`, `"legs":[`+leg+`]`, 1)))
	r, v := b.Record(t.Context(), OrderID)
	want(t, v, broker.Found)
	if r.ClientOrderID != "acme.a" || len(r.Nested) != 1 || r.Nested[0].ClientOrderID != "leg" || r.Over() {
		t.Errorf("record %+v", r)
	}
	if q := s.Last(t); q.Query.Get("nested") != "true" || q.Path != "/v2/orders/"+OrderID {
		t.Errorf("asked for %s", q.Target)
	}
	_, v = b.Record(t.Context(), "another")
	want(t, v, broker.Unknown)
	s.Reply(Error(404, 40410000, "order not found"))
	_, v = b.Record(t.Context(), OrderID)
	want(t, v, broker.NotFound)
	s.Reply(Reply{Status: 404, Body: "<html>"})
	_, v = b.Record(t.Context(), OrderID)
	want(t, v, broker.Unknown)
	_, v = b.Record(t.Context(), "")
	want(t, v, broker.Rejected)
}

func testFills(t *testing.T, connect ConnectBooks) {
	s := NewServer(t)
	b := connect(t, s.URL, long)
	s.Reply(JSON(200, `[{"id":"20260504143000123::x","account_id":"`+Account+`","activity_type":"FILL","transaction_time":"2026-05-04T14:30:00.123456Z","type":"partial_fill",
"price":"187.25","qty":"2","side":"sell","symbol":"AAPL","leaves_qty":"1","order_id":"o","cum_qty":"3","order_status":"partially_filled"}]`))
	list, v := b.Fills(t.Context(), broker.FillsQuery{Before: "20260504143000123::y"})
	want(t, v, broker.Found)
	if len(list) != 1 {
		t.Fatalf("%d fills", len(list))
	}
	f := list[0]
	if f.ID != "20260504143000123::x" || f.OrderID != "o" || !f.Partial || f.Side != order.Sell || !f.Price.Equal(*dec("187.25")) ||
		!f.Qty.Equal(*dec("2")) || !f.Cum.Equal(*dec("3")) || !f.At.Equal(time.Date(2026, 5, 4, 14, 30, 0, 123_456_000, time.UTC)) {
		t.Errorf("fill %+v", f)
	}
	if q := s.Last(t); q.Query.Get("page_token") != "20260504143000123::y" || q.Query.Get("direction") != "desc" || q.Query.Get("page_size") != "100" {
		t.Errorf("asked for %s", q.Target)
	}
}

func testPositions(t *testing.T, connect ConnectBooks) {
	s := NewServer(t)
	b := connect(t, s.URL, long)
	s.Reply(JSON(200, "["+Position("AAPL", "5", "5", "short")+","+Position("MSFT", "1", "1", "long")+"]"))
	list, v := b.Positions(t.Context())
	want(t, v, broker.Found)
	if len(list) != 2 || !list[0].Qty.Equal(*dec("-5")) || list[1].Symbol != "MSFT" {
		t.Errorf("positions %+v", list)
	}
}
