package updates

import (
	"math/rand/v2"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// A follower asks its broker's lists for so much at once, and then for one answer each pace:
// 30 a minute, of the 200 that Alpaca allows a tenant for its orders.
const (
	atOnce = 10
	pace   = 2 * time.Second
)

// Pace keeps the requests of a tenant's followers from eating up its rate limit: who comes
// next goes on with the one's before. The zero value is that of a tenant of whom nothing was
// asked lately.
type Pace struct {
	spent float64 // of atOnce
	at    time.Time
	until time.Time // the broker asks us to stay away
}

// next is how long to wait before the next request, which counts.
func (p *Pace) next(now time.Time) time.Duration {
	if !p.at.IsZero() {
		p.spent = max(0, p.spent-float64(now.Sub(p.at))/float64(pace))
	}
	p.at = now
	p.spent++
	wait := time.Duration((p.spent - atOnce) * float64(pace))
	return max(wait, p.until.Sub(now), 0)
}

// Calm says that a follower may as well begin with the zero value.
func (p *Pace) Calm(now time.Time) bool {
	return p.spent*float64(pace) <= float64(now.Sub(p.at)) && !now.Before(p.until)
}

// maxAway is how long an answer keeps a follower away at most.
const maxAway = time.Minute

// heed notes what an answer says of the tenant's limit: the last quarter is left to its
// orders.
func (p *Pace) heed(v broker.Verdict, now time.Time) {
	switch l := v.Limits; {
	case v.Kind == broker.RetryAfter:
		p.until = now.Add(min(v.Wait, maxAway))
	case l.Limit > 0 && l.Remaining < l.Limit/4:
		p.until = now.Add(min(l.Reset, maxAway))
	}
}

// backoff is an exponential back-off with full jitter. The zero value is ready.
type backoff struct{ ceiling time.Duration }

// The bounds of a back-off's ceiling. A broker that cuts all its streams at once sees
// everybody again within half a second, or later if it goes on.
const (
	firstDelay = 500 * time.Millisecond
	lastDelay  = time.Minute
)

func (b *backoff) next() time.Duration {
	b.ceiling = min(max(2*b.ceiling, firstDelay), lastDelay)
	return rand.N(b.ceiling + 1)
}
