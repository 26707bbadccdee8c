package brokertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// streamer is the websocket of a broker, as a test scripts it.
type streamer struct {
	URL   string
	heard []string // what the client said, one connection after the other

	mu      sync.Mutex
	waiting sync.WaitGroup
}

// newStreamer serves each connection with serve, after the client has authenticated and
// listens; ponder may answer what the client says instead.
func newStreamer(t *testing.T, ponder func(action string) (answer string, ok bool), serve func(ctx context.Context, conn *websocket.Conn)) *streamer {
	t.Helper()
	s := new(streamer)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.waiting.Add(1)
		defer s.waiting.Done()
		if r.URL.Path != "/stream" {
			http.NotFound(w, r)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow() //nolint:errcheck // it may be closed already
		ctx := t.Context()
		for range 2 {
			_, message, err := conn.Read(ctx)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.heard = append(s.heard, string(message))
			s.mu.Unlock()
			var m struct{ Action string }
			if json.Unmarshal(message, &m) != nil {
				return
			}
			answer, ok := "", false
			if ponder != nil {
				answer, ok = ponder(m.Action)
			}
			switch {
			case ok:
			case m.Action == "authenticate" || m.Action == "auth":
				answer = `{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}`
			default:
				answer = `{"stream":"listening","data":{"streams":["trade_updates"]}}`
			}
			for line := range strings.Lines(answer) {
				if conn.Write(ctx, websocket.MessageBinary, []byte(line)) != nil {
					return
				}
			}
		}
		serve(ctx, conn)
	}))
	s.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		s.waiting.Wait()
	})
	return s
}

// update is a trade update of an order.
func update(event, clientID string) string {
	return fmt.Sprintf(`{"stream":"trade_updates","data":{"event":%q,"price":"10.5","qty":"2","position_qty":"2","timestamp":"2026-05-04T14:30:01.000000001Z","execution_id":"x","order":%s}}`,
		event, Show(fmt.Appendf(nil, `{"client_order_id":%q,"symbol":"AAPL","qty":"3","side":"buy"}`, clientID)))
}

// reversed is an update whose members come in the other order.
func reversed(update string) string {
	data := strings.TrimSuffix(strings.TrimPrefix(update, `{"stream":"trade_updates","data":`), "}")
	return `{"data":` + data + `,"stream":"trade_updates"}`
}

func testFeed(t *testing.T, connect ConnectBooks) {
	s := newStreamer(t,
		func(action string) (string, bool) { // an event comes before the answer
			return update("new", "acme.a") + "\n" + `{"stream":"listening","data":{"streams":["trade_updates"]}}`, action == "listen"
		},
		func(ctx context.Context, conn *websocket.Conn) {
			for _, message := range []string{
				`{"stream":"chatter","data":{}}`,
				update("partial_fill", "acme.a"),
				reversed(update("fill", "acme.a")),
			} {
				if conn.Write(ctx, websocket.MessageText, []byte(message)) != nil {
					return
				}
			}
			_, _, _ = conn.Read(ctx) // until the client leaves
		})
	b := connect(t, s.URL, long)
	feed, v := b.Follow(t.Context())
	want(t, v, broker.Found)
	if feed == nil {
		t.Fatal("no feed")
	}
	defer feed.Close()
	for _, kind := range []string{"new", "partial_fill", "fill"} {
		e, err := feed.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != kind || e.Order.ClientOrderID != "acme.a" || e.Order.ID != OrderID || !e.Price.Equal(*dec("10.5")) || !e.Qty.Equal(*dec("2")) ||
			!e.At.Equal(time.Date(2026, 5, 4, 14, 30, 1, 1, time.UTC)) {
			t.Errorf("event %+v", e)
		}
	}
	b.Hangup() // which is of the lists
	feed.Close()
	if _, err := feed.Next(t.Context()); err == nil {
		t.Error("a closed feed tells something")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.heard) != 2 || !strings.Contains(s.heard[1], `"trade_updates"`) {
		t.Errorf("the client said %d things", len(s.heard))
	}
}

// testNoFeed: a feed that does not open says why, and never with the keys.
func testNoFeed(t *testing.T, connect ConnectBooks) {
	for name, c := range map[string]struct {
		url  func(t *testing.T) string
		kind broker.VerdictKind
		wait time.Duration
	}{
		"unauthorized": {func(t *testing.T) string {
			return newStreamer(t, func(string) (string, bool) {
				return `{"stream":"authorization","data":{"status":"unauthorized","action":"authenticate"}}`, true
			}, func(context.Context, *websocket.Conn) {}).URL
		}, broker.Rejected, 0},
		"does not listen": {func(t *testing.T) string {
			return newStreamer(t, func(action string) (string, bool) {
				return `{"stream":"listening","data":{"streams":[]}}`, action == "listen"
			}, func(context.Context, *websocket.Conn) {}).URL
		}, broker.Unknown, 0},
		"says nonsense": {func(t *testing.T) string {
			return newStreamer(t, func(string) (string, bool) { return `s3cret`, true }, func(context.Context, *websocket.Conn) {}).URL
		}, broker.Unknown, 0},
		"rate limit": {func(t *testing.T) string {
			s := NewServer(t)
			s.Reply(Reply{Status: 429, Header: http.Header{"Retry-After": {"7"}}})
			return s.URL
		}, broker.RetryAfter, 7 * time.Second},
		"forbidden": {func(t *testing.T) string {
			s := NewServer(t)
			s.Reply(JSON(403, `{"message":"forbidden."}`))
			return s.URL
		}, broker.Rejected, 0},
		"no websocket": {func(t *testing.T) string {
			s := NewServer(t)
			s.Reply(JSON(200, `{}`))
			return s.URL
		}, broker.Unknown, 0},
		"a redirect": {func(t *testing.T) string {
			s := NewServer(t)
			s.Reply(Reply{Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:1/stream"}}})
			return s.URL
		}, broker.Unknown, 0},
		"nobody there": {func(t *testing.T) string {
			s := NewServer(t)
			s.Stop()
			return s.URL
		}, broker.Unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			feed, v := connect(t, c.url(t), long).Follow(t.Context())
			if feed != nil {
				feed.Close()
				t.Fatal("it opened")
			}
			want(t, v, c.kind)
			if v.Wait != c.wait || v.Message == "" && v.HTTPStatus == 0 {
				t.Errorf("verdict %+v", v)
			}
		})
	}
}

// testFeedEnds: a feed that was cut, or is silent, or says nonsense, ends; so does one whose
// reader gives up.
func testFeedEnds(t *testing.T, connect ConnectBooks) {
	for name, c := range map[string]struct {
		ping   time.Duration
		serve  func(ctx context.Context, conn *websocket.Conn)
		cancel bool
	}{
		"closed": {long, func(_ context.Context, conn *websocket.Conn) { _ = conn.Close(websocket.StatusGoingAway, "bye") }, false},
		"cut":    {long, func(_ context.Context, conn *websocket.Conn) { _ = conn.CloseNow() }, false},
		"nonsense": {long, func(ctx context.Context, conn *websocket.Conn) {
			_ = conn.Write(ctx, websocket.MessageText, []byte("nonsense"))
		}, false},
		"no order": {long, func(ctx context.Context, conn *websocket.Conn) {
			_ = conn.Write(ctx, websocket.MessageText, []byte(`{"stream":"trade_updates","data":{}}`))
		}, false},
		"silent":   {20 * time.Millisecond, func(ctx context.Context, _ *websocket.Conn) { <-ctx.Done() }, false}, // it reads no ping
		"given up": {long, func(ctx context.Context, conn *websocket.Conn) { _, _, _ = conn.Read(ctx) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan struct{})
			s := newStreamer(t, nil, func(ctx context.Context, conn *websocket.Conn) {
				ctx, stop := context.WithCancel(ctx)
				defer stop()
				go func() {
					<-done
					stop()
				}()
				c.serve(ctx, conn)
			})
			feed, v := connect(t, s.URL, c.ping).Follow(t.Context())
			if feed == nil {
				t.Fatalf("no feed: %+v", v)
			}
			defer close(done)
			defer feed.Close()
			if c.cancel {
				cancel()
			}
			if _, err := feed.Next(ctx); err == nil || c.cancel && !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
	t.Run("kept alive", func(t *testing.T) {
		s := newStreamer(t, nil, func(ctx context.Context, conn *websocket.Conn) {
			_, _, _ = conn.Read(ctx) // and answers pings
		})
		const ping = 10 * time.Millisecond
		feed, v := connect(t, s.URL, ping).Follow(t.Context())
		if feed == nil {
			t.Fatalf("no feed: %+v", v)
		}
		defer feed.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*ping)
		defer cancel()
		if _, err := feed.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
	})
}
