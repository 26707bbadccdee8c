package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/order"
)

// The least time that is told as a wait behind other intents, and as one for nothing that is
// known.
const (
	worthTelling = 10 * time.Millisecond
	worthAsking  = 50 * time.Millisecond
)

// steps are what happened with an intent, in its order.
func (c *chapter) steps() []Step {
	first := c.step(Published, c.Published, 0, c.published())
	if c.Outcome == nil {
		return append([]Step{first}, c.outside()...)
	}
	o := c.Outcome
	tries := c.tries()
	middle := append(c.outside(), c.idle()...)
	if !o.Received.IsZero() {
		middle = append(middle, c.step(Received, o.Received, 0, fmt.Sprintf("by worker %s, epoch %d", o.Worker, o.Epoch)))
	}
	middle = append(middle, c.checked(tries))
	if o.Course != nil {
		for _, w := range o.Course.Waits {
			middle = append(middle, c.waited(w))
		}
	}
	for i := range tries {
		middle = append(middle, c.tried(tries, i))
	}
	if !o.Answered.IsZero() {
		middle = append(middle, c.step(Answered, o.Answered, 0, c.answered()))
	}
	slices.SortStableFunc(middle, func(a, b Step) int { return a.At.Compare(b.At) })
	return append(append([]Step{first}, middle...), c.step(Committed, o.Committed, 0, c.committed(tries)))
}

func (c *chapter) step(stage Stage, at time.Time, took time.Duration, text string) Step {
	return Step{Stage: stage, At: at, Took: took, Seq: c.Seq, Text: text}
}

func (c *chapter) published() string {
	text := fmt.Sprintf("sequence %d", c.Seq)
	if c.By != "" {
		text = "by " + c.By + ", " + text
	}
	in := c.Intent.Intent
	if in == nil {
		return text + ": " + c.Problem
	}
	if by := in.Labels[fleetctl.LabelRetryBy]; in.RetryOf != "" && by != "" {
		text += fmt.Sprintf("; again on the word of %s: %s", by, in.Labels[fleetctl.LabelRetryReason])
	}
	switch good := in.ExpiresAt.Sub(c.Published); {
	case in.ExpiresAt.IsZero():
		return text + "; without an expiry"
	case good <= 0:
		return fmt.Sprintf("%s; expired %s before", text, Brief(-good))
	default:
		return fmt.Sprintf("%s; good for %s", text, Brief(good))
	}
}

// outside is what happened on the shard meanwhile: other workers took it, operators spoke.
func (c *chapter) outside() []Step {
	var all []Step
	for _, o := range c.taken {
		all = append(all, c.step(Taken, o.at, 0, fmt.Sprintf("worker %s took the shard, epoch %d", o.Worker, o.Epoch.Epoch)))
	}
	for _, s := range c.said {
		one := s.step()
		one.Seq = c.Seq
		all = append(all, one)
	}
	return all
}

// step is what an operator said.
func (s said) step() Step {
	return Step{Stage: Said, At: s.at, Text: fmt.Sprintf("%s, by %s: %s", s.Verb, s.By, s.Reason)}
}

// idle is what the ledger itself shows of why an intent was not taken up at once.
func (c *chapter) idle() []Step {
	var all []Step
	ready := c.Published // from then on nothing that we know stood before it
	wait := func(why order.Why, until time.Time, least time.Duration, detail string) {
		if d := until.Sub(ready); d <= 0 || d < least {
			return
		}
		s := c.waited(order.Wait{Why: why, From: ready, Until: until})
		s.Text += detail
		all = append(all, s)
		ready = until
	}
	if c.before != nil {
		wait(whyBehind, c.before.committed, worthTelling, fmt.Sprintf("; the last one was %s", name(c.before.id, 0)))
	}
	if h := c.hold; h != nil && h.release != nil {
		wait(whyHeld, h.release.at, 0, fmt.Sprintf(": %s; %s by %s: %s", name(h.failed.id, 0), h.release.Verb, h.release.By, h.release.Reason))
	}
	if n := len(c.taken); n > 0 {
		wait(whyOwner, c.taken[n-1].at, 0, "")
	}
	if !c.Outcome.Received.IsZero() {
		wait(whyTurn, c.Outcome.Received, worthAsking, "")
	}
	return all
}

func (c *chapter) waited(w order.Wait) Step {
	text := why(w.Why)
	if w.Aside {
		text += "; others had its place"
	}
	s := c.step(Waited, w.From, w.Until.Sub(w.From), text)
	s.Wait = &w
	return s
}

// checked is what came of the checks before any request.
func (c *chapter) checked(tries []order.Try) Step {
	o := c.Outcome
	problem := c.unfit(tries)
	if problem == "" {
		at := o.Committed
		if !o.Answered.IsZero() {
			at = o.Answered
		}
		if len(tries) > 0 {
			at = tries[0].At
		}
		if o.Course != nil && len(o.Course.Waits) > 0 && o.Course.Waits[0].From.Before(at) {
			at = o.Course.Waits[0].From
		}
		return c.step(Checked, at, 0, "well-formed, its id new, in time")
	}
	return c.step(Checked, o.Committed, 0, problem+c.because())
}

// unfit says what the checks before any request had against an intent; empty if they passed.
func (c *chapter) unfit(tries []order.Try) string {
	if c.Outcome.Status == order.Expired && len(tries) > 0 {
		return ""
	}
	return checks[c.Outcome.Status]
}

// because is why an intent ended as it did, behind a colon; empty if nobody said.
func (c *chapter) because() string {
	o := c.Outcome
	var parts []string
	if o.Rule != "" {
		parts = append(parts, "rule "+o.Rule)
	}
	if o.Message != "" {
		parts = append(parts, o.Message)
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ": ")
}

// tries are the requests for an intent. An outcome that tells of none had one at most, or is
// of an older worker, which told of the last one.
func (c *chapter) tries() []order.Try {
	o := c.Outcome
	if o.Course != nil && len(o.Course.Tries) > 0 {
		return o.Course.Tries
	}
	if o.Submitted.IsZero() {
		return nil
	}
	t := order.Try{Call: order.CallPlace, At: o.Submitted, Ended: o.Answered, HTTPStatus: o.HTTPStatus, Code: o.Code, RequestID: o.RequestID}
	switch o.Kind {
	case order.KindReplace:
		t.Call = order.CallReplace
	case order.KindCancel:
		t.Call = order.CallCancel
	case order.KindCancelAll:
		t.Call = order.CallCancelAll
	default:
	}
	switch o.Status {
	case order.Accepted:
		t.Verdict = order.VerdictAccepted
	case order.Rejected:
		t.Verdict = order.VerdictRejected
	default:
		t.Verdict = order.VerdictUnknown
	}
	return []order.Try{t}
}

// tried is one of the requests.
func (c *chapter) tried(tries []order.Try, i int) Step {
	t := tries[i]
	stage := Submitted
	if t.Call.Asks() {
		stage = LookedUp
	}
	took := time.Duration(0)
	if !t.Ended.IsZero() {
		took = t.Ended.Sub(t.At)
	}
	verdict := word(verdicts, t.Verdict)
	if stage == LookedUp && t.Verdict == order.VerdictUnknown {
		verdict = noAnswer
	}
	text := word(calls, t.Call) + c.number(tries, i) + ": " + verdict
	for _, part := range []string{status(t.HTTPStatus, t.Code), t.Problem} {
		if part != "" {
			text += "; " + part
		}
	}
	if t.RequestID != "" {
		text += "; request id " + t.RequestID
	}
	s := c.step(stage, t.At, took, text)
	s.Try = &t
	return s
}

// number says which of several requests of its kind one is, with those that are left out.
func (c *chapter) number(tries []order.Try, i int) string {
	omitted := 0
	if c.Outcome.Course != nil {
		omitted = c.Outcome.Course.TriesOmitted
	}
	if omitted > 0 {
		place := i + 1
		if i >= order.CourseHead {
			place += omitted
		}
		return fmt.Sprintf(" (request %d of %d)", place, len(tries)+omitted)
	}
	if len(tries) == 1 && c.Outcome.Attempts > 1 {
		return fmt.Sprintf(" (the last of %d requests)", c.Outcome.Attempts)
	}
	return ""
}

func status(http, code int) string {
	switch {
	case http == 0:
		return ""
	case code == 0:
		return fmt.Sprintf("HTTP %d", http)
	}
	return fmt.Sprintf("HTTP %d, code %d", http, code)
}

func (c *chapter) answered() string {
	o := c.Outcome
	text := string(o.Status) + c.because()
	if o.Recovered {
		text += " (found there after an answer, or a worker, was lost)"
	}
	if o.BrokerOrderID != "" {
		text += "; broker order " + o.BrokerOrderID
	}
	return text
}

func (c *chapter) committed(tries []order.Try) string {
	o := c.Outcome
	text := fmt.Sprintf("%s: %s; sequence %d, by worker %s, epoch %d", o.Status, cmp.Or(ends[o.Status], "a status of a newer release"), c.OutcomeSeq, o.Worker, o.Epoch)
	if o.Answered.IsZero() && c.unfit(tries) == "" {
		text += c.because()
	}
	if o.DuplicateOf != 0 {
		text += fmt.Sprintf("; the first is at sequence %d", o.DuplicateOf)
	}
	if o.Course != nil && o.Course.WaitsOmitted > 0 {
		text += fmt.Sprintf("; %d of its waits are left out", o.Course.WaitsOmitted)
	}
	if len(c.taken) > 0 {
		text += "; what owners before it asked of the broker is not known"
	}
	return text
}

// changed is another intent that replaces or cancels the order.
func (c *chapter) changed() Step {
	what := "changed"
	if in := c.Intent.Intent; in != nil {
		what = string(in.Kind)
	}
	text := fmt.Sprintf("%s by %s, sequence %d: ", what, name(c.ID, c.Seq), c.Seq)
	if c.Outcome == nil {
		return c.step(Changed, c.Published, 0, text+string(Due))
	}
	return c.step(Changed, c.Published, c.Outcome.Committed.Sub(c.Published), text+string(c.Outcome.Status)+c.because())
}

// step is what the broker said of the order later.
func (u update) step() Step {
	text := u.Event
	if u.leg {
		text = strings.Join(strings.Fields(fmt.Sprintf("leg %s %s %s", u.Side, u.Symbol, u.Event)), " ")
	}
	if u.Qty != nil && u.Price != nil {
		text += fmt.Sprintf(": %s at %s", u.Qty, u.Price)
	}
	if u.FilledQty != nil && !u.FilledQty.IsZero() {
		text += fmt.Sprintf("; %s filled in all", u.FilledQty)
	}
	if u.Derived {
		text += " (from the order's totals)"
	}
	if u.ReplacedBy != "" {
		text += "; replaced by broker order " + u.ReplacedBy
	}
	if u.OrderStatus != "" && u.OrderStatus != u.Event {
		text += "; the order is " + u.OrderStatus
	}
	at := u.At
	if at.IsZero() {
		at = u.at
	}
	return Step{Stage: Updated, At: at, Text: text, Update: &u.Update}
}

// name is what people call an intent.
func name(id string, seq uint64) string {
	if id == "" {
		return fmt.Sprintf("#%d", seq)
	}
	return "intent " + id
}

// merge makes one list in the order of time of several, each of which stays in its order.
func merge(lists [][]Step) []Step {
	var all []Step
	for {
		next := -1
		for i, l := range lists {
			if len(l) > 0 && (next < 0 || l[0].At.Before(lists[next][0].At)) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		all = append(all, lists[next][0])
		lists[next] = lists[next][1:]
	}
	for i := 1; i < len(all); i++ {
		all[i].After = all[i].At.Sub(all[i-1].At)
	}
	return all
}
