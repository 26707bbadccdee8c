package paper_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// listener is a websocket that listens to an account's updates.
func (b *running) listener(t *testing.T) *socket {
	t.Helper()
	s := b.dial(t, "", websocket.MessageBinary)
	s.say(`{"action":"auth","key":"acme","secret":"secret"}`)
	s.wantHear(authorized)
	s.say(`{"action":"listen","data":{"streams":["trade_updates"]}}`)
	s.wantHear(listening)
	return s
}

func (b *running) buy(t *testing.T) {
	t.Helper()
	if status, _, text, err := b.call(t.Context(), "POST", b.api+"/v2/orders", buyOne); err != nil || status != http.StatusOK {
		t.Fatal(status, text, err)
	}
}

func TestStreamFaults(t *testing.T) {
	set := func(t *testing.T, f paper.Fault) *running {
		t.Helper()
		b := run(t, paper.Config{})
		f.Operation = paper.Stream
		if err := b.SetFault(f); err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Run("drop", func(t *testing.T) {
		b := set(t, paper.Fault{Kind: paper.Drop, Count: 1})
		s := b.listener(t)
		b.buy(t)
		if u := s.update(); u.Data.Event != "fill" {
			t.Errorf("the first is %s", u.Data.Event)
		}
	})
	t.Run("reset", func(t *testing.T) {
		b := set(t, paper.Fault{Kind: paper.Reset, Count: 1})
		s := b.listener(t)
		b.buy(t)
		if _, _, err := s.conn.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "reset") {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("silence", func(t *testing.T) {
		b := set(t, paper.Fault{Kind: paper.Silence, Count: 1})
		s := b.listener(t)
		ctx := s.conn.CloseRead(t.Context()) // reads pongs
		if err := s.conn.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		b.buy(t)
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		for { // until the event was not sent
			if err := s.conn.Ping(ctx); err != nil {
				break
			}
		}
		if len(b.Faults()) > 0 {
			t.Error("it did not strike")
		}
	})
	t.Run("latency", func(t *testing.T) {
		b := set(t, paper.Fault{Kind: paper.Latency, Delay: 20 * time.Millisecond, Count: 1})
		s := b.listener(t)
		begun := time.Now()
		b.buy(t)
		if u := s.update(); u.Data.Event != "new" || time.Since(begun) < 20*time.Millisecond {
			t.Errorf("%s after %s", u.Data.Event, time.Since(begun))
		}
	})
	t.Run("other account", func(t *testing.T) {
		b := set(t, paper.Fault{Kind: paper.Drop, Account: "other"})
		s := b.listener(t)
		b.buy(t)
		if u := s.update(); u.Data.Event != "new" {
			t.Errorf("the first is %s", u.Data.Event)
		}
	})
	t.Run("opening", func(t *testing.T) {
		b := set(t, paper.Fault{Kind: paper.RateLimit, RetryAfter: time.Second, Count: 1})
		_, resp, err := websocket.Dial(t.Context(), b.api+"/stream", &websocket.DialOptions{HTTPClient: b.http})
		if err == nil || resp == nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%v, %v", resp, err)
		}
		b.listener(t)
	})
	t.Run("requests are left alone", func(t *testing.T) {
		b := set(t, paper.Fault{Kind: paper.Error})
		b.buy(t)
	})
	for name, f := range map[string]paper.Fault{
		"a slow body of a stream": {Operation: paper.Stream, Kind: paper.SlowBody},
		"a dropped request":       {Operation: paper.Place, Kind: paper.Drop},
		"anything dropped":        {Kind: paper.Drop},
	} {
		if run(t, paper.Config{}).SetFault(f) == nil {
			t.Errorf("%s makes sense", name)
		}
	}
}
