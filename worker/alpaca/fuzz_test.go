package alpaca

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

// FuzzResponse answers with any bytes: nothing panics, and only an answer that
// proves it yields Accepted, Found or NotFound.
func FuzzResponse(f *testing.F) {
	const id = "acme.intent-1"
	booked := brokertest.Show([]byte(`{"client_order_id":"` + id + `","symbol":"AAPL","qty":"1"}`))
	for _, reply := range []brokertest.Reply{
		brokertest.JSON(200, booked),
		brokertest.JSON(200, booked[:200]),
		brokertest.JSON(200, `{"id":"x","client_order_id":"`+id+`","qty":"","legs":[{"qty":""}]}`),
		brokertest.JSON(200, strings.Replace(booked, `"qty"`, "\"\x00ty\"", 1)), // the SDK would take it
		brokertest.JSON(207, `[{"id":"a","status":200}]`),
		brokertest.Error(404, 40410000, "order not found"),
		brokertest.Error(422, 42210000, "no"),
		brokertest.JSON(200, brokertest.Position("AAPL", "1e3", "-0", "short")),
		{Status: 204},
		{Status: 429, Header: http.Header{"Retry-After": {"1"}, "X-Ratelimit-Reset": {"99999999999"}}},
		{Status: 301, Header: http.Header{"Location": {"http://127.0.0.1:1/%zz"}}},
		{Raw: []byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n0\r\n\r\n")},
	} {
		f.Add(reply.Bytes())
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := newActed(t)
		ctx, o := t.Context(), &order.Order{Symbol: "AAPL"}
		status, body := parse(answer)
		for call, made := range map[string]func() broker.Verdict{
			"place":      func() broker.Verdict { return c.Place(ctx, id, o, time.Time{}) },
			"cancel":     func() broker.Verdict { return c.Cancel(ctx, "x", time.Time{}) },
			"cancel all": func() broker.Verdict { return c.CancelAll(ctx, time.Time{}) },
			"lookup":     func() broker.Verdict { return c.ByClientID(ctx, id) },
			"position":   func() broker.Verdict { return c.Position(ctx, "AAPL") },
		} {
			a := &acted{wrote: -1}
			a.answer.Reset(string(answer))
			enter(c, a)
			v := made()
			switch v.Kind {
			case broker.Accepted, broker.Found:
				if status/100 != 2 {
					t.Errorf("%s: proof from HTTP %d", call, status)
				}
				if (call == "place" || call == "lookup") && (v.Order == nil || body["client_order_id"] != id) {
					t.Errorf("%s: our id is not in the answer: %v", call, body)
				}
			case broker.NotFound:
				if status != 404 {
					t.Errorf("%s: absence proven by HTTP %d", call, status)
				}
			case broker.Rejected:
				if status/100 != 4 {
					t.Errorf("%s: rejected by HTTP %d", call, status)
				}
			case broker.RetryAfter:
				if status != 429 || v.Wait < 0 {
					t.Errorf("%s: HTTP %d, wait %v", call, status, v.Wait)
				}
			case broker.Unknown:
				if v.Submitted.IsZero() {
					t.Errorf("%s: unknown, though nothing was sent", call)
				}
			default:
				t.Errorf("%s: verdict %+v", call, v)
			}
		}
	})
}

// parse reads the final answer and the JSON object in it in another way than the
// client does.
func parse(answer []byte) (status int, body map[string]any) {
	in := bufio.NewReader(bytes.NewReader(answer))
	for status < 200 {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return 0, nil
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return 0, nil
		}
		status = resp.StatusCode
		_ = json.Unmarshal(b, &body)
	}
	return status, body
}
