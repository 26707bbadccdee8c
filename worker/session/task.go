package session

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/plant"
)

// task is one intent being driven to its outcome.
type task struct {
	intent  order.Intent
	id      string // the client order id that its order bears
	outcome order.Outcome

	// ambiguous says that a request for it, ours or an earlier owner's, was at some
	// time unaccounted for: written at since, or earlier.
	ambiguous bool
	since     time.Time
	// open says that it still is.
	open bool
	// inherited says that it was an earlier owner's, and none was ours.
	inherited bool

	// gate is asked once more when the request that is to be made had to wait; nil: it need not.
	gate func() error

	requests int     // of this session, for this intent
	delay    backoff // between them

	answered broker.Verdict // the last answer of the broker
	problem  string         // the last time that there was none, or none of use
	course   course         // for the outcome to tell
}

// newTask takes an intent up, where the tenant's session before left it.
func (s *Session) newTask(it Item) *task {
	t := &task{outcome: order.Outcome{
		Version:   order.Version,
		IntentID:  order.PeekID(it.Intent.Data),
		IntentSeq: it.Intent.Seq,
		Worker:    s.cfg.Worker,
		Epoch:     s.epoch,
		Published: it.Intent.Time,
		Received:  it.received,
	}}
	if b := s.begun; b.seq == it.Intent.Seq {
		t.outcome.Attempts, t.outcome.Received, t.outcome.Submitted = b.attempts, b.received, b.submitted
		t.answered, t.problem, t.delay, t.course = b.answered, b.problem, b.delay, b.course
		t.course.goOn(b.wake, time.Now())
	}
	s.begun = begun{}
	return t
}

// begun is what became so far of the task, whose session may be set aside until wake.
func (t *task) begun(wake time.Time) begun {
	b := begun{
		seq:       t.outcome.IntentSeq,
		attempts:  t.outcome.Attempts,
		received:  t.outcome.Received,
		submitted: t.outcome.Submitted,
		answered:  t.answered,
		problem:   t.problem,
		delay:     t.delay,
		course:    t.course,
		wake:      wake,
	}
	b.answered.Order, b.answered.Position, b.answered.Canceled = nil, nil, nil
	return b
}

// note remembers what became of a request, for an outcome that somebody must look at.
func (t *task) note(call order.Call, v broker.Verdict) {
	t.requests++
	t.course.tried(call, v)
	if v.HTTPStatus != 0 {
		t.answered = v
	}
	if judge(v) == ill || v.Kind == broker.RetryAfter {
		t.problem = problem(v)
	}
}

// problem says for people why a request came to nothing.
func problem(v broker.Verdict) string {
	if v.HTTPStatus == 0 {
		return v.Message
	}
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", v.HTTPStatus, v.Message))
}

// lost notes that the broker may have booked the intent, and that we do not know: the
// last request for it was written at.
func (t *task) lost(at time.Time) { t.ambiguous, t.open, t.since = true, true, at }

// wrote notes that a request that can change the broker's books was written.
func (t *task) wrote(v broker.Verdict) {
	if v.Submitted.IsZero() {
		return
	}
	t.outcome.Attempts++
	t.outcome.Submitted = v.Submitted
}

func (t *task) expired(now time.Time) bool {
	return !now.Before(t.intent.ExpiresAt) && !plant.Is(plant.Expiry)
}

// end finishes a task with a status and a message for people.
func (t *task) end(status order.Status, message string) *order.Outcome {
	t.outcome.Status = status
	t.outcome.Message = clip(message)
	t.outcome.Course = t.course.told
	return &t.outcome
}

// answer finishes a task with what the broker said.
func (t *task) answer(status order.Status, v broker.Verdict) *order.Outcome {
	t.outcome.HTTPStatus, t.outcome.Code, t.outcome.RequestID = v.HTTPStatus, v.Code, v.RequestID
	if v.Order != nil {
		t.outcome.BrokerOrderID = v.Order.ID
	}
	t.outcome.Answered = v.Answered
	return t.end(status, v.Message)
}

// recovered finishes a task with what a lookup found in the broker's books.
func (t *task) recovered(v broker.Verdict) *order.Outcome {
	t.outcome.Recovered = true
	return t.answer(order.Accepted, v)
}

func (t *task) duplicateOf(first uint64) *order.Outcome {
	t.outcome.DuplicateOf = first
	return t.end(order.Duplicate, fmt.Sprintf("the id was used before, by intent %d", first))
}

// tooLate finishes a task whose time ran out.
func (t *task) tooLate(how string) *order.Outcome {
	if t.problem != "" {
		how += "; the last problem: " + t.problem
	}
	return t.end(order.Expired, how)
}

// failed finishes a task that somebody must look at, with all that is known.
func (s *Session) failed(t *task, why string) *order.Outcome {
	if o, v := &t.outcome, t.answered; o.HTTPStatus == 0 {
		o.HTTPStatus, o.Code, o.RequestID, o.Answered = v.HTTPStatus, v.Code, v.RequestID, v.Answered
	}
	if t.problem != "" {
		why += ": " + t.problem
	}
	if t.intent.Kind == order.KindOrder && t.intent.Order != nil {
		s.weigh(t, *t.intent.Order, "")
	}
	s.log.Error().Str("intent", t.outcome.IntentID).Uint64("intent_seq", t.outcome.IntentSeq).Msg("intent failed: " + why)
	return t.end(order.Failed, why)
}

// maxOutcomeMessage bounds the text in an outcome, in bytes.
const maxOutcomeMessage = 512

func clip(s string) string {
	if len(s) <= maxOutcomeMessage {
		return s
	}
	cut := maxOutcomeMessage - len("…")
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
