package alpaca

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

const (
	readBuffer = 2 << 10  // of the reader, while connected
	keepBuffer = 16 << 10 // a buffer that grew past this is dropped after the call
)

// conn is a connection that the calling goroutine owns outright: it dials, writes
// and reads by itself. At most one is open; no goroutine belongs to it.
type conn struct {
	addr     string
	host     string      // the Host header
	tls      *tls.Config // nil: plain
	timeouts Timeouts
	dials    uint64

	nc     net.Conn // nil: none or broken
	raw    syscall.RawConn
	peek   func(fd uintptr) bool // peekAt, bound once
	peeked [1]byte
	silent bool // what peekAt found

	src  source
	in   *bufio.Reader // over src
	out  []byte        // the request, in one piece for one write
	body []byte        // the answer's body
}

func newConn(base *url.URL, cfg *tls.Config, timeouts Timeouts) *conn {
	c := &conn{addr: address(base), host: base.Host, timeouts: timeouts}
	c.peek = c.peekAt
	if base.Scheme == "https" {
		c.tls = tlsConfig(cfg, base.Hostname())
	}
	return c
}

// tlsConfig makes the configuration for one host. HTTP/1.1 is the only protocol
// offered: an owned connection carries one exchange at a time.
func tlsConfig(cfg *tls.Config, host string) *tls.Config {
	if cfg == nil {
		cfg = new(tls.Config)
	}
	cfg = cfg.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	cfg.NextProtos = []string{"http/1.1"}
	return cfg
}

func (c *conn) exchange(x *exchange, req *http.Request, body []byte) error {
	if err := c.ready(x); err != nil {
		return err
	}
	nc := c.nc
	stop := func() bool { return true }
	if x.ctx.Done() != nil {
		stop = context.AfterFunc(x.ctx, func() { _ = nc.SetDeadline(longAgo) })
	}
	c.encode(req, body)
	keep, err := c.turn(x)
	if !stop() {
		keep = false // its deadline is being moved under us
	}
	if !keep {
		c.close()
	}
	if err != nil && x.ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(x.ctx), err)
	}
	return err
}

// ready makes sure of a connection that, as far as can be seen without writing,
// still stands. Nothing has left when it fails.
func (c *conn) ready(x *exchange) error {
	if c.nc != nil {
		c.arm(x)
		if !c.idle() {
			c.close()
		}
	}
	if c.nc == nil {
		if err := c.dial(x); err != nil {
			return err
		}
		c.arm(x)
	}
	return x.ctx.Err()
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// arm sets the deadline for writing and for the first byte of the answer.
func (c *conn) arm(x *exchange) {
	_ = c.nc.SetDeadline(earlier(x.deadline, time.Now().Add(c.timeouts.FirstByte)))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (c *conn) dial(x *exchange) error {
	c.dials++
	x.dialled = true
	ctx, cancel := context.WithDeadline(x.ctx, earlier(x.deadline, time.Now().Add(c.timeouts.Dial)))
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		_ = nc.Close()
		return fmt.Errorf("connect: %w", err)
	}
	if c.tls != nil {
		ctx, cancel := context.WithDeadline(x.ctx, earlier(x.deadline, time.Now().Add(c.timeouts.TLS)))
		defer cancel()
		secure := tls.Client(nc, c.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
			return fmt.Errorf("TLS handshake with %s: %w", c.addr, err)
		}
		nc = secure
	}
	c.adopt(nc, raw)
	return nil
}

func (c *conn) adopt(nc net.Conn, raw syscall.RawConn) {
	c.nc, c.raw, c.src = nc, raw, source{r: nc}
	if c.in == nil {
		c.in = bufio.NewReaderSize(nil, readBuffer)
	}
	c.in.Reset(&c.src)
}

// turn writes the request and reads the answer; keep says that the connection can
// carry another.
func (c *conn) turn(x *exchange) (keep bool, err error) {
	if err := x.ctx.Err(); err != nil {
		return true, err // cancelled before AfterFunc was set
	}
	now := time.Now()
	if x.expired(now) {
		return true, errExpired
	}
	// One write. Over TLS, n counts whole records; a server cannot read part of one.
	n, err := c.nc.Write(c.out)
	x.wrote, x.sent = n, n > 0
	if x.sent {
		x.submitted = now
	}
	if err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	if keep, err = c.read(x); err != nil {
		return false, fmt.Errorf("read: %w", err)
	}
	x.answered = time.Now()
	return keep, nil
}

// encode lays the request out in c.out.
func (c *conn) encode(req *http.Request, body []byte) {
	uri := req.URL.RequestURI()
	b := c.room(len(req.Method) + len(uri) + len(c.host) + headerSize(req.Header) + len(body) + 64)
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, uri...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	for name, values := range req.Header {
		for _, value := range values {
			b = append(b, "\r\n"...)
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
		}
	}
	if len(body) > 0 {
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
	}
	b = append(b, "\r\n\r\n"...)
	b = append(b, body...)
	c.out = b
}

// room empties c.out for a request of so many bytes at most. It holds keys: if it grew by
// itself, a copy of them would stay behind.
func (c *conn) room(size int) []byte {
	if cap(c.out) < size {
		wipe(&c.out)
		c.out = make([]byte, 0, max(size, firstOut))
	}
	return c.out[:0]
}

// firstOut is room for most requests.
const firstOut = 1 << 10

// headerSize is how many bytes a request's headers take.
func headerSize(h http.Header) (n int) {
	for name, values := range h {
		for _, value := range values {
			n += len("\r\n: ") + len(name) + len(value)
		}
	}
	return n
}

// read takes one whole answer off the connection.
func (c *conn) read(x *exchange) (keep bool, err error) {
	c.src.left = maxHeader
	if _, err := c.in.Peek(1); err != nil {
		return false, noEOF(err)
	}
	// The first byte is here: from now on only the whole call is timed. A
	// cancellation that this deadline overwrites is seen by the look at ctx.
	_ = c.nc.SetDeadline(x.deadline)
	if err := x.ctx.Err(); err != nil {
		return false, err
	}
	resp, err := c.readHeader() //nolint:bodyclose // read to its end below, and backed by our own buffer
	if err != nil {
		return false, err
	}
	x.status, x.header = resp.StatusCode, resp.Header
	c.src.left = x.bound()
	if c.body, err = readBody(c.body[:0], resp, x.bound()); err != nil {
		return false, fmt.Errorf("HTTP %d: %w", resp.StatusCode, err)
	}
	x.body = c.body
	// Bytes after the answer belong to no request of ours.
	return !resp.Close && !c.src.ended && c.in.Buffered() == 0, nil
}

// readHeader reads up to the body of the final answer, past any 1xx.
func (c *conn) readHeader() (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(c.in, nil)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the server switched protocols unasked")
		case resp.StatusCode >= 200:
			return resp, nil
		}
	}
}

// readBody appends the whole body, of so many bytes at most, to b, or fails.
func readBody(b []byte, resp *http.Response, most int) ([]byte, error) {
	if resp.ContentLength > int64(most) {
		return b, errTooLarge
	}
	for {
		if len(b) > most {
			return b, errTooLarge
		}
		if len(b) == cap(b) {
			b = append(b, make([]byte, max(512, len(b)))...)[:len(b)]
		}
		n, err := resp.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

func (c *conn) close() {
	if c.nc != nil {
		_ = c.nc.Close()
	}
	c.nc, c.raw, c.src = nil, nil, source{}
}

func (c *conn) release() {
	if cap(c.body) > keepBuffer {
		c.body = nil
	}
	if cap(c.out) > keepBuffer {
		wipe(&c.out)
	}
}

func (c *conn) hangup() {
	c.close()
	wipe(&c.out)
	wipe(&c.body) // should the broker have shown us our keys
	c.in = nil
}

// source is a connection's read side with a budget, and remembers its end.
type source struct {
	r     io.Reader
	left  int
	ended bool
}

func (s *source) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errTooLarge
	}
	if len(p) > s.left {
		p = p[:s.left]
	}
	n, err := s.r.Read(p)
	s.left -= n
	if err != nil {
		s.ended = true
	}
	return n, err
}

// noEOF turns the end of a connection where an answer should be into what it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
