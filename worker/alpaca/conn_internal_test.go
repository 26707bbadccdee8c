package alpaca

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// acted is a connection that plays a part: it takes wrote bytes of a request, all
// of them if that is negative, and answers what answer holds.
type acted struct {
	net.Conn
	wrote  int
	answer strings.Reader
	reads  int
	onRead func(n int) // called before the n-th read
	closed bool
	// deadlines that were set, in order
	deadlines []time.Time
}

func (a *acted) Write(p []byte) (int, error) {
	if a.wrote < 0 {
		return len(p), nil
	}
	return a.wrote, errors.New("broken pipe")
}

// Read gives one byte at first, then all there is.
func (a *acted) Read(p []byte) (int, error) {
	a.reads++
	if a.onRead != nil {
		a.onRead(a.reads)
	}
	if a.reads == 1 {
		p = p[:1]
	}
	return a.answer.Read(p)
}

func (a *acted) SetDeadline(t time.Time) error {
	a.deadlines = append(a.deadlines, t)
	return nil
}

func (a *acted) Close() error {
	a.closed = true
	return nil
}

// quiet is the raw side of an open connection on which nothing has arrived.
type quiet struct {
	syscall.RawConn
	own *conn
}

func (q quiet) Read(func(uintptr) bool) error {
	q.own.silent = true
	return nil
}

// enter makes a the client's connection.
func enter(c *Client, a *acted) {
	own := c.line.wire.(*conn)
	own.adopt(a, quiet{own: own})
}

func newActed(t testing.TB) *Client {
	t.Helper()
	c, err := New(Config{Tenant: "acme", BaseURL: "http://127.0.0.1:1", Credentials: tenant.Credentials{OAuth: "token"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A real socket takes a request whole or not at all, so these writes are acted.
func TestConnPartialWrite(t *testing.T) {
	for name, test := range map[string]struct {
		wrote int
		want  broker.VerdictKind
	}{
		"nothing left":         {0, broker.Unsent},
		"a byte left":          {1, broker.Unknown},
		"part of a request":    {100, broker.Unknown},
		"all but the last bit": {300, broker.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			c, a := newActed(t), &acted{wrote: test.wrote}
			enter(c, a)
			v := c.Place(t.Context(), "acme.1", &order.Order{Symbol: "AAPL"}, time.Time{})
			if v.Kind != test.want || v.Submitted.IsZero() != (test.wrote == 0) {
				t.Errorf("verdict %+v", v)
			}
			if !a.closed {
				t.Error("the connection is kept")
			}
		})
	}
}

// A client does not keep what one large answer took.
func TestConnDropsGrownBuffers(t *testing.T) {
	c, a := newActed(t), &acted{wrote: -1}
	body := "[" + strings.Repeat(" ", 500<<10) + "]"
	a.answer.Reset("HTTP/1.1 207 Multi-Status\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	enter(c, a)
	if v := c.CancelAll(t.Context(), time.Time{}); v.Kind != broker.Accepted {
		t.Fatalf("verdict %+v", v)
	}
	own := c.line.wire.(*conn)
	if n := cap(own.body) + cap(own.out) + cap(c.line.request); n > 64<<10 || own.nc == nil {
		t.Errorf("%d bytes are kept, connection %v", n, own.nc)
	}
	c.Hangup()
	if own.nc != nil || own.in != nil || own.body != nil || own.out != nil || c.line.request != nil || !a.closed {
		t.Error("a hangup leaves something behind")
	}
}

// An answer that came whole counts, though its context ended meanwhile; its
// connection, whose deadline somebody may be moving, is done.
func TestConnCancelledAsTheAnswerArrives(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, a := newActed(t), &acted{wrote: -1}
	a.answer.Reset("HTTP/1.1 204 No Content\r\n\r\n")
	a.onRead = func(n int) {
		if n == 2 {
			cancel()
		}
	}
	enter(c, a)
	if v := c.Cancel(ctx, "x", time.Time{}); v.Kind != broker.Accepted {
		t.Errorf("verdict %+v", v)
	}
	if !a.closed {
		t.Error("the connection is kept")
	}
}

// The first byte has its own deadline; what follows has the call's, or the
// context's if that is sooner.
func TestConnDeadlines(t *testing.T) {
	const firstByte, call = time.Minute, time.Hour
	for name, allowed := range map[string]time.Duration{
		"none of the context's": call,
		"later than the call's": 2 * call,
		"within the call":       call / 2,
		"before the first byte": firstByte / 2,
	} {
		t.Run(name, func(t *testing.T) {
			c, a := newActed(t), &acted{wrote: -1}
			c.line.timeouts = Timeouts{FirstByte: firstByte, Call: call}
			c.line.wire.(*conn).timeouts = c.line.timeouts
			a.answer.Reset("HTTP/1.1 204 No Content\r\n\r\n")
			enter(c, a)
			ctx := t.Context()
			before := time.Now()
			if allowed != call {
				var cancel func()
				ctx, cancel = context.WithDeadline(ctx, before.Add(allowed))
				defer cancel()
			}
			if v := c.Cancel(ctx, "x", time.Time{}); v.Kind != broker.Accepted {
				t.Fatalf("verdict %+v", v)
			}
			took := time.Since(before)
			for i, want := range []time.Duration{min(firstByte, allowed), min(call, allowed)} {
				if got := a.deadlines[i].Sub(before); got < want || got > want+took {
					t.Errorf("deadline %d is %v ahead, want %v", i+1, got, want)
				}
			}
		})
	}
}
