package alpaca

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
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

// events is an open stream of server-sent events. Its owner calls Next and Close. Nothing runs
// beside it but net/http's own.
type events struct {
	account account
	clean   func(s string, limit int) string
	silence time.Duration

	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	body   io.Closer
	in     serverSent
}

// followEvents opens a feed of the Broker API: of the stream of all accounts what is this one's.
func (c *Client) followEvents(ctx context.Context) (broker.Feed, broker.Verdict) {
	v := broker.Verdict{Submitted: time.Now()}
	address := *c.base
	address.Path += eventsPath
	open, cancel := context.WithCancelCause(context.Background())
	req, err := http.NewRequestWithContext(open, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		cancel(errClosed)
		return nil, refused(err)
	}
	req.Header["Authorization"] = c.line.headers.authorization
	req.Header.Set("Accept", "text/event-stream")

	opening, opened := context.WithTimeout(ctx, c.line.timeouts.Call)
	defer opened()
	free := context.AfterFunc(opening, func() { cancel(context.Cause(opening)) })
	resp, err := c.feedTransport().Do(req)
	if err != nil {
		cancel(errClosed)
		v.Message = "no stream of events: " + c.line.clean(err.Error(), maxMessage)
		return nil, v
	}
	v.HTTPStatus, v.Answered, v.Limits = resp.StatusCode, time.Now(), limits(resp.Header, time.Now())
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		words, _ := io.ReadAll(io.LimitReader(resp.Body, keepBuffer)) // what is missing is not needed
		_ = resp.Body.Close()
		cancel(errClosed)
		v.Code, v.Message = c.line.words(words)
		v.Message = "no stream of events: " + v.Message
		refusal(&v, resp.Header)
		return nil, v
	}
	if !free() {
		_ = resp.Body.Close()
		v.Message = "given up while the stream opened"
		return nil, v
	}
	v.Kind = broker.Found
	return &events{
		account: c.line.account, clean: c.line.clean, silence: patience * c.line.timeouts.Ping,
		ctx: open, cancel: cancel, body: resp.Body, in: serverSent{in: bufio.NewReaderSize(resp.Body, keepBuffer)},
	}, v
}

// Next implements [broker.Feed]. While nobody calls it, silence is not counted.
func (f *events) Next(ctx context.Context) (broker.Event, error) {
	free := context.AfterFunc(ctx, func() { f.cancel(context.Cause(ctx)) })
	defer free()
	silent := time.AfterFunc(f.silence, func() { f.cancel(errSilent) })
	defer silent.Stop()
	for f.ctx.Err() == nil {
		data, err := f.in.next(func() { silent.Reset(f.silence) })
		if err != nil {
			return f.ended(ctx, err)
		}
		mine, err := f.account.owns(data)
		if err != nil {
			return f.ended(ctx, err)
		}
		if !mine {
			continue
		}
		e, err := event(data)
		if err != nil {
			return f.ended(ctx, err)
		}
		return e, nil
	}
	return f.ended(ctx, errClosed)
}

// ended ends a feed and says why, without what a broker may have put into it.
func (f *events) ended(ctx context.Context, err error) (broker.Event, error) {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
		f.cancel(err)
		return broker.Event{}, err
	}
	f.cancel(err) // unless something else has ended it before
	return broker.Event{}, fmt.Errorf("alpaca: the stream of events ends: %s", f.clean(context.Cause(f.ctx).Error(), maxMessage))
}

// Close implements [broker.Feed].
func (f *events) Close() {
	f.cancel(errClosed)
	_ = f.body.Close() // it may be closed already
}

// serverSent reads server-sent events.
type serverSent struct {
	in   *bufio.Reader
	line []byte
	data []byte
}

// next returns the data of the next event, which is valid until the one after it. Each line
// is heard, and one that says that something was left out, or that cannot be understood to
// say anything else, is an error.
func (s *serverSent) next(heard func()) ([]byte, error) {
	s.data = s.data[:0]
	for some := false; ; {
		line, err := s.readLine()
		if err != nil {
			return nil, err
		}
		heard()
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
