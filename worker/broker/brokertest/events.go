package brokertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// newEvents serves streams of server-sent events with serve, which says what to say; it tells
// of the requests for them.
func newEvents(t *testing.T, serve func(ctx context.Context, say func(text string))) (url string, asked func() []*http.Request) {
	t.Helper()
	var (
		mu   sync.Mutex
		all  []*http.Request
		open sync.WaitGroup
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Done()
		mu.Lock()
		all = append(all, r)
		mu.Unlock()
		if r.URL.Path != "/v2/events/trades" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		say := func(text string) {
			_, _ = io.WriteString(w, text) // whether somebody listens is the test's affair
			_ = http.NewResponseController(w).Flush()
		}
		say("")
		serve(r.Context(), say)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		open.Wait()
	})
	return server.URL, func() []*http.Request {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// told is a trade update of an account's order, on the stream of all accounts.
func told(account, event, clientID string) string {
	return fmt.Sprintf(`{"account_id":%q,"at":"2026-05-04T14:30:01.5Z","event_id":"01JX","event":%q,"price":"10.5","qty":"2","position_qty":"2","timestamp":"2026-05-04T14:30:01.000000001Z","execution_id":"x","order":%s}`,
		account, event, Show(fmt.Appendf(nil, `{"client_order_id":%q,"symbol":"AAPL","qty":"3","side":"buy"}`, clientID)))
}

const another = "7c1b2b7e-0000-4bb7-a3d8-f24b4e1d1c4a"

// testEvents: of what the stream tells of all accounts, the feed tells what is of ours, all of
// it, however it is written down, and nothing else.
func testEvents(t *testing.T, connect ConnectBooks) {
	ours := told(Account, "fill", "acme.a")
	url, asked := newEvents(t, func(ctx context.Context, say func(string)) {
		for _, text := range []string{
			": welcome to the Alpaca events\n\n",
			"data: " + told(Account, "new", "acme.a") + "\n\n:heartbeat\n\n",
			"data: " + told(another, "fill", "acme.a") + "\n\n",
			"data: " + told(another, "fill", `","account_id":"`+Account+`","x":"`) + "\n\n", // a name that would be ours
			"data: " + strings.Replace(told(another, "fill", "x"), `"account_id"`, `"order":{"account_id":"`+Account+`"},"account_id"`, 1) + "\n\n",
			`data: {"account_id":"` + another + `", nonsense` + "\n\n",
			"event: trade\r\nid: 7\r\nretry: 10\r\ndata: " + told(strings.ToUpper(Account), "partial_fill", "acme.a") + "\r\n\r\n",
			"data:" + strings.Replace(ours, `,"event"`, ",\ndata: \"event\"", 1) + "\n\n",
			"data: " + told(Account, "canceled", strings.Repeat("x", 100_000)) + "\n", "\n",
		} {
			say(text)
		}
		<-ctx.Done()
	})
	b := connect(t, url, long)
	feed, v := b.Follow(t.Context())
	want(t, v, broker.Found)
	if feed == nil {
		t.Fatal("no feed")
	}
	defer feed.Close()
	for _, kind := range []string{"new", "partial_fill", "fill", "canceled"} {
		e, err := feed.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != kind || kind != "canceled" && e.Order.ClientOrderID != "acme.a" || e.Order.ID != OrderID || !e.Price.Equal(*dec("10.5")) ||
			!e.Qty.Equal(*dec("2")) || !e.At.Equal(time.Date(2026, 5, 4, 14, 30, 1, 1, time.UTC)) {
			t.Errorf("event %+v", e)
		}
	}
	b.Hangup() // which is of the lists
	feed.Close()
	if _, err := feed.Next(t.Context()); err == nil {
		t.Error("a closed feed tells something")
	}
	if n := len(asked()); n != 1 {
		t.Fatalf("%d requests", n)
	}
	// What was before is in the lists alone.
	if r := asked()[0]; r.URL.RawQuery != "" {
		t.Errorf("asked for %s", r.RequestURI)
	}
}

// testNoEvents: a feed that does not open says why, and never with the keys.
func testNoEvents(t *testing.T, connect ConnectBooks) {
	for name, c := range map[string]struct {
		reply Reply
		kind  broker.VerdictKind
		wait  time.Duration
	}{
		"unauthorized":   {JSON(401, `{"message":"unauthorized."}`), broker.Rejected, 0},
		"forbidden":      {JSON(403, `{"message":"forbidden."}`), broker.Rejected, 0},
		"not there":      {Error(404, 40410000, "endpoint not found"), broker.Rejected, 0},
		"rate limit":     {Reply{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, broker.RetryAfter, 7 * time.Second},
		"server error":   {Error(500, 50010000, "internal server error"), broker.Unknown, 0},
		"no stream":      {JSON(200, `{}`), broker.Unknown, 0},
		"a page":         {Reply{Status: 200, Header: http.Header{"Content-Type": {"text/html"}}, Body: "<html>log in</html>"}, broker.Unknown, 0},
		"a redirect":     {Reply{Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:1/v2/events/trades"}}}, broker.Unknown, 0},
		"bad parameters": {Error(422, 40010001, "invalid since"), broker.Unknown, 0},
		"no answer":      {Reply{Then: Close}, broker.Unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(t)
			s.Reply(c.reply)
			feed, v := connect(t, s.URL, long).Follow(t.Context())
			if feed != nil {
				feed.Close()
				t.Fatal("it opened")
			}
			want(t, v, c.kind)
			if v.Wait != c.wait || v.Message == "" || v.HTTPStatus != c.reply.Status {
				t.Errorf("verdict %+v", v)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		s := NewServer(t)
		s.Stop()
		_, v := connect(t, s.URL, long).Follow(t.Context())
		want(t, v, broker.Unknown)
	})
	t.Run("given up", func(t *testing.T) {
		s := NewServer(t)
		s.Reply(Reply{Then: Hang})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			s.WaitRequests(1)
			cancel()
		}()
		_, v := connect(t, s.URL, long).Follow(ctx)
		want(t, v, broker.Unknown)
	})
}

// testEventsEnd: a feed that was cut, or is silent, or says that it left something out, or
// something that cannot be read, ends; so does one whose reader gives up.
func testEventsEnd(t *testing.T, connect ConnectBooks) {
	for name, c := range map[string]struct {
		ping   time.Duration
		said   string
		stay   bool
		cancel bool
	}{
		"closed":                {long, "", false, false},
		"cut within":            {long, "data: " + told(Account, "new", "acme.a")[:50], false, false},
		"dropped":               {long, ": you are reading too slowly, dropped 10000 messages\n\n", true, false},
		"failed":                {long, ": internal server error\n\n", true, false},
		"another comment":       {long, ": something else\n\n", true, false},
		"nonsense":              {long, "data: nonsense\n\n", true, false},
		"of nobody":             {long, "data: " + strings.Replace(told("", "new", "acme.a"), `"account_id":"",`, "", 1) + "\n\n", true, false},
		"of a number":           {long, `data: {"account_id":7,"event":"new"}` + "\n\n", true, false},
		"ours, without order":   {long, `data: {"account_id":"` + Account + `","event":"new"}` + "\n\n", true, false},
		"ours, and unreadable":  {long, `data: {"account_id":"` + Account + `", nonsense` + "\n\n", true, false},
		"a line without end":    {long, "data: " + strings.Repeat("x", 2<<20), true, false},
		"an event without end":  {long, strings.Repeat("data: "+strings.Repeat("x", 1<<16)+"\n", 32), true, false},
		"silent":                {5 * time.Millisecond, "", true, false},
		"silent after a while":  {5 * time.Millisecond, ":heartbeat\n\ndata: " + told(another, "new", "x") + "\n\n", true, false},
		"given up":              {long, "", true, true},
		"given up, with others": {long, "data: " + told(another, "new", "x") + "\n\n", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // of one that does not end
			defer cancel()
			url, _ := newEvents(t, func(ctx context.Context, say func(string)) {
				say(c.said)
				if c.stay {
					<-ctx.Done()
				}
			})
			feed, v := connect(t, url, c.ping).Follow(t.Context())
			if feed == nil {
				t.Fatalf("no feed: %+v", v)
			}
			defer feed.Close()
			if c.cancel {
				cancel()
			}
			if e, err := feed.Next(ctx); err == nil || c.cancel != errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ended with %v: %+v", err, e)
			}
			if e, err := feed.Next(t.Context()); err == nil {
				t.Errorf("it goes on: %+v", e)
			}
		})
	}
	t.Run("kept alive", func(t *testing.T) {
		const ping = 10 * time.Millisecond
		url, _ := newEvents(t, func(ctx context.Context, say func(string)) {
			ticker := time.NewTicker(ping)
			defer ticker.Stop()
			for {
				select {
				case <-ticker.C:
					say(":heartbeat\n\n")
				case <-ctx.Done():
					return
				}
			}
		})
		feed, v := connect(t, url, ping).Follow(t.Context())
		if feed == nil {
			t.Fatalf("no feed: %+v", v)
		}
		defer feed.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*ping)
		defer cancel()
		if _, err := feed.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("closed while it is read", func(t *testing.T) {
		url, _ := newEvents(t, func(ctx context.Context, _ func(string)) { <-ctx.Done() })
		feed, v := connect(t, url, long).Follow(t.Context())
		if feed == nil {
			t.Fatalf("no feed: %+v", v)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := feed.Next(context.WithoutCancel(t.Context()))
			ended <- err
		}()
		feed.Close()
		feed.Close()
		if err := <-ended; err == nil {
			t.Error("it tells something")
		}
	})
}
