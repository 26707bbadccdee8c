package session

import (
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// State is what a session leaves to the next one of its tenant in this process, so that a
// tenant gains no request by taking turns with others. The zero value is that of a tenant
// that had none. Only sessions look inside.
type State struct {
	limiter limiter
	breaker breaker
	begun   begun
	checks  checks
}

// begun is what became so far of an intent that its session began and did not end.
type begun struct {
	seq                 uint64 // 0: there is none
	attempts            int
	received, submitted time.Time
	answered            broker.Verdict
	problem             string
	delay               backoff
	course              course
	wake                time.Time // until when its session was set aside, if it was
}

// Spent says that the zero value will do as well by now.
func (st *State) Spent(now time.Time) bool {
	return st.begun.seq == 0 && st.checks.calm(now) && st.limiter.calm(now) && st.breaker.calm(now)
}

// State is what the session leaves. Read it when Run has returned.
func (s *Session) State() State {
	if s.under != nil { // whether the ledger has it is not known
		s.checks.forget()
	}
	return State{s.limiter, s.breaker, s.begun, s.checks}
}

// Doubt says which of a tenant's next intents may be at the broker without an outcome that
// tells of it.
type Doubt struct {
	// Intents is how many of the next ones, none behind sequence number Last.
	Intents int
	Last    uint64
	// Since is when the last request for one of them was written, at the latest.
	Since time.Time
}

// Suspects is how many intents an owner can have had at the broker
// without an outcome: one being submitted, and one whose outcome was on its way.
const Suspects = 2

// about says that an intent is in doubt.
func (d *Doubt) about(seq uint64) bool { return d.Intents > 0 && seq <= d.Last }

// add brings the next intent in, for which a request was written at since.
func (d *Doubt) add(seq uint64, since time.Time) {
	d.Intents, d.Last = max(d.Intents, 1), max(d.Last, seq)
	if since.After(d.Since) {
		d.Since = since
	}
}

// ended notes that the next intent has its outcome.
func (d *Doubt) ended() {
	if d.Intents--; d.Intents <= 0 {
		*d = Doubt{}
	}
}
