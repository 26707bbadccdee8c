package brokertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// OrderID is the broker's id of every order that [Booked] books.
const OrderID = "61e69015-8549-4bfd-b9c3-01e75843f47d"

// JSON is a reply with a JSON body.
func JSON(status int, body string) Reply {
	return Reply{
		Status: status, Body: body,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"req-1"}},
	}
}

// Error is a reply as Alpaca words its refusals.
func Error(status, code int, message string) Reply {
	m, _ := json.Marshal(message)
	return JSON(status, fmt.Sprintf(`{"code":%d,"message":%s}`, code, m))
}

// Booked books what arrives, without any check: an order that is placed or
// replaced comes back as Alpaca shows orders, a cancel is taken, a lookup by client
// order id finds a market order.
func Booked(r Request) Reply {
	switch {
	case r.Method == http.MethodDelete && r.Path == "/v2/orders":
		return JSON(http.StatusMultiStatus, `[{"id":"`+OrderID+`","status":200}]`)
	case r.Method == http.MethodDelete:
		return Reply{Status: http.StatusNoContent}
	case r.Method == http.MethodPost, r.Method == http.MethodPatch:
		return JSON(http.StatusOK, Show(r.Body))
	case strings.HasPrefix(r.Path, "/v2/positions/"):
		symbol := strings.TrimPrefix(r.Path, "/v2/positions/")
		return JSON(http.StatusOK, Position(symbol, "100", "60", "long"))
	default:
		id := r.Query.Get("client_order_id")
		return JSON(http.StatusOK, Show(fmt.Appendf(nil,
			`{"client_order_id":%q,"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}`, id)))
	}
}

// shown is an order as Alpaca shows it: what is absent is null, numbers are
// strings, the class of a simple order is empty.
const shown = `{"id":"` + OrderID + `","client_order_id":"","created_at":"2026-05-04T14:30:00.123456789Z",
"updated_at":"2026-05-04T14:30:00.123456789Z","submitted_at":"2026-05-04T14:30:00.120000001Z","filled_at":null,
"expired_at":null,"canceled_at":null,"failed_at":null,"replaced_at":null,"replaced_by":null,"replaces":null,
"asset_id":"b0b6dd9d-8b9b-48a9-ba46-b9d54906e415","symbol":"","asset_class":"us_equity","notional":null,
"qty":null,"filled_qty":"0","filled_avg_price":null,"order_class":"","order_type":"","type":"","side":"",
"position_intent":"","time_in_force":"","limit_price":null,"stop_price":null,"status":"accepted",
"extended_hours":false,"legs":null,"trail_percent":null,"trail_price":null,"hwm":null,"ratio_qty":null}`

// Show is the order of a request's body as Alpaca shows it once booked.
func Show(request []byte) string {
	var order, asked map[string]any
	if err := json.Unmarshal([]byte(shown), &order); err != nil {
		panic(err)
	}
	if err := json.Unmarshal(request, &asked); err != nil {
		return `{"message":"the request is not JSON"}`
	}
	for name, value := range asked {
		if _, known := order[name]; known && name != "legs" {
			order[name] = value
		}
	}
	order["order_type"] = order["type"]
	order["legs"] = shownLegs(asked)
	if order["order_class"] == "oco" && order["limit_price"] == nil {
		if profit, ok := asked["take_profit"].(map[string]any); ok {
			order["limit_price"] = profit["limit_price"]
		}
	}
	b, err := json.Marshal(order)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// shownLegs nests the orders that hang on an order in it.
func shownLegs(asked map[string]any) []map[string]any {
	var legs []map[string]any
	if profit, ok := asked["take_profit"].(map[string]any); ok && asked["order_class"] != "oco" {
		legs = append(legs, map[string]any{"id": "leg-profit", "type": "limit", "limit_price": profit["limit_price"]})
	}
	if loss, ok := asked["stop_loss"].(map[string]any); ok {
		kind := "stop"
		if loss["limit_price"] != nil {
			kind = "stop_limit"
		}
		legs = append(legs, map[string]any{
			"id": "leg-loss", "type": kind, "stop_price": loss["stop_price"], "limit_price": loss["limit_price"],
		})
	}
	if asked["order_class"] == "mleg" {
		for _, leg := range asked["legs"].([]any) {
			legs = append(legs, leg.(map[string]any))
		}
	}
	return legs
}

// Position is a position as Alpaca shows it.
func Position(symbol, qty, available, side string) string {
	return fmt.Sprintf(`{"asset_id":"b0b6dd9d-8b9b-48a9-ba46-b9d54906e415","symbol":%q,"exchange":"NASDAQ",
"asset_class":"us_equity","avg_entry_price":"100.0","qty":%q,"qty_available":%q,"side":%q,"market_value":"600.0",
"cost_basis":"500.0","unrealized_pl":"100.0","unrealized_plpc":"0.20","unrealized_intraday_pl":"10.0",
"unrealized_intraday_plpc":"0.0084","current_price":"120.0","lastday_price":"119.0","change_today":"0.0084"}`,
		symbol, qty, available, side)
}
