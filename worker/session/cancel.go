package session

import (
	"context"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// cancel requests the end of an earlier intent's order. A cancel bears no id that
// could be looked up: the state of the order says what became of it.
func (s *Session) cancel(ctx context.Context, t *task) (*order.Outcome, error) {
	for {
		target, o, err := s.target(ctx, t)
		if o != nil || err != nil {
			return o, err
		}
		t.outcome.BrokerOrderID, t.outcome.ClientOrderID = target.ID, target.ClientOrderID
		if canceled(target) {
			t.outcome.Recovered = t.ambiguous
			return t.end(order.Accepted, "the order is "+target.Status), nil
		}
		v, err := s.request(ctx, t, order.CallCancel, t.intent.ExpiresAt, func(ctx context.Context) broker.Verdict {
			return s.client.Cancel(ctx, target.ID, s.notAfter(t))
		})
		if err != nil {
			return nil, err
		}
		t.wrote(v)
		switch v.Kind {
		case broker.Accepted:
			return t.answer(order.Accepted, v), nil
		case broker.Rejected, broker.NotFound:
			return s.cancelRefused(ctx, t, v)
		case broker.Expired:
			if o, err := s.late(ctx, t); o != nil || err != nil {
				return o, err
			}
			continue
		case broker.Unknown:
			t.lost(time.Now()) // asking twice for the same end is harmless
		default: // it surely was not booked
		}
		if err := s.rest(ctx, t, order.WhyBackOff, t.intent.ExpiresAt); err != nil {
			return nil, err
		}
	}
}

// cancelRefused finishes a cancel that the broker refused: perhaps because an earlier
// request for it got through.
func (s *Session) cancelRefused(ctx context.Context, t *task, refusal broker.Verdict) (*order.Outcome, error) {
	if t.ambiguous {
		target, o, err := s.target(ctx, t)
		if o != nil || err != nil {
			return o, err
		}
		if canceled(target) {
			t.outcome.Recovered = true
			return t.end(order.Accepted, "the order is "+target.Status), nil
		}
	}
	return t.answer(order.Rejected, refusal), nil
}

func canceled(o *broker.Order) bool { return o.Status == "canceled" || o.Status == "pending_cancel" }

// cancelAll requests the end of every open order of the account. It is safe to
// repeat: no later order of the tenant is submitted before its outcome is confirmed.
func (s *Session) cancelAll(ctx context.Context, t *task) (*order.Outcome, error) {
	for {
		v, err := s.request(ctx, t, order.CallCancelAll, t.intent.ExpiresAt, func(ctx context.Context) broker.Verdict {
			return s.client.CancelAll(ctx, s.notAfter(t))
		})
		if err != nil {
			return nil, err
		}
		t.wrote(v)
		switch v.Kind {
		case broker.Accepted:
			v.Message, t.outcome.Uncanceled = summarize(v.Canceled)
			return t.answer(order.Accepted, v), nil
		case broker.Rejected, broker.NotFound:
			return t.answer(order.Rejected, v), nil
		case broker.Expired:
			if t.ambiguous && t.expired(time.Now()) {
				return s.failed(t, "its time ran out, and whether the broker got an earlier request cannot be known"), nil
			}
			if o, err := s.late(ctx, t); o != nil || err != nil {
				return o, err
			}
			continue
		case broker.Unknown:
			t.lost(time.Now())
		default: // it surely was not booked
		}
		if err := s.rest(ctx, t, order.WhyBackOff, t.intent.ExpiresAt); err != nil {
			return nil, err
		}
	}
}

// summarize says what a cancel-all did, and of how many orders the broker refused the end.
func summarize(orders []broker.CanceledOrder) (text string, refused int) {
	for _, o := range orders {
		if o.Status >= 300 {
			refused++
		}
	}
	if refused > 0 {
		return fmt.Sprintf("cancel requested for %d orders, refused for %d", len(orders)-refused, refused), refused
	}
	return fmt.Sprintf("cancel requested for %d orders", len(orders)), 0
}
