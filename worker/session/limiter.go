package session

import (
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// limiter says when the tenant may make its next request. The tenant's own limit is a
// token bucket, which holds the requests of a minute; what the broker's answers say of
// its window, and how long it asks us to stay away, comes on top. It is told the time.
type limiter struct {
	every time.Duration // a token comes into the bucket; 0: there is no bucket
	// full is when the bucket will be full again; each token that is taken moves it on.
	full time.Time

	// The broker's window: so many requests remain, as far as we know, until it ends.
	remaining int
	ends      time.Time // zero: the broker said nothing

	away time.Time // the broker asked us to stay away until then
}

// longestStay bounds how long one answer can keep a tenant away, whatever it says: then
// another request asks again.
const longestStay = time.Minute

// bound sets the tenant's own limit; 0 is none.
func (l *limiter) bound(perMinute int) {
	l.every = 0
	if perMinute > 0 {
		l.every = time.Minute / time.Duration(perMinute)
	}
}

// wait is how long the next request has to wait; not above 0 is not at all.
func (l *limiter) wait(now time.Time) time.Duration { return l.waitFor(1, now) }

// waitFor is how long to wait until so many requests may follow each other.
func (l *limiter) waitFor(requests int, now time.Time) time.Duration {
	wait := l.away.Sub(now)
	if l.remaining < requests {
		wait = max(wait, l.ends.Sub(now))
	}
	if l.every > 0 {
		wait = max(wait, l.full.Add(time.Duration(requests)*l.every-time.Minute).Sub(now))
	}
	return wait
}

// calm says that a limiter that knows nothing would let as much go.
func (l *limiter) calm(now time.Time) bool {
	return !l.full.After(now) && !l.ends.After(now) && !l.away.After(now)
}

// take takes a token for a request that is about to be made.
func (l *limiter) take(now time.Time) {
	l.remaining = max(l.remaining-1, 0)
	if l.every == 0 {
		return
	}
	if l.full.Before(now) {
		l.full = now
	}
	l.full = l.full.Add(l.every)
}

// learn corrects the limiter by an answer.
func (l *limiter) learn(now time.Time, v broker.Verdict) {
	if v.Limits.Limit > 0 {
		l.remaining, l.ends = v.Limits.Remaining, now.Add(min(v.Limits.Reset, longestStay))
	}
	if v.Wait > 0 {
		l.away = now.Add(min(v.Wait, longestStay))
	}
}
