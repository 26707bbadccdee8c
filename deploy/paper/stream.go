package paper

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
)

// streamBatch is how many events are rendered at once under an account's lock.
const streamBatch = 64

// pending renders the events of an account behind a sequence number, at most
// streamBatch of them. It returns the sequence number that was reached, and a channel
// that is closed when there is more. Events that the account no longer keeps are left
// out.
func (a *account) pending(seq int, render func(*event, []byte) []byte) (lines [][]byte, reached int, more <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	events, more := a.feed.behind(seq)
	if len(events) > streamBatch {
		events, more = events[:streamBatch], ready
	}
	for i := range events {
		seq = events[i].seq
		if line := render(&events[i], nil); line != nil {
			lines = append(lines, line)
		}
	}
	return lines, seq, more
}

// ready is a channel that never lets wait.
var ready = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// lastEvent is the sequence number of an account's last event.
func (a *account) lastEvent() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.feed.seq
}

// streamMessage is what a client says on the websocket.
type streamMessage struct {
	Action string `json:"action"`
	Key    string `json:"key"`
	Secret string `json:"secret"`
	Data   struct {
		KeyID     string   `json:"key_id"`
		SecretKey string   `json:"secret_key"`
		Streams   []string `json:"streams"`
	} `json:"data"`
}

// stream is one websocket connection. One goroutine reads and hands on what it read;
// the other owns the rest, and alone writes.
type stream struct {
	broker  *Broker
	conn    *websocket.Conn
	frames  websocket.MessageType
	account *account // nil until the client has authenticated
	listens bool
	seq     int // of the last event sent

	silent atomic.Bool // a fault struck: run writes it, read's goroutine reads it
	reset  func()      // ends the connection with a TCP RST
}

// serveStream serves the websocket of trade updates: binary frames as paper accounts
// get, or text frames if the address ends in ?frames=text.
func (b *Broker) serveStream(w http.ResponseWriter, r *http.Request) {
	b.streams.Add(1)
	defer b.streams.Done()
	if b.refuseStream(w, r) {
		return
	}
	s := &stream{broker: b, frames: websocket.MessageBinary}
	hijacked := &hijack{ResponseWriter: w}
	conn, err := websocket.Accept(hijacked, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		OnPingReceived:     func(context.Context, []byte) bool { return !s.silent.Load() },
	})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow() //nolint:errcheck // it may be closed already
	s.conn, s.reset = conn, hijacked.reset
	if r.URL.Query().Get("frames") == "text" {
		s.frames = websocket.MessageText
	}
	// The request's context does not outlive the hijack of its connection.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	messages, done := make(chan []byte), make(chan struct{})
	go func() {
		defer close(done)
		s.read(ctx, messages)
	}()
	s.run(ctx, messages)
	cancel()
	<-done
}

// read hands on what the client says until it leaves.
func (s *stream) read(ctx context.Context, messages chan<- []byte) {
	defer close(messages)
	for {
		_, message, err := s.conn.Read(ctx)
		if err != nil {
			return
		}
		select {
		case messages <- message:
		case <-ctx.Done():
			return
		}
	}
}

// run answers the client and sends it events until one of both sides stops.
func (s *stream) run(ctx context.Context, messages <-chan []byte) {
	for {
		var more <-chan struct{}
		if s.listens {
			var lines [][]byte
			lines, s.seq, more = s.account.pending(s.seq, appendStreamEvent)
			for _, line := range lines {
				if !s.send(ctx, line) {
					return
				}
			}
		}
		select {
		case <-more:
		case message, ok := <-messages:
			if !ok || s.hear(ctx, message) != nil {
				return
			}
		case <-s.broker.closing:
			_ = s.conn.Close(websocket.StatusGoingAway, "the broker stops") // it ends either way
			return
		}
	}
}

// send sends an event, through whatever goes wrong with it, and says whether the connection
// still stands.
func (s *stream) send(ctx context.Context, line []byte) bool {
	delay, f := s.broker.strikeEvent(s.account)
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-s.broker.closing:
			return false
		}
	}
	switch {
	case f == nil:
	case f.Kind == Reset:
		s.reset()
		return false
	case f.Kind == Silence:
		s.silent.Store(true)
	case f.Kind == Drop:
		return true
	}
	return s.silent.Load() || s.write(ctx, line) == nil
}

// hijack remembers the connection that a websocket takes over.
type hijack struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements [http.Hijacker].
func (h *hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, rw, err
}

// reset ends the connection with a TCP RST.
func (h *hijack) reset() {
	if tcp, ok := h.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = h.conn.Close()
}

func appendStreamEvent(e *event, b []byte) []byte {
	b = e.append(append(b, `{"stream":"trade_updates","data":`...))
	return append(b, '}')
}

// writeTimeout is how long a client may take to take a message.
const writeTimeout = 10 * time.Second

func (s *stream) write(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.conn.Write(ctx, s.frames, message)
}

// hear answers one message of the client.
func (s *stream) hear(ctx context.Context, message []byte) error {
	var m streamMessage
	if json.Unmarshal(message, &m) != nil {
		return s.write(ctx, []byte(`{"stream":"error","data":{"error":"invalid message"}}`))
	}
	switch m.Action {
	case "auth":
		return s.authenticate(ctx, m.Key, m.Secret)
	case "authenticate":
		return s.authenticate(ctx, m.Data.KeyID, m.Data.SecretKey)
	case "listen":
		return s.listen(ctx, m.Data.Streams)
	}
	return s.write(ctx, []byte(`{"stream":"error","data":{"error":"unknown action"}}`))
}

func (s *stream) authenticate(ctx context.Context, key, secret string) error {
	if a := s.broker.open(key, secret); a != nil {
		if s.account != a {
			s.account, s.listens = a, false
		}
		return s.write(ctx, []byte(`{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}`))
	}
	return s.write(ctx, []byte(`{"stream":"authorization","data":{"status":"unauthorized","action":"authenticate"}}`))
}

// listen sets the streams that the client gets; trade_updates is the only one. Events
// from here on are sent: there is no resume.
func (s *stream) listen(ctx context.Context, streams []string) error {
	if s.account == nil {
		return s.write(ctx, []byte(`{"stream":"authorization","data":{"status":"unauthorized","action":"listen"}}`))
	}
	wants, reply := false, []byte(`{"stream":"listening","data":{"streams":[`)
	for _, name := range streams {
		wants = wants || name == "trade_updates"
	}
	if wants {
		reply = append(reply, `"trade_updates"`...)
	}
	if wants && !s.listens {
		s.seq = s.account.lastEvent()
	}
	s.listens = wants
	return s.write(ctx, append(reply, "]}}"...))
}
