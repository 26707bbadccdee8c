package pool

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// plan is what follows from a pool's limit; package documentation has the proof that it is
// kept.
type plan struct {
	window time.Duration
	banked int // requests a window that the banker hands out
	loose  int // and those that workers share among themselves while no banker answers

	every   time.Duration // a token is due
	life    time.Duration // a request is written so long after its token was due, or not at all
	transit time.Duration // and has reached the broker so long after that
	lag     time.Duration // a token is handed out so long after it was due, at most
	tick    time.Duration // how long tokens that are due are gathered into one message
	repeat  time.Duration // how often a worker says again what it wants
	forget  time.Duration // the banker forgets what a worker wants that does not say it again

	reserve    time.Duration // an urgent request comes before all others, once in such a time
	reserved   int           // so many of them may follow each other
	background time.Duration // and one of the background
}

const (
	// looseParts: one request in so many is left to the workers, if the pool has that many.
	looseParts = 40
	// longestReach bounds how long after it was due a token's request may arrive: so long
	// is a pool without a banker, too, when another takes over.
	longestReach = 2 * time.Second
	// backgroundParts: one request in so many is for the background, whatever others want.
	backgroundParts = 20
)

func planOf(p tenant.Pool) plan {
	w := time.Duration(p.Window)
	reach := min(w/4, longestReach)
	pl := plan{
		window:  w,
		loose:   p.Requests / looseParts,
		life:    reach / 2,
		transit: reach - reach/2,
		lag:     reach / 8,
		tick:    reach / 20,
		repeat:  reach / 10,
		forget:  reach,
	}
	pl.banked = p.Requests - pl.loose
	pl.every = (w + time.Duration(pl.banked) - 1) / time.Duration(pl.banked)
	pl.reserved = max(pl.banked*p.Reserve()/100, 1)
	pl.reserve = w / time.Duration(pl.reserved)
	pl.background = pl.every * backgroundParts
	return pl
}

// reach is how long after it was due a token's request may arrive at the broker.
func (p *plan) reach() time.Duration { return p.life + p.transit }
