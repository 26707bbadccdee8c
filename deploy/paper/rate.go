package paper

import (
	"net/http"
	"strconv"
	"time"
)

// Limit is how many requests there may be in each window of time. Windows begin at
// multiples of their length since 1970, as those of X-RateLimit-Reset do.
type Limit struct {
	// Requests in a window; 0 means [DefaultCorrespondentLimit], below 0 there is no limit
	// ([Unlimited]).
	Requests int
	// Window is rounded up to whole seconds, because the broker states its end in them; 0
	// means [DefaultWindow].
	Window time.Duration
}

// whole is a limit with its defaults.
func (l Limit) whole() Limit {
	if l.Requests == 0 {
		l.Requests = DefaultCorrespondentLimit
	}
	if l.Window <= 0 {
		l.Window = DefaultWindow
	}
	l.Window = (l.Window + time.Second - 1).Truncate(time.Second)
	return l
}

// window counts the requests of one stretch of time.
type window struct {
	number int64 // of the window, since 1970
	used   int
}

// take counts a request at a time against a limit. It says how many remain, when the
// window ends in Unix seconds, and whether the request is within the limit.
func (w *window) take(now time.Time, l Limit) (remaining int, reset int64, ok bool) {
	length := int64(l.Window / time.Second)
	if number := now.Unix() / length; number != w.number {
		*w = window{number: number}
	}
	reset = (w.number + 1) * length
	if w.used >= l.Requests {
		return 0, reset, false
	}
	w.used++
	return l.Requests - w.used, reset, true
}

// limit counts a call of an account, or of a correspondent over all its accounts, and sets
// the X-RateLimit headers; false means that it is one too many. Without a limit there are no
// such headers.
func (b *Broker) limit(c *call, h http.Header) bool {
	if c.correspondent != nil {
		return b.limitCorrespondent(c, h)
	}
	l := Limit{int(b.rateLimit.Load()), time.Minute}
	if l.Requests < 0 {
		return true
	}
	a := c.account
	a.mu.Lock()
	remaining, reset, ok := a.rate.take(b.now(), l)
	a.mu.Unlock()
	l.state(h, remaining, reset)
	return ok
}

// limitCorrespondent also puts the call on the ledger, at the very time that it counts at.
func (b *Broker) limitCorrespondent(c *call, h http.Header) bool {
	l, who := *b.correspondentLimit.Load(), c.correspondent
	who.mu.Lock()
	defer who.mu.Unlock()
	now := b.clock()
	remaining, reset, ok := 0, int64(0), true
	if l.Requests >= 0 {
		remaining, reset, ok = who.rate.take(b.session.now(now), l)
		l.state(h, remaining, reset)
	}
	asked := Request{Time: now, Correspondent: who.key, Cancel: operationOf(c) == Cancel, Refused: !ok}
	if c.account != nil {
		asked.Account = c.account.key
	}
	b.ledger.request(asked)
	return ok
}

// state says in the headers how a limit stands.
func (l Limit) state(h http.Header, remaining int, reset int64) {
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(l.Requests)}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(remaining)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(reset, 10)}
}
