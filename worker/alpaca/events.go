package alpaca

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// The Broker API's feed.
const (
	// eventsPath is the stream of the events of all accounts of a correspondent. (That of
	// version 1 is, by Alpaca's documents of 2026, no longer there.) Asked for without since,
	// it tells what happens from now on. With it, it would tell again what the last owner of
	// the tenant's shard has recorded, which nobody could tell from news.
	eventsPath = "/v2/events/trades"
	// patience is how many pings long a stream may be silent.
	patience = 12
)

// Why a feed is over.
var (
	errClosed = errors.New("closed")
	errSilent = errors.New("no sign of life")
	errLost   = errors.New("the broker says")
)

// events is an open stream of server-sent events, on a connection of its own. Its owner calls
// Next, which reads by itself, and Close.
type events struct {
	account account
	clean   func(s string, limit int) string
	silence time.Duration

	nc net.Conn
	in serverSent
	// over ends the feed, from whichever goroutine, with the reason that came first.
	ctx  context.Context
	over context.CancelCauseFunc
}

// followEvents opens a feed of the Broker API: of the stream of all accounts what is this one's.
func (c *Client) followEvents(ctx context.Context) (broker.Feed, broker.Verdict) {
	x := &exchange{ctx: ctx, deadline: time.Now().Add(c.line.timeouts.Call)}
	wire := newConn(c.base, c.tls, c.line.timeouts)
	resp, err := c.askEvents(x, wire) //nolint:bodyclose // it ends with the connection
	v := broker.Verdict{Submitted: x.submitted, HTTPStatus: x.status, Answered: x.answered, Limits: limits(x.header, x.answered)}
	kind, _, _ := mime.ParseMediaType(x.header.Get("Content-Type"))
	switch {
	case err != nil:
		v.Message = c.line.clean("no stream of events: "+err.Error(), maxMessage)
	case x.status != http.StatusOK || kind != "text/event-stream":
		words, _ := io.ReadAll(io.LimitReader(resp.Body, keepBuffer)) // what is missing is not needed
		v.Code, v.Message = c.line.words(words)
		v.Message = "no stream of events: " + v.Message
		refusal(&v, x.header)
	default:
		f := &events{
			account: c.line.account, clean: c.line.clean, silence: patience * c.line.timeouts.Ping,
			nc: wire.nc, in: serverSent{in: bufio.NewReaderSize(resp.Body, keepBuffer)},
		}
		f.ctx, f.over = context.WithCancelCause(context.Background())
		v.Kind = broker.Found
		return f, v
	}
	wire.close()
	return nil, v
}

// askEvents asks for the stream, and reads the answer up to its body.
func (c *Client) askEvents(x *exchange, wire *conn) (*http.Response, error) {
	address := *c.base
	address.Path += eventsPath
	req, err := http.NewRequestWithContext(x.ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header["Authorization"] = c.line.headers.authorization
	req.Header.Set("Accept", "text/event-stream")
	if err := wire.dial(x); err != nil {
		return nil, err
	}
	nc := wire.nc
	wire.arm(x)
	free := context.AfterFunc(x.ctx, func() { _ = nc.SetDeadline(longAgo) })
	wire.encode(req, nil)
	defer wipe(&wire.out)
	x.submitted = time.Now()
	if _, err := nc.Write(wire.out); err != nil {
		free()
		return nil, fmt.Errorf("write: %w", err)
	}
	wire.src.left = maxHeader
	resp, err := wire.readHeader()
	if !free() {
		return nil, context.Cause(x.ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("read: %w", noEOF(err))
	}
	wire.src.left = math.MaxInt // of a stream there is no end
	x.status, x.header, x.answered = resp.StatusCode, resp.Header, time.Now()
	return resp, nil
}

// Next implements [broker.Feed]. While nobody calls it, silence is not counted.
func (f *events) Next(ctx context.Context) (broker.Event, error) {
	free := context.AfterFunc(ctx, func() { _ = f.nc.SetReadDeadline(longAgo) })
	defer free()
	heard := func() error {
		_ = f.nc.SetReadDeadline(time.Now().Add(f.silence))
		return ctx.Err() // whose end that deadline may have overwritten
	}
	err := heard()
	for err == nil && f.ctx.Err() == nil {
		var data []byte
		if data, err = f.in.next(heard); err != nil {
			break
		}
		var mine bool
		if mine, err = f.account.owns(data); err != nil || !mine {
			continue
		}
		var e broker.Event
		if e, err = event(data); err == nil {
			return e, nil
		}
	}
	switch {
	case ctx.Err() != nil:
		f.end(context.Cause(ctx))
		return broker.Event{}, context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSilent
	}
	f.end(err)
	return broker.Event{}, fmt.Errorf("alpaca: the stream of updates ends: %s", f.clean(context.Cause(f.ctx).Error(), maxMessage))
}

// Close implements [broker.Feed].
func (f *events) Close() { f.end(errClosed) }

// end closes the connection; what is buffered is not told any more.
func (f *events) end(why error) {
	f.over(why)
	_ = f.nc.Close() // it may be closed already
}

// serverSent reads server-sent events.
type serverSent struct {
	in   *bufio.Reader
	line []byte
	data []byte
}

// next returns the data of the next event, which is valid until the one after it. Each line
// is heard, which may fail, and one that says that something was left out, or that cannot be understood to
// say anything else, is an error.
func (s *serverSent) next(heard func() error) ([]byte, error) {
	s.data = s.data[:0]
	for some := false; ; {
		line, err := s.readLine()
		if err == nil {
			err = heard()
		}
		if err != nil {
			return nil, err
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		switch {
		case len(line) == 0 && some:
			return s.data, nil
		case len(field) == 0 && len(line) > 0:
			if !lively(string(value)) {
				return nil, fmt.Errorf("%w %q", errLost, value)
			}
		case string(field) == "data":
			if some {
				s.data = append(s.data, '\n')
			}
			some = true
			s.data = append(s.data, bytes.TrimPrefix(value, []byte{' '})...)
			if len(s.data) > maxBody {
				return nil, errTooLarge
			}
		}
	}
}

// lively says whether a comment is no more than a sign of life. Others are known that say
// that messages were dropped, or that the broker failed; of what is not known the same is
// feared.
func lively(comment string) bool {
	comment = strings.ToLower(strings.TrimSpace(comment))
	return comment == "" || comment == "heartbeat" || strings.HasPrefix(comment, "welcome")
}

// readLine reads a line, without its end.
func (s *serverSent) readLine() ([]byte, error) {
	s.line = s.line[:0]
	for {
		part, err := s.in.ReadSlice('\n')
		if len(s.line)+len(part) > maxBody {
			return nil, errTooLarge
		}
		s.line = append(s.line, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(s.line, "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, noEOF(err)
		}
	}
}
