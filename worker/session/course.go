package session

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// worthTelling is the least wait that an outcome tells of.
const worthTelling = 10 * time.Millisecond

// course keeps what the outcome of a task will tell of the way to it. An intent that goes
// through at its first request, without waiting, costs nothing here: the outcome's own fields
// say it all.
type course struct {
	told  *order.Course // nil while there is nothing to tell
	first order.Try     // the only one so far, which the outcome tells; zero if there is none

	// aside is the wait for which the session was set aside, until the next one begins.
	aside order.Wait
}

// verdicts are the broker's verdicts in the words of the ledger.
var verdicts = [...]order.Verdict{
	broker.Unknown:    order.VerdictUnknown,
	broker.Accepted:   order.VerdictAccepted,
	broker.Found:      order.VerdictFound,
	broker.NotFound:   order.VerdictNotFound,
	broker.Rejected:   order.VerdictRejected,
	broker.RetryAfter: order.VerdictRetryAfter,
	broker.Unsent:     order.VerdictUnsent,
	broker.Expired:    order.VerdictExpired,
}

// tried notes a request.
func (c *course) tried(call order.Call, v broker.Verdict) {
	try := order.Try{
		Call: call, At: v.Submitted, Ended: v.Answered, Verdict: verdicts[v.Kind],
		HTTPStatus: v.HTTPStatus, Code: v.Code, RequestID: v.RequestID,
	}
	if try.Ended.IsZero() {
		try.Ended = time.Now()
	}
	if try.At.IsZero() {
		try.At = try.Ended
	}
	switch v.Kind {
	case broker.Accepted, broker.Found, broker.NotFound, broker.Expired: // the verdict says it
	default:
		try.Problem = v.Message
	}
	if c.told == nil && c.first.Call == "" && decisive(try) {
		c.first = try
		return
	}
	c.tell().Tried(try)
}

// decisive says that a request, if it is the only one, is all told by its outcome's own fields.
func decisive(t order.Try) bool {
	return !t.Call.Asks() && (t.Verdict == order.VerdictAccepted || t.Verdict == order.VerdictRejected)
}

// waited notes a wait.
func (c *course) waited(w order.Wait) {
	if w.Until.Sub(w.From) >= worthTelling {
		c.tell().Waited(w)
	}
}

// tell is what the outcome will tell, from now on not nothing.
func (c *course) tell() *order.Course {
	if c.told == nil {
		c.told = new(order.Course)
		if c.first.Call != "" {
			c.told.Tried(c.first)
		}
	}
	return c.told
}

// goOn notes that the next session begins where the last one was set aside until a moment:
// what came after that was the wait for a place.
func (c *course) goOn(wake, now time.Time) {
	w := c.aside
	if c.aside = (order.Wait{}); w.Why == "" {
		return
	}
	w.Until, w.Aside = now, true
	if !wake.IsZero() && wake.Before(now) {
		w.Until = wake
	}
	c.waited(w)
	c.waited(order.Wait{Why: order.WhyPlace, From: w.Until, Until: now, Aside: true})
}
