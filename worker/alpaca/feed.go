package alpaca

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/coder/websocket"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// tradeUpdates is the only stream that is listened to.
const tradeUpdates = "trade_updates"

// feed is an open websocket of trade updates, of the Trading API. Its owner calls Next and
// Close; a goroutine of its own asks for signs of life.
type feed struct {
	conn  *websocket.Conn
	clean func(s string, limit int) string
	early []broker.Event // what came before the broker said that it listens

	frame bytes.Buffer    // the message that was read last
	bound context.Context // of Next: its end closes the connection
	free  func() bool     // undoes that

	read    atomic.Uint64 // messages so far: Next counts, the pings look
	stop    context.CancelFunc
	pinging sync.WaitGroup
}

// Follow implements [broker.Books]. The feed is a connection of its own, whatever the
// client's transport is.
func (c *Client) Follow(ctx context.Context) (broker.Feed, broker.Verdict) {
	if c.line.closed {
		return nil, broker.Verdict{Kind: broker.Unsent, Message: errGone.Error()}
	}
	if c.line.account != "" {
		return c.followEvents(ctx)
	}
	return c.followStream(ctx)
}

// followStream opens a feed of the Trading API.
func (c *Client) followStream(ctx context.Context) (broker.Feed, broker.Verdict) {
	opening, cancel := context.WithTimeout(ctx, c.line.timeouts.Call)
	defer cancel()
	conn, v := c.dialStream(opening)
	if conn == nil {
		return nil, v
	}
	f := &feed{conn: conn, clean: c.line.clean}
	if v := f.open(opening, &c.line.creds); v.Kind != broker.Found {
		_ = conn.CloseNow()
		return nil, v
	}
	f.unbind()
	f.watch(c.line.timeouts.Ping)
	return f, broker.Verdict{Kind: broker.Found, HTTPStatus: v.HTTPStatus, Answered: time.Now()}
}

// dialStream opens the websocket.
func (c *Client) dialStream(ctx context.Context) (*websocket.Conn, broker.Verdict) {
	transport := &http.Transport{ // no proxy: nothing is read from the environment
		DialContext:            (&net.Dialer{Timeout: c.line.timeouts.Dial}).DialContext,
		TLSClientConfig:        c.tls,
		TLSHandshakeTimeout:    c.line.timeouts.TLS,
		ResponseHeaderTimeout:  c.line.timeouts.FirstByte,
		MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives:      true,
	}
	begun := time.Now()
	address := *c.base
	address.Path += "/stream"
	conn, resp, err := websocket.Dial(ctx, address.String(), &websocket.DialOptions{ //nolint:bodyclose // Dial has
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	v := broker.Verdict{Submitted: begun}
	if resp != nil {
		v.HTTPStatus, v.Answered = resp.StatusCode, time.Now()
	}
	if err == nil {
		conn.SetReadLimit(maxBody)
		return conn, v
	}
	v.Message = "no websocket: " + c.line.clean(err.Error(), maxMessage)
	if resp != nil {
		refusal(&v, resp.Header)
	}
	return nil, v
}

// refusal says what the status of an answer proves that opens no feed.
func refusal(v *broker.Verdict, h http.Header) {
	switch v.HTTPStatus {
	case http.StatusTooManyRequests:
		v.Kind, v.Wait = broker.RetryAfter, wait(h, v.Answered)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		v.Kind = broker.Rejected
	}
}

// authentication is what the stream wants to know first, in memory that the caller wipes: an
// encoder would leave copies behind. (The websocket's own buffer holds it masked, and TLS's
// encrypted.)
func authentication(c *tenant.Credentials) ([]byte, error) {
	const most = 6 // bytes that a character takes at most, quoted
	b := make([]byte, 0, 128+most*(len(c.KeyID)+len(c.Secret)+len(c.OAuth)))
	b = append(b, `{"action":"authenticate","data":{`...)
	first := true
	for _, m := range []struct{ name, value string }{{"key_id", c.KeyID}, {"secret_key", c.Secret}, {"oauth_token", c.OAuth}} {
		if m.value == "" {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(append(b, '"'), m.name...), `":`...)
		var err error
		if b, err = jsontext.AppendQuote(b, m.value); err != nil {
			return b, errors.New("the keys are no text") // without quoting them
		}
	}
	return append(b, "}}"...), nil
}

// said is a message of the stream.
type said struct {
	Stream string `json:"stream"`
	Data   json.RawMessage
}

// open authenticates and listens.
func (f *feed) open(ctx context.Context, creds *tenant.Credentials) broker.Verdict {
	var granted struct {
		Status string `json:"status"`
	}
	keys, err := authentication(creds)
	if err == nil {
		err = f.ask(ctx, keys, "authorization", &granted)
	}
	wipe(&keys)
	if err != nil {
		return f.unopened(err)
	}
	if granted.Status != "authorized" {
		return broker.Verdict{Kind: broker.Rejected, HTTPStatus: http.StatusUnauthorized, Message: "the stream says " + f.clean(granted.Status, maxExcerpt)}
	}
	var listening struct {
		Streams []string `json:"streams"`
	}
	if err := f.ask(ctx, []byte(`{"action":"listen","data":{"streams":["`+tradeUpdates+`"]}}`), "listening", &listening); err != nil {
		return f.unopened(err)
	}
	if !slices.Contains(listening.Streams, tradeUpdates) {
		return broker.Verdict{Message: "the stream does not listen to " + tradeUpdates}
	}
	return broker.Verdict{Kind: broker.Found}
}

func (f *feed) unopened(err error) broker.Verdict {
	return broker.Verdict{Message: "the stream does not open: " + f.clean(err.Error(), maxMessage)}
}

// ask says something to the stream and waits for the answer.
func (f *feed) ask(ctx context.Context, message []byte, stream string, answer any) error {
	if err := f.conn.Write(ctx, websocket.MessageText, message); err != nil {
		return err
	}
	f.bind(ctx)
	for {
		m, err := f.hear()
		if err != nil {
			return err
		}
		switch m.Stream {
		case stream:
			return json.Unmarshal(m.Data, answer)
		case tradeUpdates:
			e, err := event(m.Data)
			if err != nil {
				return err
			}
			f.early = append(f.early, e)
		default:
			return fmt.Errorf("instead of %s it says %s: %s", stream, m.Stream, m.Data[:min(len(m.Data), maxExcerpt)])
		}
	}
}

// bind has the end of a context close the connection, once for all messages that are read
// until there is another one.
func (f *feed) bind(ctx context.Context) {
	if f.bound == ctx {
		return
	}
	f.unbind()
	f.bound = ctx
	f.free = context.AfterFunc(ctx, func() { _ = f.conn.CloseNow() }) // Next fails
}

func (f *feed) unbind() {
	if f.free != nil {
		f.free()
	}
	f.bound, f.free = nil, nil
}

// hear reads a message, in a binary frame or a text frame. It is valid until the next one.
func (f *feed) hear() (m said, err error) {
	_, frame, err := f.conn.Reader(context.Background())
	if err != nil {
		return m, err
	}
	f.frame.Reset()
	if _, err := f.frame.ReadFrom(frame); err != nil {
		return m, err
	}
	f.read.Add(1)
	message := f.frame.Bytes()
	if data, ok := bytes.CutPrefix(message, plainUpdate); ok && bytes.HasSuffix(data, []byte{'}'}) {
		return said{tradeUpdates, data[:len(data)-1]}, nil
	}
	return m, json.Unmarshal(message, &m)
}

// plainUpdate is how an update begins as brokers write it. What is behind is read once then.
var plainUpdate = []byte(`{"stream":"` + tradeUpdates + `","data":`)

// Next implements [broker.Feed].
func (f *feed) Next(ctx context.Context) (broker.Event, error) {
	if len(f.early) > 0 {
		e := f.early[0]
		f.early = f.early[1:]
		return e, nil
	}
	f.bind(ctx)
	for {
		m, err := f.hear()
		if err != nil {
			return broker.Event{}, f.ended(ctx, err)
		}
		if m.Stream != tradeUpdates {
			continue // what the broker says beside it
		}
		e, err := event(m.Data)
		if err != nil {
			return broker.Event{}, f.ended(ctx, err)
		}
		return e, nil
	}
}

// ended says why a feed ends, without what a broker may have put into it.
func (f *feed) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("alpaca: the stream of updates ends: %s", f.clean(err.Error(), maxMessage))
}

// Close implements [broker.Feed].
func (f *feed) Close() {
	f.stop()
	_ = f.conn.CloseNow() // it may be closed already
	f.pinging.Wait()
}

// watch closes the connection when the broker no longer answers on it: no answer to a ping,
// and nothing else was read meanwhile. (While nobody reads, answers stay unread as well.)
func (f *feed) watch(every time.Duration) {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.pinging.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			before := f.read.Load()
			if !f.answers(ctx, every) && f.read.Load() == before {
				_ = f.conn.CloseNow() // Next fails
				return
			}
		}
	})
}

// answers says whether the broker answers a ping in time.
func (f *feed) answers(ctx context.Context, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return f.conn.Ping(ctx) == nil
}

var errNoOrder = errors.New("an update has no event or no order")

// event reads a trade update.
func event(data []byte) (broker.Event, error) {
	var u sdk.TradeUpdate
	if err := u.UnmarshalJSON(data); err != nil {
		return broker.Event{}, err
	}
	if u.Event == "" || u.Order.ID == "" {
		return broker.Event{}, errNoOrder
	}
	at := deref(u.Timestamp)
	if at.IsZero() {
		at = u.At
	}
	return broker.Event{Kind: u.Event, At: at, Price: deref(u.Price), Qty: deref(u.Qty), Order: record(&u.Order)}, nil
}
