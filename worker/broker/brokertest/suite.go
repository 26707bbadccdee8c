package brokertest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// Connect makes the client under test, for the broker at baseURL. Whatever must be
// torn down is left to t.Cleanup.
type Connect func(t *testing.T, baseURL string) broker.Client

const id = "acme.intent-1"

// never is a notAfter that does not pass.
var never time.Time

// bench is one server and one client of it.
type bench struct {
	*Server
	broker.Client
}

func setUp(t *testing.T, connect Connect) bench {
	t.Helper()
	server := NewServer(t)
	return bench{server, connect(t, server.URL)}
}

// Run checks all of the contract.
func Run(t *testing.T, connect Connect) {
	t.Run("Place", func(t *testing.T) { testPlace(t, connect) })
	t.Run("Replace", func(t *testing.T) { testReplace(t, connect) })
	t.Run("Cancel", func(t *testing.T) { testCancel(t, connect) })
	t.Run("CancelAll", func(t *testing.T) { testCancelAll(t, connect) })
	t.Run("Lookups", func(t *testing.T) { testLookups(t, connect) })
	t.Run("Rejected", func(t *testing.T) { testRejected(t, connect) })
	t.Run("RetryAfter", func(t *testing.T) { testRetryAfter(t, connect) })
	t.Run("Limits", func(t *testing.T) { testLimits(t, connect) })
	t.Run("Unknown", func(t *testing.T) { testUnknown(t, connect) })
	t.Run("Unsent", func(t *testing.T) { testUnsent(t, connect) })
	t.Run("Expired", func(t *testing.T) { testExpired(t, connect) })
	t.Run("Malformed", func(t *testing.T) { testMalformed(t, connect) })
	t.Run("Connection", func(t *testing.T) { testConnection(t, connect) })
}

func testPlace(t *testing.T, connect Connect) {
	for name, o := range Orders() {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			before := time.Now()
			v := b.Place(t.Context(), id, &o, before.Add(time.Hour))
			want(t, v, broker.Accepted)
			if v.Submitted.Before(before) || v.Answered.Before(v.Submitted) {
				t.Errorf("submitted %v, answered %v, called %v", v.Submitted, v.Answered, before)
			}
			if v.Order == nil || v.Order.ID != OrderID || v.RequestID != "req-1" || v.HTTPStatus != http.StatusOK {
				t.Fatalf("verdict %+v", v)
			}
			if d := broker.Differences(id, &o, v.Order); d != nil {
				t.Errorf("booked something else: %q", d)
			}
			r := b.Last(t)
			if r.Method != http.MethodPost || r.Target != "/v2/orders" {
				t.Errorf("%s %s", r.Method, r.Target)
			}
			wantBody(t, r, id, o)
		})
	}
}

func testReplace(t *testing.T, connect Connect) {
	end := time.Date(2026, 5, 4, 20, 0, 0, 0, time.UTC)
	for name, change := range map[string]order.Order{
		"quantity":     {Qty: dec("2")},
		"limit":        {LimitPrice: dec("101.25"), TimeInForce: order.GTC},
		"stop":         {StopPrice: dec("99")},
		"trail":        {Trail: dec("1.5")},
		"instructions": {Qty: dec("2"), AdvancedInstructions: &order.AdvancedInstructions{Algorithm: "TWAP", EndTime: &end}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			v := b.Replace(t.Context(), OrderID, id, &change, never)
			want(t, v, broker.Accepted)
			if v.Order == nil || v.Order.ClientOrderID != id {
				t.Fatalf("order %+v", v.Order)
			}
			r := b.Last(t)
			if r.Method != http.MethodPatch || r.Target != "/v2/orders/"+OrderID {
				t.Errorf("%s %s", r.Method, r.Target)
			}
			wantBody(t, r, id, change)
		})
	}
}

func testCancel(t *testing.T, connect Connect) {
	for name, c := range map[string]struct {
		reply Reply
		kind  broker.VerdictKind
	}{
		"requested":       {Reply{Status: http.StatusNoContent}, broker.Accepted},
		"filled already":  {Error(422, 42210000, `order is already in "filled" state`), broker.Rejected},
		"no such order":   {Error(404, 40410000, "order not found for x"), broker.NotFound},
		"a gateway's 404": {Reply{Status: 404, Body: "<html>not found</html>"}, broker.Unknown},
		"200 of somebody": {Reply{Status: 200, Body: "<html>log in</html>"}, broker.Unknown},
		"server error":    {Error(500, 50010000, "internal server error"), broker.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			b.Server.Reply(c.reply)
			want(t, b.Cancel(t.Context(), OrderID, never), c.kind)
			if r := b.Last(t); r.Method != http.MethodDelete || r.Target != "/v2/orders/"+OrderID {
				t.Errorf("%s %s", r.Method, r.Target)
			}
		})
	}
}

func testCancelAll(t *testing.T, connect Connect) {
	for name, c := range map[string]struct {
		reply Reply
		kind  broker.VerdictKind
		list  []broker.CanceledOrder
	}{
		"two orders": {
			JSON(207, `[{"id":"a","status":200,"body":{"id":"a"}},{"id":"b","status":500,"body":{"code":50010000}}]`),
			broker.Accepted, []broker.CanceledOrder{{ID: "a", Status: 200}, {ID: "b", Status: 500}},
		},
		"none open":  {JSON(207, `[]`), broker.Accepted, nil},
		"empty body": {JSON(207, ``), broker.Unknown, nil},
		"no list":    {JSON(207, `{"id":"a"}`), broker.Unknown, nil},
		"cut short":  {JSON(207, `[{"id":"a","sta`), broker.Unknown, nil},
		"nameless":   {JSON(207, `[{"status":200}]`), broker.Unknown, nil},
		"failed":     {Error(500, 50010000, "failed to cancel"), broker.Unknown, nil},
		"forbidden":  {JSON(403, `{"message":"forbidden."}`), broker.Rejected, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			b.Server.Reply(c.reply)
			v := b.CancelAll(t.Context(), never)
			want(t, v, c.kind)
			if !slices.Equal(v.Canceled, c.list) {
				t.Errorf("list %v, want %v", v.Canceled, c.list)
			}
			if r := b.Last(t); r.Method != http.MethodDelete || r.Target != "/v2/orders" {
				t.Errorf("%s %s", r.Method, r.Target)
			}
		})
	}
}

func testLookups(t *testing.T, connect Connect) {
	order := Show([]byte(`{"client_order_id":"` + id + `","symbol":"AAPL","qty":"1.00"}`))
	replies := []struct {
		name  string
		reply Reply
		kind  broker.VerdictKind
	}{
		{"absent", Error(404, 40410000, "not found"), broker.NotFound},
		{"a gateway's 404", Reply{Status: 404, Body: "<html>404</html>"}, broker.Unknown},
		{"a gateway's 404 in JSON", JSON(404, `{"message":"no Route matched with those values"}`), broker.Unknown},
		{"an empty 404", Reply{Status: 404}, broker.Unknown},
		{"empty", JSON(200, ``), broker.Unknown},
		{"garbage", JSON(200, `<html>`), broker.Unknown},
		{"cut short", JSON(200, order[:len(order)/2]), broker.Unknown},
		{"somebody else's", JSON(200, `{"id":"x","client_order_id":"other","symbol":"MSFT"}`), broker.Unknown},
		{"bad keys", JSON(401, `{"message":"unauthorized."}`), broker.Rejected},
		{"rate limit", Error(429, 42910000, "rate limit exceeded"), broker.RetryAfter},
		{"server error", Error(503, 50310000, "unavailable"), broker.Unknown},
	}
	for name, look := range map[string]struct {
		call   func(bench) broker.Verdict
		found  Reply
		target string
	}{
		"ByClientID": {
			func(b bench) broker.Verdict { return b.ByClientID(t.Context(), id) },
			JSON(200, order), "/v2/orders:by_client_order_id?client_order_id=" + id,
		},
		"ByID": {
			func(b bench) broker.Verdict { return b.ByID(t.Context(), OrderID) },
			JSON(200, order), "/v2/orders/" + OrderID,
		},
		"Position": {
			func(b bench) broker.Verdict { return b.Position(t.Context(), "AAPL") },
			JSON(200, Position("AAPL", "-5", "-3", "short")), "/v2/positions/AAPL",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			b.Server.Reply(look.found)
			v := look.call(b)
			want(t, v, broker.Found)
			switch {
			case v.Position != nil && (v.Position.Symbol != "AAPL" || !v.Position.Qty.Equal(*dec("-5")) || !v.Position.Available.Equal(*dec("-3"))):
				t.Errorf("position %+v", v.Position)
			case v.Order != nil && (v.Order.ID != OrderID || v.Order.Symbol != "AAPL" || !v.Order.Qty.Equal(*dec("1"))):
				t.Errorf("order %+v", v.Order)
			case v.Order == nil && v.Position == nil:
				t.Error("nothing was found")
			}
			if r := b.Last(t); r.Method != http.MethodGet || !strings.HasPrefix(r.Target, look.target) {
				t.Errorf("%s %s, want %s", r.Method, r.Target, look.target)
			}
			for _, c := range replies {
				t.Run(c.name, func(t *testing.T) {
					b.Server.Reply(c.reply)
					v := look.call(b)
					want(t, v, c.kind)
					if v.Order != nil || v.Position != nil {
						t.Errorf("it shows %+v %+v", v.Order, v.Position)
					}
				})
			}
		})
	}
}

func testMalformed(t *testing.T, connect Connect) {
	b := setUp(t, connect)
	o := Orders()["market"]
	long := strings.Repeat("x", 129)
	for name, call := range map[string]func() broker.Verdict{
		"place without id":         func() broker.Verdict { return b.Place(t.Context(), "", &o, never) },
		"place with a long id":     func() broker.Verdict { return b.Place(t.Context(), long, &o, never) },
		"place nothing":            func() broker.Verdict { return b.Place(t.Context(), id, nil, never) },
		"replace without id":       func() broker.Verdict { return b.Replace(t.Context(), OrderID, "", &o, never) },
		"replace nothing":          func() broker.Verdict { return b.Replace(t.Context(), "", id, &o, never) },
		"replace elsewhere":        func() broker.Verdict { return b.Replace(t.Context(), "../account", id, &o, never) },
		"cancel without id":        func() broker.Verdict { return b.Cancel(t.Context(), "", never) },
		"cancel elsewhere":         func() broker.Verdict { return b.Cancel(t.Context(), "../positions", never) },
		"cancel with a query":      func() broker.Verdict { return b.Cancel(t.Context(), "?x=y", never) },
		"look up nothing":          func() broker.Verdict { return b.ByClientID(t.Context(), "") },
		"look up no id":            func() broker.Verdict { return b.ByID(t.Context(), "") },
		"position of nothing":      func() broker.Verdict { return b.Position(t.Context(), "") },
		"position of the parent":   func() broker.Verdict { return b.Position(t.Context(), "..") },
		"position with a fragment": func() broker.Verdict { return b.Position(t.Context(), "A#B") },
	} {
		t.Run(name, func(t *testing.T) {
			v := call()
			want(t, v, broker.Rejected)
			if v.HTTPStatus != 0 || v.Message == "" || !v.Submitted.IsZero() {
				t.Errorf("verdict %+v", v)
			}
		})
	}
	if n := len(b.Requests()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func testExpired(t *testing.T, connect Connect) {
	b := setUp(t, connect)
	o := Orders()["market"]
	past := time.Now().Add(-time.Millisecond)
	for name, call := range map[string]func(context.Context) broker.Verdict{
		"place":      func(ctx context.Context) broker.Verdict { return b.Place(ctx, id, &o, past) },
		"replace":    func(ctx context.Context) broker.Verdict { return b.Replace(ctx, OrderID, id, &o, past) },
		"cancel":     func(ctx context.Context) broker.Verdict { return b.Cancel(ctx, OrderID, past) },
		"cancel all": func(ctx context.Context) broker.Verdict { return b.CancelAll(ctx, past) },
	} {
		t.Run(name, func(t *testing.T) {
			v := call(t.Context())
			want(t, v, broker.Expired)
			if !v.Submitted.IsZero() {
				t.Errorf("submitted %v", v.Submitted)
			}
		})
	}
	late := broker.WrittenBefore(t.Context(), past)
	for name, v := range map[string]broker.Verdict{
		"place":        b.Place(late, id, &o, never),
		"cancel":       b.Cancel(late, OrderID, time.Now().Add(time.Hour)),
		"by client id": b.ByClientID(late, id),
		"by id":        b.ByID(late, OrderID),
		"position":     b.Position(late, "AAPL"),
	} {
		t.Run(name+", by its context", func(t *testing.T) { want(t, v, broker.Expired) })
	}
	if n := len(b.Requests()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	want(t, b.Place(t.Context(), id, &o, never), broker.Accepted)
}

func want(t *testing.T, v broker.Verdict, kind broker.VerdictKind) {
	t.Helper()
	if v.Kind != kind {
		t.Errorf("kind %d, want %d: HTTP %d, %s", v.Kind, kind, v.HTTPStatus, v.Message)
	}
}

// wantBody checks that the body says what was asked, all of it and nothing else;
// null, "" and false say nothing.
func wantBody(t *testing.T, r Request, clientOrderID string, o order.Order) {
	t.Helper()
	encoded, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var asked, sent map[string]any
	if err := json.Unmarshal(encoded, &asked); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(r.Body, &sent); err != nil {
		t.Fatalf("the body is not JSON: %v", err)
	}
	asked["client_order_id"] = clientOrderID
	dropAbsent(sent)
	if !reflect.DeepEqual(sent, asked) {
		t.Errorf("sent  %v\nasked %v", sent, asked)
	}
}

func dropAbsent(members map[string]any) {
	maps.DeleteFunc(members, func(_ string, v any) bool {
		if nested, ok := v.(map[string]any); ok {
			dropAbsent(nested)
		}
		return v == nil || v == "" || v == false
	})
}
