package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/risk"
)

// maxReplacements bounds how far a chain of replaced orders is followed.
const maxReplacements = 100

// replace changes the order of an earlier intent. The broker books a replacement as
// an order of its own, which bears this intent's id.
func (s *Session) replace(ctx context.Context, t *task) (*order.Outcome, error) {
	differences := func(booked *broker.Order) []string {
		return broker.ChangeDifferences(t.id, t.intent.Order, booked)
	}
	if t.ambiguous { // before the target is asked for: it may be replaced already
		o, err := s.resolve(ctx, t, booking{differences: differences})
		if o != nil || err != nil {
			return o, err
		}
	}
	target, o, err := s.target(ctx, t)
	if o != nil || err != nil {
		return o, err
	}
	return s.drive(ctx, t, booking{
		call:   order.CallReplace,
		order:  risk.Changed(target.Order, t.intent.Order),
		target: target,
		send: func(ctx context.Context) broker.Verdict {
			return s.client.Replace(ctx, target.ID, t.id, t.intent.Order, s.notAfter(t))
		},
		differences: differences,
	})
}

// target looks up the order that a replace or cancel names, as it stands now: the
// last of its replacements. It returns an outcome if there is none.
func (s *Session) target(ctx context.Context, t *task) (*broker.Order, *order.Outcome, error) {
	id := order.ClientOrderID(s.tenant, t.intent.Target)
	v, o, err := s.inquire(ctx, t, order.CallLookup, func(ctx context.Context) broker.Verdict { return s.client.ByClientID(ctx, id) })
	if o == nil && err == nil && v.Kind == broker.NotFound {
		if id, err = s.retried(ctx, t); err == nil && id != "" {
			v, o, err = s.inquire(ctx, t, order.CallLookup, func(ctx context.Context) broker.Verdict { return s.client.ByClientID(ctx, id) })
		}
	}
	for range maxReplacements {
		switch {
		case o != nil || err != nil:
			return nil, o, err
		case v.Kind == broker.NotFound:
			return nil, t.answer(order.Rejected, v), nil
		case v.Order.ReplacedBy == "":
			return v.Order, nil, nil
		}
		next := v.Order.ReplacedBy
		v, o, err = s.inquire(ctx, t, order.CallLookup, func(ctx context.Context) broker.Verdict { return s.client.ByID(ctx, next) })
	}
	return nil, s.failed(t, fmt.Sprintf("the order of intent %s was replaced more than %d times", t.intent.Target, maxReplacements)), nil
}

// retried is the client order id of a target that drove an earlier intent again, and whose
// order bears that one's id; empty if it is no such intent.
func (s *Session) retried(ctx context.Context, t *task) (string, error) {
	e, err := persist(ctx, s, "search the ledger", s.pause, func() (ledger.Entry, error) {
		return s.cfg.Ledger.FindIntent(ctx, s.shard, s.tenant, t.intent.Target, t.outcome.IntentSeq)
	})
	if errors.Is(err, ledger.ErrNone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if in, err := order.DecodeIntent(e.Data); err == nil && in.RetryOf != "" {
		return in.ClientOrderID(s.tenant), nil
	}
	return "", nil // an intent that makes no sense has no order
}

// lookup inquires for something that must be there: if it is not, that is the outcome.
func (s *Session) lookup(ctx context.Context, t *task, call order.Call, ask func(ctx context.Context) broker.Verdict) (broker.Verdict, *order.Outcome, error) {
	v, o, err := s.inquire(ctx, t, call, ask)
	if o == nil && err == nil && v.Kind == broker.NotFound {
		o = t.answer(order.Rejected, v)
	}
	return v, o, err
}

// inquire asks the broker until it says whether it has something, at most until the intent
// expires, or longer if an earlier request is unaccounted for. It returns an outcome if the
// broker does not say so.
func (s *Session) inquire(ctx context.Context, t *task, call order.Call, ask func(ctx context.Context) broker.Verdict) (broker.Verdict, *order.Outcome, error) {
	until := t.intent.ExpiresAt
	if t.ambiguous {
		until = s.deadline(t)
	}
	for {
		v, err := s.request(ctx, t, call, until, ask)
		switch {
		case err != nil:
			return v, nil, err
		case v.Kind == broker.Found, v.Kind == broker.NotFound:
			return v, nil, nil
		case v.Kind == broker.Rejected && t.open: // it says nothing of the earlier request
			return v, s.failed(t, "an earlier request is unaccounted for, and the broker refuses to be asked: "+problem(v)), nil
		case v.Kind == broker.Rejected:
			return v, t.answer(order.Rejected, v), nil
		case time.Now().Before(until):
		case t.ambiguous:
			return v, s.failed(t, fmt.Sprintf("an earlier request is unaccounted for, and the broker could not be asked until %s after its expiry", s.cfg.Grace)), nil
		default:
			return v, t.tooLate("its time ran out before the broker could be asked"), nil
		}
		if err := s.rest(ctx, t, order.WhyBackOff, until); err != nil {
			return v, nil, err
		}
	}
}
