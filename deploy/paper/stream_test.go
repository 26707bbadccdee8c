package paper_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// socket is a websocket client.
type socket struct {
	t      *testing.T
	conn   *websocket.Conn
	frames websocket.MessageType
}

func (b *running) dial(t *testing.T, query string, frames websocket.MessageType) *socket {
	t.Helper()
	conn, resp, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(b.api, "http")+"/stream"+query, &websocket.DialOptions{HTTPClient: b.http})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("X-Request-ID") == "" {
		t.Error("no X-Request-ID")
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { conn.CloseNow() }) //nolint:errcheck // the server may be first
	return &socket{t, conn, frames}
}

func (s *socket) say(message string) {
	s.t.Helper()
	if err := s.conn.Write(s.t.Context(), websocket.MessageText, []byte(message)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) hear() string {
	s.t.Helper()
	frames, message, err := s.conn.Read(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if frames != s.frames {
		s.t.Errorf("a frame of type %v", frames)
	}
	return string(message)
}

func (s *socket) wantHear(want string) {
	s.t.Helper()
	if got := s.hear(); got != want {
		s.t.Errorf("heard %s, want %s", got, want)
	}
}

// update is a trade update.
type update struct {
	Stream string `json:"stream"`
	Data   struct {
		At          time.Time      `json:"at"`
		Event       string         `json:"event"`
		EventID     string         `json:"event_id"`
		ExecutionID string         `json:"execution_id"`
		Price       string         `json:"price"`
		Qty         string         `json:"qty"`
		PositionQty string         `json:"position_qty"`
		Timestamp   time.Time      `json:"timestamp"`
		Order       map[string]any `json:"order"`
	} `json:"data"`
}

func (s *socket) update() (u update) {
	s.t.Helper()
	message := s.hear()
	if err := json.Unmarshal([]byte(message), &u); err != nil || u.Stream != "trade_updates" {
		s.t.Fatalf("%v in %s", err, message)
	}
	return u
}

const (
	authorized   = `{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}`
	unauthorized = `{"stream":"authorization","data":{"status":"unauthorized","action":"authenticate"}}`
	listening    = `{"stream":"listening","data":{"streams":["trade_updates"]}}`
)

func TestStream(t *testing.T) {
	for name, tc := range map[string]struct {
		query  string
		frames websocket.MessageType
		auth   string
	}{
		"binary": {"", websocket.MessageBinary, `{"action":"authenticate","data":{"key_id":"acme","secret_key":"secret"}}`},
		"text":   {"?frames=text", websocket.MessageText, `{"action":"auth","key":"acme","secret":"secret"}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := run(t, paper.Config{})
			post := func(body string) {
				t.Helper()
				if status, _, text, err := b.call(t.Context(), "POST", b.api+"/v2/orders", body); err != nil || status != http.StatusOK {
					t.Fatal(status, text, err)
				}
			}
			post(buyOne) // nobody listens yet
			s := b.dial(t, tc.query, tc.frames)
			s.say(`{"action":"listen","data":{"streams":["trade_updates"]}}`)
			s.wantHear(`{"stream":"authorization","data":{"status":"unauthorized","action":"listen"}}`)
			s.say(`{"action":"auth","key":"acme","secret":"guess"}`)
			s.wantHear(unauthorized)
			s.say(tc.auth)
			s.wantHear(authorized)
			s.say(`{"action":"listen","data":{"streams":["trade_updates"]}}`)
			s.wantHear(listening)
			s.say("what?")
			s.wantHear(`{"stream":"error","data":{"error":"invalid message"}}`)

			post(buyOne)
			u := s.update()
			if u.Data.Event != "new" || u.Data.Order["status"] != "new" || u.Data.Order["filled_qty"] != "0" || u.Data.Order["filled_at"] != nil || u.Data.Price != "" {
				t.Errorf("%+v", u)
			}
			u = s.update()
			if u.Data.Event != "fill" || u.Data.Order["status"] != "filled" || u.Data.Price != "190" || u.Data.Qty != "1" ||
				u.Data.PositionQty != "2" || u.Data.ExecutionID == "" || u.Data.Timestamp.IsZero() {
				t.Errorf("%+v", u)
			}
			post(buyLow)
			if status, _, _, err := b.call(t.Context(), "DELETE", b.api+"/v2/orders", ""); err != nil || status != http.StatusMultiStatus {
				t.Fatal(status, err)
			}
			if u := s.update(); u.Data.Event != "new" || u.Data.Order["canceled_at"] != nil || u.Data.Order["status"] != "new" {
				t.Errorf("as it was then: %+v", u)
			}
			if u := s.update(); u.Data.Event != "canceled" || u.Data.Order["status"] != "canceled" {
				t.Errorf("%+v", u)
			}
			s.say(`{"action":"listen","data":{"streams":[]}}`)
			s.wantHear(`{"stream":"listening","data":{"streams":[]}}`)
		})
	}
}

// sse reads server-sent events of trades.
func (b *running) sse(t *testing.T, query url.Values) (next func() (update, bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := b.http.Do(b.request(ctx, "GET", b.api+"/v2/events/trades?"+query.Encode(), ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close() }) //nolint:errcheck // it was cut off
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() (u update, ok bool) {
		for lines.Scan() {
			data, found := strings.CutPrefix(lines.Text(), "data: ")
			if !found {
				continue
			}
			if err := json.Unmarshal([]byte(data), &u.Data); err != nil {
				t.Fatal(err)
			}
			return u, true
		}
		return u, false
	}
}

func TestServerSentEvents(t *testing.T) {
	now := noon
	b := run(t, paper.Config{Clock: func() time.Time { return now }})
	post := func() {
		t.Helper()
		if status, _, text, err := b.call(t.Context(), "POST", b.api+"/v2/orders", buyOne); err != nil || status != http.StatusOK {
			t.Fatal(status, text, err)
		}
	}
	events := func(next func() (update, bool), n int) (all []update) {
		t.Helper()
		for range n {
			u, ok := next()
			if !ok {
				t.Fatalf("ended after %d events", len(all))
			}
			all = append(all, u)
		}
		return all
	}
	live := b.sse(t, nil)
	post()
	first := events(live, 2)
	if first[0].Data.Event != "new" || first[1].Data.Event != "fill" || !first[1].Data.At.Equal(noon) || first[1].Data.EventID == "" {
		t.Errorf("%+v", first)
	}
	now = noon.Add(time.Second)
	post()
	events(live, 2)
	for name, tc := range map[string]struct {
		query url.Values
		want  []string // events, up to the end of the stream
	}{
		"since the beginning":    {url.Values{"since": {"2026-06-17"}, "until": {"2027-01-01"}}, []string{"new", "fill", "new", "fill"}},
		"since is included":      {url.Values{"since": {now.Format(time.RFC3339Nano)}, "until": {"2027-01-01"}}, []string{"new", "fill"}},
		"until is included":      {url.Values{"since": {"2026-06-17"}, "until": {noon.Format(time.RFC3339Nano)}}, []string{"new", "fill"}},
		"since_id is left out":   {url.Values{"since_id": {first[0].Data.EventID}, "until": {"2027-01-01"}}, []string{"fill", "new", "fill"}},
		"until_id is included":   {url.Values{"since": {"2026-06-17"}, "until_id": {first[0].Data.EventID}}, []string{"new"}},
		"nothing in this window": {url.Values{"since": {"2030-01-01"}, "until": {"2031-01-01"}}, nil},
	} {
		next := b.sse(t, tc.query)
		for i, want := range tc.want {
			if u, ok := next(); !ok || u.Data.Event != want {
				t.Errorf("%s: event %d is %q, want %q", name, i, u.Data.Event, want)
			}
		}
		if u, ok := next(); ok {
			t.Errorf("%s: one too many: %+v", name, u)
		}
	}
	follows := b.sse(t, url.Values{"since_id": {first[1].Data.EventID}})
	events(follows, 2)
	post()
	events(follows, 2)
	for _, query := range []string{"since=x", "since_id=x", "until=2026-01-01"} {
		if status, _, _, err := b.call(t.Context(), "GET", b.api+"/v2/events/trades?"+query, ""); status != 422 || err != nil {
			t.Errorf("%s: %d %v", query, status, err)
		}
	}
}
