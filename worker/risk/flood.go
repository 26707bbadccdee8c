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

// NewFlood makes a flood that keeps what the rules need.
func (r *Rules) NewFlood() *Flood {
	return &Flood{backlogMax: r.terms.Limits.MaxBacklog, rateMax: r.terms.Limits.PublishesPerMinute}
}

// Covers says that the rules can be checked with what is kept.
func (f *Flood) Covers(r *Rules) bool {
	return f.backlogMax >= r.terms.Limits.MaxBacklog && f.rateMax >= r.terms.Limits.PublishesPerMinute
}

// Counts says which of the two it keeps.
func (f *Flood) Counts() (backlog, rate bool) { return f.backlogMax > 0, f.rateMax > 0 }

// Published notes an intent of the tenant; they come in their order, and one that came is
// passed over.
func (f *Flood) Published(seq uint64, at time.Time) {
	if seq <= f.last || f.rateMax == 0 {
		return
	}
	f.last = seq
	f.published = keep(append(f.published, at), f.rateMax+1)
}

// Outcome notes where an outcome of the tenant stands; they come in their order. One whose
// place is not known yet comes with 0, and [Flood.Stood] tells it.
func (f *Flood) Outcome(seq uint64) {
	if f.backlogMax > 0 {
		f.outcomes = keep(append(f.outcomes, seq), f.backlogMax)
	}
}

// Stood tells where the last outcome stands.
func (f *Flood) Stood(seq uint64) {
	if n := len(f.outcomes); n > 0 && f.outcomes[n-1] == 0 {
		f.outcomes[n-1] = seq
	}
}

// Unsure says that the last outcome's place has to be told before an intent can be checked.
func (f *Flood) Unsure() bool { return f.backlogMax == 1 && len(f.outcomes) == 1 && f.outcomes[0] == 0 }

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
