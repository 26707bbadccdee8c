package alpaca

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// line stands between the SDK and the wire: the round tripper of the SDK's HTTP
// client. It writes the credentials, amends what the SDK cannot say, keeps all
// that the SDK throws away, and hands the SDK an answer that lies in memory. One
// goroutine owns it, so the current call lives in plain fields.
type line struct {
	wire     wire
	account  account
	root     string             // the base URL's path
	creds    tenant.Credentials // the line's own, for clean and for feeds
	headers  headers
	timeouts Timeouts
	log      zerolog.Logger
	requests uint64
	closed   bool // the keys are wiped

	x       exchange
	request []byte   // the body that goes out
	answer  inMemory // the body that came back, for the SDK
}

// inMemory is the body that the SDK reads. Closing it does nothing and forgetting
// to close it (as the SDK does with 429 and 207) costs nothing: the wire has read
// the true body to its end.
type inMemory struct{ bytes.Reader }

func (*inMemory) Close() error { return nil }

// begin makes x the current call.
func (l *line) begin(x exchange) {
	l.x = x
	l.x.deadline = time.Now().Add(l.timeouts.Call)
	l.x.notAfter = broker.NotAfter(x.ctx, x.notAfter)
	if d, ok := x.ctx.Deadline(); ok {
		l.x.deadline = earlier(d, l.x.deadline)
	}
}

// errSecondRequest answers an SDK that sends twice in one call: a retry or a
// redirect, both of which are the session's to decide.
var errSecondRequest = errors.New("a call makes one request")

// RoundTrip implements [http.RoundTripper].
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	x := &l.x
	if x.started {
		return nil, errSecondRequest
	}
	x.started, x.method = true, req.Method
	if x.err = l.account.route(req.URL, l.root); x.err != nil {
		return nil, x.err
	}
	x.path = req.URL.Path
	l.requests++
	x.seq = l.requests
	begun := time.Now()
	x.err = l.send(req)
	l.record(time.Since(begun))
	if x.err != nil {
		return nil, x.err
	}
	return l.deliver(), nil
}

// errGone says that a call was made after the line's end.
var errGone = errors.New("the line was closed, and its keys are gone")

func (l *line) send(req *http.Request) (err error) {
	if l.closed {
		return errGone
	}
	if l.request, err = readRequest(l.request[:0], req); err != nil {
		return err
	}
	if l.x.instructions != nil {
		if l.request, err = addMember(l.request, "advanced_instructions", l.x.instructions); err != nil {
			return err
		}
	}
	l.dress(req)
	return l.wire.exchange(&l.x, req, l.request)
}

// headers are what this client adds to each request, made once. They lie in the line's own
// credentials, or in a buffer of theirs.
type headers struct {
	authorization, keyID, secret []string
	buffer                       *tenant.Buffer
}

func newHeaders(c tenant.Credentials) headers {
	var scheme string
	var value []byte
	switch {
	case c.OAuth != "":
		scheme, value = "Bearer ", []byte(c.OAuth)
	case c.Account != "":
		scheme, value = "Basic ", basic(c)
	default:
		return headers{keyID: []string{c.KeyID}, secret: []string{c.Secret}}
	}
	defer clear(value)
	b := tenant.NewBuffer(len(scheme) + len(value))
	whole := b.Add(func(to []byte) []byte { return append(append(to, scheme...), value...) })
	return headers{authorization: []string{whole}, buffer: b}
}

// basic is how a correspondent's keys go in a header, in memory that the caller wipes.
func basic(c tenant.Credentials) []byte {
	pair := append(append(append(make([]byte, 0, len(c.KeyID)+1+len(c.Secret)), c.KeyID...), ':'), c.Secret...)
	defer clear(pair)
	return base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(pair))), pair)
}

// secrets are all the ways in which the credentials may come back.
func (l *line) secrets() []string {
	all := []string{l.creds.OAuth, l.creds.Secret, l.creds.KeyID}
	if l.account != "" {
		all = append(all, strings.TrimPrefix(l.headers.authorization[0], "Basic "))
	}
	return all
}

// wipe overwrites a buffer and lets go of it.
func wipe(b *[]byte) {
	clear((*b)[:cap(*b)])
	*b = nil
}

var jsonType = []string{"application/json"}

// dress writes this tenant's credentials in the place of whatever the SDK wrote:
// that may have come from the environment. Idempotency-Key goes too: at its sight
// net/http sends a POST again by itself.
func (l *line) dress(req *http.Request) {
	h := req.Header
	put := func(name string, value []string) {
		if value == nil {
			delete(h, name)
		} else {
			h[name] = value
		}
	}
	put("Authorization", l.headers.authorization)
	put("Apca-Api-Key-Id", l.headers.keyID)
	put("Apca-Api-Secret-Key", l.headers.secret)
	put("Idempotency-Key", nil)
	put("X-Idempotency-Key", nil)
	put("Accept", jsonType)
	if req.Body != nil {
		put("Content-Type", jsonType)
	}
}

// readRequest takes over the body that the SDK encoded.
func readRequest(b []byte, req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return b, nil
	}
	defer func() { _ = req.Body.Close() }()
	buf := bytes.NewBuffer(b)
	if _, err := buf.ReadFrom(req.Body); err != nil {
		return b, err
	}
	return buf.Bytes(), nil
}

// addMember adds a member to an encoded JSON object.
func addMember(object []byte, name string, value json.RawMessage) ([]byte, error) {
	members := make(map[string]json.RawMessage)
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	members[name] = value
	return json.Marshal(members)
}

// deliver makes the response that the SDK reads.
func (l *line) deliver() *http.Response {
	l.answer.Reset(l.x.body)
	return &http.Response{
		StatusCode: l.x.status, Header: l.x.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(l.x.body)),
		Body:          &l.answer,
	}
}

// record writes the request log: never a body, a query, a header that we sent.
func (l *line) record(took time.Duration) {
	x := &l.x
	level := zerolog.InfoLevel
	if x.err == nil && x.status/100 == 2 {
		level = zerolog.DebugLevel
	}
	e := l.log.WithLevel(level)
	if e == nil {
		return
	}
	e.Uint64("request", x.seq).Str("method", x.method).Str("path", x.path).Dur("took", took)
	if x.dialled {
		e.Bool("dialled", true)
	}
	if x.wrote > 0 {
		e.Int("wrote", x.wrote)
	}
	if x.status != 0 {
		e.Int("status", x.status).Str("broker_request_id", l.requestID())
	}
	if x.err != nil {
		e.Bool("sent", x.sent).Str("error", l.clean(x.err.Error(), maxMessage))
	}
	e.Msg("broker request")
}
