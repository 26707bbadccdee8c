package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/plant"
)

// The rules that block an intent.
const (
	RuleUnknownTenant        = "unknown_tenant"
	RuleNoCredentials        = "no_credentials"
	RuleTenantConfig         = "tenant_config"
	RuleCloseExceedsPosition = "close_exceeds_position"
)

// task is one intent being driven to its outcome.
type task struct {
	intent  order.Intent
	id      string // the client order id that its order bears
	outcome order.Outcome

	// ambiguous says that a request for it, ours or an earlier owner's, was at some
	// time unaccounted for.
	ambiguous bool
	// since is when that began, until the request is accounted for; then zero.
	since time.Time

	answered broker.Verdict // the last answer of the broker
	problem  string         // the last time that there was none, or none of use
}

// note remembers what became of a request, for an outcome that somebody must look at.
func (t *task) note(v broker.Verdict) {
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
func (t *task) lost(at time.Time) { t.ambiguous, t.since = true, at }

func (s *Session) newTask(it Item) *task {
	return &task{outcome: order.Outcome{
		Version:   order.Version,
		IntentID:  order.PeekID(it.Intent.Data),
		IntentSeq: it.Intent.Seq,
		Worker:    s.cfg.Worker,
		Epoch:     s.epoch,
		Published: it.Intent.Time,
		Received:  it.received,
	}}
}

// decide drives an intent to its outcome. It fails only where the intent has to be
// left as it is: when the session drains (errEnd) or ctx ends.
func (s *Session) decide(ctx context.Context, it Item) (*order.Outcome, error) {
	t := s.newTask(it)
	if st := s.state; st != nil && st.seq == it.Intent.Seq {
		t.outcome.Attempts = st.attempts
	}
	if err := s.read(t, it.Intent.Data); err != nil {
		return t.end(order.Invalid, err.Error()), nil
	}
	first, err := s.firstUse(ctx, it)
	if err != nil {
		return nil, err
	}
	if first != 0 {
		return t.duplicateOf(first), nil
	}
	switch {
	case s.doubt.Intents > 0 && it.Intent.Seq <= s.doubt.End && !plant.Is(plant.Suspects):
		t.lost(s.doubt.Before)
	case t.intent.RetryOf != "" && t.id != "":
		t.lost(it.Intent.Time) // the order may be there since the first try
	}
	if !t.ambiguous && t.expired(time.Now()) {
		return t.end(order.Expired, "its time ran out before it was taken up"), nil
	}
	if o, err := s.connect(ctx, t); o != nil || err != nil {
		return o, err
	}
	o, err := s.carryOut(ctx, t)
	if _, waits := aside(err); waits {
		s.attempts = t.outcome.Attempts
		if !t.since.IsZero() {
			s.suspect(t)
		}
		return nil, err
	}
	s.doubtful = err != nil && t.ambiguous
	return o, err
}

// carryOut does at the broker what an intent asks for.
func (s *Session) carryOut(ctx context.Context, t *task) (*order.Outcome, error) {
	switch t.intent.Kind {
	case order.KindOrder:
		return s.place(ctx, t)
	case order.KindReplace:
		return s.replace(ctx, t)
	case order.KindCancel:
		return s.cancel(ctx, t)
	case order.KindCancelAll:
		return s.cancelAll(ctx, t)
	case order.KindClosePosition:
		return s.closePosition(ctx, t)
	}
	return t.end(order.Invalid, fmt.Sprintf("kind: %q is not known", t.intent.Kind)), nil
}

// read decodes and checks an intent. Whatever can be read goes into the outcome.
func (s *Session) read(t *task, data []byte) error {
	if err := order.ValidTenant(s.tenant); err != nil {
		return fmt.Errorf("tenant %q: %w", s.tenant, err)
	}
	if want := s.cfg.Ledger.ShardOf(s.tenant); want != s.shard {
		return fmt.Errorf("published to shard %d, but the tenant's shard is %d: publish to %s", s.shard, want, ledger.PublishSubject(s.tenant))
	}
	in, err := order.DecodeIntent(data)
	if err != nil {
		return err
	}
	t.intent = in
	if err := in.Validate(); err != nil {
		return err
	}
	t.outcome.Kind = in.Kind
	if in.Kind != order.KindCancel && in.Kind != order.KindCancelAll {
		t.id = in.ClientOrderID(s.tenant)
		t.outcome.ClientOrderID = t.id
	}
	return nil
}

// firstUse checks the shard's hint that the id was used before at the ledger.
func (s *Session) firstUse(ctx context.Context, it Item) (uint64, error) {
	if it.First == 0 {
		return 0, nil
	}
	var b backoff
	for {
		e, err := s.cfg.Ledger.At(ctx, s.shard, it.First)
		switch {
		case err == nil:
			if e.Class == ledger.Intents && e.Tenant == s.tenant && order.PeekID(e.Data) == order.PeekID(it.Intent.Data) {
				return it.First, nil
			}
			return 0, nil // two ids with one fingerprint
		case errors.Is(err, ledger.ErrNone):
			return 0, nil // retention removed it: the broker knows the id
		}
		s.again(&b, err, "cannot read an earlier intent; trying again")
		if err := s.pause(ctx, b.next()); err != nil {
			return 0, err
		}
	}
}

// connect makes sure that the session has a line to its broker. It returns the outcome of
// an intent whose tenant has none.
func (s *Session) connect(ctx context.Context, t *task) (*order.Outcome, error) {
	err := s.dial(ctx)
	if err == nil {
		return nil, nil
	}
	if ctx.Err() != nil { // which says nothing of the tenant
		return nil, context.Cause(ctx)
	}
	if t.ambiguous {
		return s.failed(t, fmt.Sprintf("an earlier worker may have submitted it, and the broker cannot be asked: %v", err)), nil
	}
	switch {
	case errors.Is(err, tenant.ErrUnknown):
		t.outcome.Rule = RuleUnknownTenant
	case errors.Is(err, tenant.ErrNoCredentials):
		t.outcome.Rule = RuleNoCredentials
	default:
		t.outcome.Rule = RuleTenantConfig
	}
	return t.end(order.Blocked, err.Error()), nil
}

// dial makes the line to the broker that the session then owns, unless it has one.
func (s *Session) dial(ctx context.Context) error {
	if s.client != nil {
		return nil
	}
	name := s.tenant
	if plant.Is(plant.Account) {
		name = "planted"
	}
	line, err := s.cfg.Connect(ctx, name)
	if err != nil {
		return err
	}
	member, down, err := s.cfg.Outages.Join(ctx, line.Address)
	if err != nil {
		return err
	}
	s.client, s.member = line.Client, member
	s.limiter, s.holds = newLimiter(line.PerMinute), line.HoldOnFailed
	if s.state != nil {
		s.breaker, s.limiter = s.state.breaker, s.state.limiter
	}
	if down && !s.breaker.open {
		s.log.Warn().Msg("breaker open from the start: the broker is down for all")
		s.breaker.open = true
	}
	if s.breaker.open {
		s.member.Failing(ctx)
	}
	return nil
}

// end finishes a task with a status and a message for people.
func (t *task) end(status order.Status, message string) *order.Outcome {
	t.outcome.Status = status
	t.outcome.Message = clip(message)
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

// failed finishes a task that somebody must look at, with all that is known.
func (s *Session) failed(t *task, why string) *order.Outcome {
	if o, v := &t.outcome, t.answered; o.HTTPStatus == 0 {
		o.HTTPStatus, o.Code, o.RequestID, o.Answered = v.HTTPStatus, v.Code, v.RequestID, v.Answered
	}
	if t.problem != "" {
		why += ": " + t.problem
	}
	s.log.Error().Str("intent", t.outcome.IntentID).Uint64("intent_seq", t.outcome.IntentSeq).Msg("intent failed: " + why)
	return t.end(order.Failed, why)
}

func (t *task) expired(now time.Time) bool {
	return !now.Before(t.intent.ExpiresAt) && !plant.Is(plant.Expiry)
}

// notAfter is the last moment at which a request for the intent may be written: before it
// expires, and while the shard is surely ours.
func (s *Session) notAfter(t *task) time.Time {
	if plant.Is(plant.Expiry) || plant.Is(plant.Fence) {
		return time.Time{}
	}
	// The lease counts by the monotonic clock, and an expiry has none: what is left of
	// both can be compared, even while the clock on the wall is set back.
	if until := s.until(); !until.IsZero() && time.Until(until) < time.Until(t.intent.ExpiresAt) {
		return until
	}
	return t.intent.ExpiresAt
}

// late judges a request that was not written because notAfter had passed: the intent has
// expired, or the session has to wait until it may write again.
func (s *Session) late(ctx context.Context, t *task) (*order.Outcome, error) {
	if t.expired(time.Now()) {
		return t.tooLate("its time ran out before the request was written"), nil
	}
	return nil, s.await(ctx)
}

// tooLate finishes a task whose time ran out.
func (t *task) tooLate(how string) *order.Outcome {
	if t.problem != "" {
		how += "; the last problem: " + t.problem
	}
	return t.end(order.Expired, how)
}

// deadline is the end of the time to find out what became of the intent's requests. An
// intent that was taken up after its expiry gets that time, too.
func (s *Session) deadline(t *task) time.Time {
	from := t.intent.ExpiresAt
	if t.outcome.Received.After(from) {
		from = t.outcome.Received
	}
	return from.Add(s.cfg.Grace)
}

// wrote notes that a request that can change the broker's books was written.
func (t *task) wrote(v broker.Verdict) {
	if v.Submitted.IsZero() {
		return
	}
	t.outcome.Attempts++
	t.outcome.Submitted = v.Submitted
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
