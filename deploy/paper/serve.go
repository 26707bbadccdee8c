package paper

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// call is one request, read whole.
type call struct {
	method, path string // the path as the Trading API has it
	query        url.Values
	account      *account
	// correspondent is who acts for the account, by the Broker API; else nil.
	correspondent *correspondent
	body          []byte
	received      stamp         // by the time that the broker goes by
	read          time.Time     // by its clock, whatever the time was set to
	unseen        time.Duration // how long lookups do not show what it books
	arrival       int           // its sequence number on the ledger; 0 if it cannot book
}

// Handler serves the trading API.
func (b *Broker) Handler() http.Handler { return http.HandlerFunc(b.serve) }

func (b *Broker) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Request-Id"] = []string{requestID(b.seed, b.requests.Add(1))}
	if r.URL.Path == "/stream" {
		b.serveStream(w, r)
		return
	}
	c := &call{method: r.Method, path: r.URL.Path}
	if r.URL.RawQuery != "" {
		c.query = r.URL.Query()
	}
	if refusal := b.identify(c, r); refusal != nil {
		if c.correspondent != nil && !b.limit(c, h) { // what it asks in vain counts as well
			refusal = tooMany("")
		}
		write(w, refusal)
		return
	}
	if c.follows() {
		if b.limit(c, h) {
			b.serveEvents(w, r, c.teller())
		} else {
			write(w, tooMany(""))
		}
		return
	}
	body, err := readBody(r)
	if err != nil {
		write(w, refuse(http.StatusBadRequest, codeBody, "request body format is invalid"))
		return
	}
	c.read = b.clock()
	c.body, c.received = *body, stampOf(b.session.now(c.read))
	b.arrive(c)
	if b.limit(c, h) {
		b.answerThrough(w, r, c)
	} else {
		write(w, b.answered(c, tooMany("")))
	}
	bodies.Put(body)
}

// identify finds whose call it is.
func (b *Broker) identify(c *call, r *http.Request) (refusal *answer) {
	if correspond(r) {
		return b.introduce(c, r)
	}
	c.account, refusal = b.authenticate(r)
	return refusal
}

// follows says whether a call asks for a stream of events.
func (c *call) follows() bool {
	return c.method == http.MethodGet && (c.path == eventsPath || c.path == legacyEvents)
}

// teller is where the stream that a call asks for comes from.
func (c *call) teller() teller {
	if c.correspondent != nil {
		return broadcast{c.correspondent, c.path == legacyEvents}
	}
	return c.account
}

// books says whether a request may book an order.
func books(c *call) bool {
	switch c.method {
	case http.MethodPost, http.MethodPatch:
		return strings.HasPrefix(c.path, "/v2/orders")
	case http.MethodDelete:
		return strings.HasPrefix(c.path, "/v2/positions")
	}
	return false
}

// answered puts the status of an answer on the ledger, if its call is there. Whether
// the answer reaches the client is another matter.
func (b *Broker) answered(c *call, a *answer) *answer {
	if c.arrival > 0 {
		b.ledger.answer(c.arrival, a.status)
	}
	return a
}

// arrive puts a call that may book on the ledger.
func (b *Broker) arrive(c *call) {
	if !books(c) {
		return
	}
	if c.path == ordersPath {
		c.path = ordersPath // one string for all, not a piece of each request
	}
	c.arrival = b.ledger.arrive(Arrival{
		Time: c.read, Account: c.account.key, Method: c.method, Path: c.path,
		ClientOrderID: peekClientOrderID(c.body), Digest: digest(c.body),
	})
}

const ordersPath = "/v2/orders"

// bodies are buffers for requests.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

var errTooLong = errors.New("paper: request body is too long")

// readBody reads a body into a buffer of bodies.
func readBody(r *http.Request) (*[]byte, error) {
	buf, _ := bodies.Get().(*[]byte)
	b := (*buf)[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			*buf = b
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) > maxBody {
			return nil, errTooLong
		}
	}
}

var (
	typeJSON = []string{"application/json; charset=UTF-8"}
	typeHTML = []string{"text/html"}
)

// write sends an answer. That the client has gone is its own affair.
func write(w http.ResponseWriter, a *answer) {
	h := w.Header()
	switch {
	case a.html:
		h["Content-Type"] = typeHTML
	case a.status != http.StatusNoContent:
		h["Content-Type"] = typeJSON
	}
	if a.after != "" {
		h["Retry-After"] = []string{a.after}
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// maxKey bounds the length of API keys and secrets.
const maxKey = 256

// authenticate finds or opens the account of a request's keys.
func (b *Broker) authenticate(r *http.Request) (*account, *answer) {
	key, secret := r.Header.Get("Apca-Api-Key-Id"), r.Header.Get("Apca-Api-Secret-Key")
	if key == "" || secret == "" {
		if k, s, ok := r.BasicAuth(); ok {
			key, secret = k, s
		}
	}
	if key == "" || secret == "" {
		return nil, forbidden()
	}
	if a := b.open(key, secret); a != nil {
		return a, nil
	}
	return nil, unauthorized()
}

// open returns the account of a key pair, and opens it if the key is new; nil means
// that the key has another secret, or was revoked.
func (b *Broker) open(key, secret string) *account {
	if key == "" || secret == "" || len(key) > maxKey || len(secret) > maxKey {
		return nil
	}
	b.mu.RLock()
	a := b.accounts[key]
	p, other := b.passes[key]
	b.mu.RUnlock()
	switch {
	case other && p.secret == secret: // it is not empty
		return p.account
	case other:
		return nil
	}
	if a == nil {
		b.mu.Lock()
		if a = b.accounts[key]; a == nil {
			a = b.newAccount(key, secret)
			b.accounts[key] = a
		}
		b.mu.Unlock()
	}
	if a.secret != secret {
		return nil
	}
	return a
}
