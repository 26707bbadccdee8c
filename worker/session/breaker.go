package session

import (
	"math/rand/v2"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// breaker keeps a tenant from a broker that fails again and again; its states are drawn in
// the package's documentation. It is told the time.
type breaker struct {
	failures int // in a row
	open     bool
	let      bool      // open, but the next request is the probe: from until on
	until    time.Time // open: the end of the pause
	pause    time.Duration
	last     time.Time // the last failure
}

const (
	// tripAfter is how many requests must fail in a row to open a breaker.
	tripAfter = 5
	// firstBreak is about how long a breaker is open the first time; it doubles up to
	// lastBreak.
	firstBreak = time.Second
	lastBreak  = 30 * time.Second
)

// finding is what an answer, or the lack of one, says of the broker's health.
type finding uint8

const (
	nothing finding = iota // no request was made
	healthy                // it answered, be it with a refusal
	ill                    // no answer, no connection, or a server error
)

func judge(v broker.Verdict) finding {
	switch v.Kind {
	case broker.Unknown, broker.Unsent:
		return ill
	case broker.Accepted, broker.Found, broker.NotFound, broker.RetryAfter:
		return healthy
	case broker.Rejected:
		if v.HTTPStatus != 0 {
			return healthy
		}
	case broker.Expired:
	}
	return nothing
}

// failed counts a failure and says whether the breaker opened by it, or opened again.
func (b *breaker) failed(now time.Time) bool {
	b.failures++
	b.last = now
	if !b.open && b.failures < tripAfter {
		return false
	}
	b.open, b.let = true, false
	b.pause = min(max(2*b.pause, firstBreak), lastBreak)
	b.until = now.Add(b.pause/2 + rand.N(b.pause/2+1))
	return true
}

// release makes the next request after a moment the probe.
func (b *breaker) release(at time.Time) { b.let, b.until = true, at }

// close forgets all failures.
func (b *breaker) close() { *b = breaker{} }

// calm says that the failures are too long ago to matter to a tenant that had no work since.
func (b *breaker) calm(now time.Time) bool { return now.Sub(b.last) > lastBreak }
