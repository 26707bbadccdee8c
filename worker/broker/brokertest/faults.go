package brokertest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

func testRejected(t *testing.T, connect Connect) {
	for name, c := range map[string]struct {
		reply   Reply
		code    int
		message string
	}{
		"bad request":  {Error(400, 40010001, "request body format is invalid"), 40010001, "request body format is invalid"},
		"unauthorized": {JSON(401, `{"message":"unauthorized."}`), 0, "unauthorized."},
		"buying power": {
			JSON(403, `{"buying_power":"1","code":40310000,"cost_basis":"2","message":"insufficient buying power"}`),
			40310000, "insufficient buying power",
		},
		"not found":         {Error(404, 40410000, "endpoint not found"), 40410000, "endpoint not found"},
		"a page":            {Reply{Status: 403, Body: "<html>\n\x00blocked</html>"}, 0, "<html> blocked</html>"},
		"nothing said":      {Reply{Status: 405}, 0, ""},
		"conflict":          {Error(409, 40910000, "conflict"), 40910000, "conflict"},
		"gone":              {Reply{Status: 410, Body: "gone"}, 0, "gone"},
		"too large":         {Reply{Status: 413, Body: "too large"}, 0, "too large"},
		"wrong media type":  {Reply{Status: 415, Body: "json, please"}, 0, "json, please"},
		"id used before":    {Error(422, 40010001, "client_order_id must be unique"), 40010001, "client_order_id must be unique"},
		"code in quotes":    {JSON(422, `{"code":"42210000","message":"invalid"}`), 42210000, "invalid"},
		"code not a number": {JSON(422, `{"code":"oops","message":"invalid"}`), 0, "invalid"},
		"long page":         {Reply{Status: 422, Body: strings.Repeat("é", 5000)}, 0, strings.Repeat("é", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			b.Server.Reply(c.reply)
			o := Orders()["market"]
			v := b.Place(t.Context(), id, &o, never)
			want(t, v, broker.Rejected)
			if v.HTTPStatus != c.reply.Status || v.Code != c.code || v.Message != c.message {
				t.Errorf("HTTP %d, code %d, %q", v.HTTPStatus, v.Code, v.Message)
			}
			if n := len(b.Requests()); n != 1 {
				t.Errorf("%d requests arrived", n)
			}
		})
	}
}

func testRetryAfter(t *testing.T, connect Connect) {
	date := time.Date(2026, 5, 4, 14, 30, 0, 0, time.UTC)
	dated := date.Format(http.TimeFormat)
	reset := fmt.Sprint(date.Add(40 * time.Second).Unix())
	for name, c := range map[string]struct {
		header http.Header
		wait   time.Duration
	}{
		"not said":               {nil, 0},
		"seconds":                {http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		"a date":                 {http.Header{"Date": {dated}, "Retry-After": {date.Add(time.Minute).Format(http.TimeFormat)}}, time.Minute},
		"a date that has passed": {http.Header{"Date": {dated}, "Retry-After": {date.Add(-time.Minute).Format(http.TimeFormat)}}, 0},
		"the limit's reset":      {http.Header{"Date": {dated}, "X-Ratelimit-Reset": {reset}}, 40 * time.Second},
		"both":                   {http.Header{"Date": {dated}, "X-Ratelimit-Reset": {reset}, "Retry-After": {"3"}}, 3 * time.Second},
		"a day":                  {http.Header{"Retry-After": {"86400"}}, time.Hour},
		"absurd":                 {http.Header{"Retry-After": {"1e300"}, "X-Ratelimit-Reset": {"9e99"}}, time.Hour},
		"nonsense":               {http.Header{"Retry-After": {"soon"}, "X-Ratelimit-Reset": {"-1"}}, 0},
		"not a number":           {http.Header{"Retry-After": {"NaN"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			reply := Error(429, 42910000, "rate limit exceeded")
			for k, v := range c.header {
				reply.Header[k] = v
			}
			b.Server.Reply(reply)
			o := Orders()["market"]
			v := b.Place(t.Context(), id, &o, never)
			want(t, v, broker.RetryAfter)
			if v.Wait != c.wait || v.Code != 42910000 {
				t.Errorf("wait %v, want %v; verdict %+v", v.Wait, c.wait, v)
			}
			if n := len(b.Requests()); n != 1 {
				t.Errorf("%d requests arrived: a retry is the session's to decide", n)
			}
			b.Answer(Booked)
			want(t, b.Place(t.Context(), id, &o, never), broker.Accepted)
		})
	}
}

func testUnknown(t *testing.T, connect Connect) {
	whole := Show([]byte(`{"client_order_id":"` + id + `","symbol":"AAPL"}`))
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(whole))
	replies := map[string]Reply{
		"empty 200":         JSON(200, ""),
		"no content":        {Status: 204},
		"garbage":           JSON(200, "\x00\xff<html>"),
		"null":              JSON(200, "null"),
		"a list":            JSON(200, "["+whole+"]"),
		"half an order":     JSON(200, whole[:len(whole)/2]),
		"an order and more": JSON(200, whole+"}"),
		"another id":        JSON(200, Show([]byte(`{"client_order_id":"acme.other","symbol":"AAPL"}`))),
		"no id":             JSON(200, `{"client_order_id":"`+id+`"}`),
		"wrong types":       JSON(200, `{"id":1,"client_order_id":["`+id+`"]}`),
		"reset, no answer":  {Then: Reset},
		"closed, no answer": {Then: Close},
		"reset in header":   {Raw: []byte("HTTP/1.1 200 OK\r\nContent-Le"), Then: Reset},
		"closed in body":    {Raw: []byte(head + whole[:100]), Then: Close},
		"reset in body":     {Raw: []byte(head + whole[:100]), Then: Reset},
		"closed in a chunk": {Raw: []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" + whole), Then: Close},
		"no HTTP":           {Raw: []byte("SSH-2.0-OpenSSH_9.6\r\n\r\n"), Then: Close},
		"only 1xx":          {Raw: []byte("HTTP/1.1 102 Processing\r\n\r\n"), Then: Close},
		"other protocol":    {Raw: []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), Then: Close},
	}
	for _, status := range []int{300, 301, 302, 304, 307, 308, 402, 408, 418, 425, 500, 501, 502, 503, 504, 599} {
		replies[fmt.Sprint(status)] = Reply{Status: status, Body: "<html>" + whole, Header: http.Header{"Location": {"/elsewhere"}}}
	}
	replies["304"] = Reply{Status: 304, Then: Close}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			b.Server.Reply(reply)
			o := Orders()["market"]
			v := b.Place(t.Context(), id, &o, never)
			want(t, v, broker.Unknown)
			if v.Message == "" && reply.Body != "" || v.Submitted.IsZero() || v.Order != nil {
				t.Errorf("verdict %+v", v)
			}
			if n := len(b.Requests()); n != 1 {
				t.Errorf("%d requests arrived: nobody may send an order again by himself", n)
			}
			// What follows is not disturbed; but a lookup may meet the connection as the
			// server closes it, and then proves nothing.
			b.Answer(Booked)
			v = b.ByClientID(t.Context(), id)
			if reply.Then == Close && v.Kind == broker.Unknown {
				v = b.ByClientID(t.Context(), id)
			}
			want(t, v, broker.Found)
		})
	}
	for name, reply := range map[string]Reply{
		"no answer":       {Then: Hang},
		"half an answer":  {Raw: []byte(head), Then: Hang},
		"half a header":   {Raw: []byte("HTTP/1.1 200 OK\r\n"), Then: Hang},
		"only 1xx so far": {Raw: []byte("HTTP/1.1 103 Early Hints\r\n\r\n"), Then: Hang},
	} {
		t.Run("cancelled, "+name, func(t *testing.T) {
			b := setUp(t, connect)
			b.Server.Reply(reply)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				b.WaitRequests(1)
				cancel()
			}()
			o := Orders()["market"]
			v := b.Place(ctx, id, &o, never)
			want(t, v, broker.Unknown)
			if v.Submitted.IsZero() || !v.Answered.IsZero() {
				t.Errorf("submitted %v, answered %v", v.Submitted, v.Answered)
			}
			b.Answer(Booked)
			want(t, b.ByClientID(t.Context(), id), broker.Found)
		})
	}
}

func testUnsent(t *testing.T, connect Connect) {
	o := Orders()["market"]
	t.Run("nobody listens", func(t *testing.T) {
		b := setUp(t, connect)
		b.Stop()
		v := b.Place(t.Context(), id, &o, never)
		want(t, v, broker.Unsent)
		if !v.Submitted.IsZero() || v.Message == "" {
			t.Errorf("verdict %+v", v)
		}
	})
	t.Run("cancelled before", func(t *testing.T) {
		b := setUp(t, connect)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		want(t, b.Place(ctx, id, &o, never), broker.Unsent)
		want(t, b.Place(t.Context(), id, &o, never), broker.Accepted)
		want(t, b.Place(ctx, id, &o, never), broker.Unsent)
		if n := len(b.Requests()); n != 1 {
			t.Errorf("%d requests arrived", n)
		}
	})
}

func testConnection(t *testing.T, connect Connect) {
	o := Orders()["market"]
	t.Run("is kept", func(t *testing.T) {
		b := setUp(t, connect)
		for range 20 {
			want(t, b.Place(t.Context(), id, &o, never), broker.Accepted)
			want(t, b.Cancel(t.Context(), OrderID, never), broker.Accepted)
		}
		if n := b.Accepted(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
	t.Run("is replaced when the answer says close", func(t *testing.T) {
		b := setUp(t, connect)
		b.Answer(func(r Request) Reply {
			reply := Booked(r)
			reply.Header.Set("Connection", "close")
			return reply // and leave it to the client
		})
		want(t, b.Place(t.Context(), id, &o, never), broker.Accepted)
		want(t, b.Place(t.Context(), id, &o, never), broker.Accepted)
		if n := b.Accepted(); n != 2 {
			t.Errorf("%d connections", n)
		}
	})
	t.Run("ends for good with the line", func(t *testing.T) {
		b := setUp(t, connect)
		want(t, b.Place(t.Context(), id, &o, never), broker.Accepted)
		b.Close()
		b.Close()
		want(t, b.Place(t.Context(), id, &o, never), broker.Unsent)
		want(t, b.ByClientID(t.Context(), id), broker.Unsent)
		if n := len(b.Requests()); n != 1 {
			t.Errorf("the broker got %d requests", n)
		}
	})
	t.Run("carries chunks, HTTP/1.0 and bodies that end with it", func(t *testing.T) {
		whole := Show([]byte(`{"client_order_id":"` + id + `","symbol":"AAPL"}`))
		b := setUp(t, connect)
		for _, raw := range []Reply{
			{Raw: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n%x;ext=1\r\n%s\r\n0\r\nTrailer: x\r\n\r\n",
				whole[:5], len(whole)-5, whole[5:])},
			{Raw: fmt.Appendf(nil, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(whole), whole)},
			{Raw: fmt.Appendf(nil, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(whole), whole), Then: Close},
			{Raw: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n\r\n%s", whole), Then: Close},
		} {
			b.Server.Reply(raw)
			want(t, b.Place(t.Context(), id, &o, never), broker.Accepted)
		}
	})
}
