package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/plant"
)

// errTerms says that the intent at hand has to be looked at again from its beginning: the
// tenant's terms changed, or do not let the request go that was about to be made.
var errTerms = errors.New("session: look at the terms again")

// obey takes over the terms that the shard sent last, if it sent any since. From then on the
// session makes no request that they do not allow, and the shard is told so. open says that a
// request from before has no answer.
func (s *Session) obey(ctx context.Context, open bool) (changed bool) {
	select {
	case terms := <-s.changes:
		s.adopt(ctx, terms, open)
		return true
	default:
		return false
	}
}

func (s *Session) adopt(ctx context.Context, terms *tenant.Terms, open bool) {
	if !plant.Is(plant.Halt) {
		s.terms = terms
		s.checks.adopt(terms)
	}
	if s.notes != nil {
		s.note(ctx, Note{Obeys: terms, Open: open})
	}
}

// permit says whether the tenant's mode lets an intent be carried out. It returns the outcome
// of one that is refused. What may be at the broker already is found out first.
func (s *Session) permit(ctx context.Context, t *task) (*order.Outcome, error) {
	s.obey(ctx, t.open)
	hand, ok := s.terms.Hand(time.Now())
	switch {
	case !ok, t.open && makesOrder(t.intent.Kind):
	case hand.Mode == tenant.Pause:
		t.course.aside = order.Wait{Why: order.WhyPaused, From: time.Now()}
		s.wake, s.paused = hand.Until, true
		return nil, errAside
	case hand.Mode == tenant.Halt && makesOrder(t.intent.Kind):
		t.outcome.Rule = RuleHalted
		return t.end(order.Blocked, fmt.Sprintf("by %s: %s (%s)", hand.By, hand.Reason, hand.Scope)), nil
	}
	return nil, nil
}

// makesOrder says that an intent of a kind may leave another order at the broker than there
// was.
func makesOrder(k order.Kind) bool { return k != order.KindCancel && k != order.KindCancelAll }

// lets says that the tenant's mode lets a request go.
func (s *Session) lets(call order.Call) bool {
	if call.Asks() {
		return true
	}
	switch s.terms.Mode(time.Now()) {
	case tenant.Pause:
		return false
	case tenant.Halt:
		return !changes(call)
	case tenant.Run, tenant.ReduceOnly: // whose orders the checks look at
	}
	return true
}
