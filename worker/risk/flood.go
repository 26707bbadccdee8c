package risk

import (
	"fmt"
	"time"
)

// Flood is where a tenant's last intents and outcomes stand on the ledger, by which is known
// how many waited when one was published, and how fast they came. One goroutine owns it.
type Flood struct {
	backlogMax, rateMax int
	outcomes            []uint64    // the last ones' sequence numbers, at most backlogMax
	published           []time.Time // the last intents', by the server's clock, at most rateMax+1
	last                uint64      // the last of these intents
}

// NewFlood makes the place for a tenant's floods, for limits that are not above those given.
func NewFlood(maxBacklog, publishesPerMinute int) *Flood {
	return &Flood{backlogMax: maxBacklog, rateMax: publishesPerMinute}
}

// Covers says that the limits can be checked with what is kept.
func (f *Flood) Covers(maxBacklog, publishesPerMinute int) bool {
	return f.backlogMax >= maxBacklog && f.rateMax >= publishesPerMinute
}

// Published notes an intent of the tenant; they come in their order, and one that came is
// passed over.
func (f *Flood) Published(seq uint64, at time.Time) {
	if seq <= f.last || f.rateMax == 0 {
		return
	}
	f.last = seq
	f.published = keep(append(f.published, at), f.rateMax+1)
}

// Outcome notes where an outcome of the tenant stands; they come in their order.
func (f *Flood) Outcome(seq uint64) {
	if f.backlogMax > 0 {
		f.outcomes = keep(append(f.outcomes, seq), f.backlogMax)
	}
}

// keep lets go all but the last n.
func keep[T any](all []T, n int) []T { return all[max(len(all)-n, 0):] }

// backlog refuses an intent that was published when so many before it had no outcome: all
// intents before it have theirs by now, and so many of these stand behind it.
func (f *Flood) backlog(seq uint64, limit int) *Refusal {
	if n := len(f.outcomes); n >= limit && f.outcomes[n-limit] > seq {
		return refusal(fmt.Sprint(limit), "as many waited when this was published")
	}
	return nil
}

// rate refuses an intent when as many were published in the minute before it.
func (f *Flood) rate(seq uint64, limit int) *Refusal {
	n := len(f.published)
	if seq != f.last || n <= limit { // it is the last one
		return nil
	}
	if gap := f.published[n-1].Sub(f.published[n-1-limit]); gap < time.Minute {
		return refusal(fmt.Sprint(limit), "as many were published in the %s before it", gap.Round(time.Millisecond))
	}
	return nil
}
