package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	RuleHalted               = "halted"
)

// decide drives an intent to its outcome. It fails only where the intent has to be
// left as it is: when the session drains (errEnd), when it is about to wait and others want
// its place (errAside), or when ctx ends.
func (s *Session) decide(ctx context.Context, it Item) (*order.Outcome, error) {
	t := s.newTask(it)
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
	case s.doubt.about(it.Intent.Seq) && !plant.Is(plant.Suspects):
		t.lost(s.doubt.Since)
		t.inherited = t.outcome.Attempts == 0
	case t.intent.RetryOf != "" && t.id != "":
		t.lost(it.Intent.Time) // the order may be there since the first try
	}
	o, err := s.attempt(ctx, t)
	for errors.Is(err, errTerms) {
		o, err = s.attempt(ctx, t)
	}
	if err != nil {
		s.begun = t.begun(s.wake)
		if t.ambiguous {
			s.doubt.add(it.Intent.Seq, t.since)
		}
	}
	return o, err
}

// attempt drives an intent to its outcome under the terms as they are; errTerms if these are
// to be looked at again.
func (s *Session) attempt(ctx context.Context, t *task) (*order.Outcome, error) {
	if !t.ambiguous && t.expired(time.Now()) {
		return t.end(order.Expired, "its time ran out before it was taken up"), nil
	}
	if o, err := s.permit(ctx, t); o != nil || err != nil {
		return o, err
	}
	if o, err := s.admit(ctx, t); o != nil || err != nil {
		return o, err
	}
	if o, err := s.connect(ctx, t); o != nil || err != nil {
		return o, err
	}
	return s.carryOut(ctx, t)
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
	e, err := persist(ctx, s, "read an earlier intent", s.pause, func() (ledger.Entry, error) {
		return s.cfg.Ledger.At(ctx, s.shard, it.First)
	})
	switch {
	case errors.Is(err, ledger.ErrNone):
		return 0, nil // retention removed it: the broker knows the id
	case err != nil:
		return 0, err
	case e.Class == ledger.Intents && e.Tenant == s.tenant && order.PeekID(e.Data) == order.PeekID(it.Intent.Data):
		return it.First, nil
	}
	return 0, nil // two ids with one fingerprint
}

// connect makes sure that the session has a line to its broker. It returns the outcome of
// an intent whose tenant has none.
func (s *Session) connect(ctx context.Context, t *task) (*order.Outcome, error) {
	err := s.dial(ctx)
	if err == nil {
		return nil, nil
	}
	switch { // which says nothing of the tenant
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errEnd):
		return nil, err
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

// dial makes the line to the broker that the session then owns, unless it has one. A line of
// other terms goes, and one whose keys the broker did not know: the tenant may have others by
// now.
func (s *Session) dial(ctx context.Context) error {
	if s.client != nil && (s.disowned || s.line != s.terms.Line) {
		s.hangup()
		s.client, s.member = nil, nil
	}
	s.disowned = false
	if s.client != nil {
		return nil
	}
	line, err := s.way(ctx)
	if err != nil {
		return err
	}
	member, down, err := s.cfg.Outages.Join(ctx, line.Address)
	if err != nil {
		line.Client.Close() // and with it its copy of the keys
		return err
	}
	s.client, s.member, s.line, s.keys = line.Client, member, s.terms.Line, line.Keys
	s.holds = line.HoldOnFailed
	s.limiter.bound(line.PerMinute)
	if down && !s.breaker.open {
		s.log.Warn().Msg("breaker open from the start: the broker is down for all")
		s.breaker.open = true
	}
	if s.breaker.open {
		s.member.Failing(ctx)
	}
	return nil
}

// way asks for the tenant's line to its broker. Trouble with the server where the keys are kept
// says nothing of the tenant: it is waited for, as for the ledger.
func (s *Session) way(ctx context.Context) (line broker.Line, err error) {
	var final error
	line, err = persist(ctx, s, "read the tenant's keys", s.pause, func() (broker.Line, error) {
		line, err := s.cfg.Connect(ctx, s.tenant)
		if ledger.Transient(err) {
			return line, err
		}
		final = err
		return line, nil
	})
	return line, cmp.Or(err, final)
}

// notAfter is the last moment at which a request for the intent may be written: before it
// expires, and while the shard is surely ours. It is a moment of the monotonic clock, by
// which the lease runs; the wall clock, by which intents expire, may be set meanwhile.
func (s *Session) notAfter(t *task) time.Time {
	if plant.Is(plant.Expiry) || plant.Is(plant.Fence) {
		return time.Time{}
	}
	now := time.Now()
	left := t.intent.ExpiresAt.Sub(now)
	if until := s.until(); !until.IsZero() {
		left = min(left, until.Sub(now))
	}
	return now.Add(left)
}

// late judges a request that was not written because notAfter had passed: the intent has
// expired, or the session has to wait until it may write again.
func (s *Session) late(ctx context.Context, t *task) (*order.Outcome, error) {
	if t.expired(time.Now()) {
		return t.tooLate("its time ran out before the request was written"), nil
	}
	from := time.Now()
	err := s.await(ctx)
	t.course.waited(order.Wait{Why: order.WhySilence, From: from, Until: time.Now()})
	return nil, err
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
