package order

import "time"

// Course is the way to an outcome: the requests that were made for it, and what they waited
// for. It tells of the worker that committed the outcome; what an earlier owner of the shard
// did is not known to the next one.
type Course struct {
	// Tries are the requests, in their order.
	Tries []Try `json:"tries,omitempty"`
	// TriesOmitted is how many are left out behind the first [CourseHead] of them.
	TriesOmitted int `json:"tries_omitted,omitzero"`
	// Waits are what the requests waited for, in their order. Moments are left out.
	Waits []Wait `json:"waits,omitempty"`
	// WaitsOmitted is how many are left out behind the first [CourseHead] of them.
	WaitsOmitted int `json:"waits_omitted,omitzero"`
}

// How many tries, and waits, a [Course] holds at most: the first ones and the last ones.
const (
	CourseHead = 4
	CourseTail = 8
)

// maxTryText bounds each text in a try, in bytes: whatever the broker says, the outcome fits
// into a message.
const maxTryText = 160

// Try is one request of the broker.
type Try struct {
	Call Call `json:"call"`
	// At is when the request was about to be written or, if it was not, when that was clear.
	At time.Time `json:"at"`
	// Ended is when its answer had been read, or when it was clear that there is none.
	Ended   time.Time `json:"ended"`
	Verdict Verdict   `json:"verdict"`
	// HTTPStatus, Code, RequestID are of the answer; 0 or empty without one.
	HTTPStatus int    `json:"http_status,omitzero"`
	Code       int    `json:"code,omitzero"`
	RequestID  string `json:"request_id,omitzero"`
	// Problem is for people: why it came to nothing. Empty if it did not.
	Problem string `json:"problem,omitzero"`
}

// Call is what a request asks of the broker.
type Call string

// The calls.
const (
	CallPlace     Call = "place"
	CallReplace   Call = "replace"
	CallCancel    Call = "cancel"
	CallCancelAll Call = "cancel_all"
	CallLookup    Call = "lookup"   // of an order
	CallPosition  Call = "position" // lookup of a position
)

// Asks says that a request only asks: it can change nothing at the broker.
func (c Call) Asks() bool { return c == CallLookup || c == CallPosition }

// Verdict is what an answer, or the lack of one, proves.
type Verdict string

// The verdicts.
const (
	VerdictAccepted   Verdict = "accepted"
	VerdictFound      Verdict = "found"
	VerdictNotFound   Verdict = "not_found"
	VerdictRejected   Verdict = "rejected"
	VerdictRetryAfter Verdict = "retry_after" // refused for now, nothing was booked
	VerdictUnknown    Verdict = "unknown"     // it may have been booked
	VerdictUnsent     Verdict = "unsent"      // not one byte left
	VerdictExpired    Verdict = "expired"     // its time was over; not one byte left
)

// Wait is a time in which an intent waited.
type Wait struct {
	Why   Why       `json:"why"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Aside: meanwhile the tenant's place was another one's.
	Aside bool `json:"aside,omitzero"`
}

// Why says what is waited for.
type Why string

// The reasons.
const (
	// WhyRateLimit: the tenant's rate limit, or what the broker said of it.
	WhyRateLimit Why = "rate_limit"
	// WhyBackOff: the pause before a request is made again.
	WhyBackOff Why = "back_off"
	// WhyBreaker: the broker failed again and again, for this tenant or for all.
	WhyBreaker Why = "breaker"
	// WhySettle: until an order whose answer was lost has surely not been booked.
	WhySettle Why = "settle"
	// WhyPlace: more tenants have work than a worker serves at once.
	WhyPlace Why = "place"
	// WhySilence: the worker was not sure to own the shard any longer.
	WhySilence Why = "silence"
	// WhyPool: the rate pool that the tenant shares with others.
	WhyPool Why = "pool"
	// WhyPaused: an operator paused the tenant.
	WhyPaused Why = "paused"
)

// Tried adds a request. Its texts are cut short.
func (c *Course) Tried(t Try) {
	t.RequestID, t.Problem = cut(t.RequestID), cut(t.Problem)
	if len(c.Tries) < CourseHead+CourseTail {
		c.Tries = append(c.Tries, t)
		return
	}
	shift(c.Tries, t)
	c.TriesOmitted++
}

// Waited adds a wait. One that goes on where the last one ended, for the same reason and with
// no request between them, makes that one longer.
func (c *Course) Waited(w Wait) {
	if n := len(c.Waits); n > 0 && c.Waits[n-1].goesOn(w) && !c.triedSince(c.Waits[n-1].Until) {
		c.Waits[n-1].Until, c.Waits[n-1].Aside = w.Until, c.Waits[n-1].Aside || w.Aside
		return
	}
	if len(c.Waits) < CourseHead+CourseTail {
		c.Waits = append(c.Waits, w)
		return
	}
	shift(c.Waits, w)
	c.WaitsOmitted++
}

// goesOn says that a wait is the rest of this one.
func (w *Wait) goesOn(next Wait) bool {
	const pause = 10 * time.Millisecond
	return w.Why == next.Why && next.From.Sub(w.Until) < pause
}

func (c *Course) triedSince(t time.Time) bool {
	n := len(c.Tries)
	return n > 0 && c.Tries[n-1].Ended.After(t)
}

// shift drops the first one of the tail and adds one at its end.
func shift[T any](all []T, last T) {
	copy(all[CourseHead:], all[CourseHead+1:])
	all[len(all)-1] = last
}

// cut is a text of at most maxTryText bytes.
func cut(s string) string {
	if len(s) <= maxTryText {
		return s
	}
	end := maxTryText - len("…")
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end] + "…"
}
