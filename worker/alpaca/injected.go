package alpaca

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// The transports in this file exist for one comparison: what a connection of its
// own gains a session over a client that it shares with the others. The fleet
// itself never uses them.

// SharedTransport is one pool of connections for any number of clients, tuned to
// keep up to idle of them open.
func SharedTransport(t Timeouts, cfg *tls.Config, idle int) *http.Transport {
	t = t.withDefaults()
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: t.Dial}).DialContext,
		TLSClientConfig:        cfg,
		TLSHandshakeTimeout:    t.TLS,
		ResponseHeaderTimeout:  t.FirstByte,
		MaxIdleConns:           idle,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// LockedTransport lets one request through rt at a time, whoever asks: a client
// behind a mutex.
func LockedTransport(rt http.RoundTripper) http.RoundTripper {
	return &locked{rt: rt, turn: make(chan struct{}, 1)}
}

// locked holds its turn from before the request until the answer's body is closed.
type locked struct {
	rt   http.RoundTripper
	turn chan struct{}
}

var errNoTurn = errors.New("no turn at the shared client")

func (l *locked) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case l.turn <- struct{}{}:
	case <-req.Context().Done():
		return nil, fmt.Errorf("%w: %w", errNoTurn, context.Cause(req.Context()))
	}
	resp, err := l.rt.RoundTrip(req)
	if err != nil {
		<-l.turn
		return nil, err
	}
	resp.Body = &turnBody{ReadCloser: resp.Body, end: sync.OnceFunc(func() { <-l.turn })}
	return resp, nil
}

type turnBody struct {
	io.ReadCloser
	end func()
}

func (b *turnBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// borrowed is the wire over an injected transport. It proves less than conn: only
// that no connection was had proves that nothing was sent. Expiry is checked
// before the transport is called and again when it asks for the request's body,
// which is after it has dialled; a request without a body gets the first check only.
type borrowed struct {
	rt   http.RoundTripper
	body []byte
}

func (b *borrowed) exchange(x *exchange, req *http.Request, body []byte) error {
	ctx, cancel := context.WithDeadline(x.ctx, x.deadline)
	defer cancel() // not before the body has been read
	var asked, had bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked = true },
		GotConn: func(httptrace.GotConnInfo) { had = true },
	})
	now := time.Now()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case x.expired(now):
		return errExpired
	}
	req = req.WithContext(ctx)
	if req.Body != nil {
		fresh := func() (io.ReadCloser, error) { return newDue(body, x.notAfter), nil }
		req.Body, _ = fresh()
		req.GetBody, req.ContentLength = fresh, int64(len(body))
	}
	resp, err := b.rt.RoundTrip(req)
	x.sent = err == nil || !(errors.Is(err, errNoTurn) || errors.Is(err, errExpired) || asked && !had)
	if x.sent {
		x.submitted, x.wrote = now, len(body)
	}
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	x.status, x.header = resp.StatusCode, resp.Header
	if b.body, err = readBody(b.body[:0], resp, x.bound()); err != nil {
		return fmt.Errorf("read: HTTP %d: %w", resp.StatusCode, err)
	}
	x.body, x.answered = b.body, time.Now()
	return nil
}

func (b *borrowed) release() {
	if cap(b.body) > keepBuffer {
		b.body = nil
	}
}

func (b *borrowed) hangup() { wipe(&b.body) }

// due is a request's body that refuses to be read too late. The transport has
// written nothing yet when it first reads: the header waits in its 4 KiB buffer.
type due struct {
	rest     []byte
	notAfter time.Time
	begun    bool
}

func newDue(body []byte, notAfter time.Time) io.ReadCloser {
	return &due{rest: body, notAfter: notAfter}
}

func (d *due) Read(p []byte) (int, error) {
	if !d.begun && !d.notAfter.IsZero() && !time.Now().Before(d.notAfter) {
		return 0, errExpired
	}
	d.begun = true
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *due) Close() error { return nil }
