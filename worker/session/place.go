package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/plant"
)

// place submits an order.
func (s *Session) place(ctx context.Context, t *task) (*order.Outcome, error) {
	return s.drive(ctx, t, booking{
		call:  order.CallPlace,
		order: t.intent.Order,
		send: func(ctx context.Context) broker.Verdict {
			return s.client.Place(ctx, t.id, t.intent.Order, s.notAfter(t))
		},
		differences: func(booked *broker.Order) []string {
			return broker.Differences(t.id, t.intent.Order, booked)
		},
	})
}

// booking is a request that makes an order with an id of ours, so that an answer that
// was lost can be found by that id.
type booking struct {
	call order.Call
	send func(ctx context.Context) broker.Verdict
	// order is what would be at the broker, in the place of target if that is not nil.
	order  *order.Order
	target *broker.Order
	// differences between what was asked and what the broker booked under our id.
	differences func(booked *broker.Order) []string
}

// drive sends a booking until the broker has it, refuses it, or its time is over. It
// never sends while an earlier request may still be on its way into the books.
func (s *Session) drive(ctx context.Context, t *task, b booking) (*order.Outcome, error) {
	for ctx.Err() == nil {
		if t.open && !plant.Is(plant.Lookup) {
			o, err := s.resolve(ctx, t, b)
			if o != nil || err != nil {
				return o, err
			}
		}
		if plant.Is(plant.EarlyCommit) {
			s.commit(ctx, t.end(order.Accepted, "")) //nolint:errcheck // a planted bug
		}
		o, err := s.check(ctx, t, b)
		if o != nil || err != nil {
			return o, err
		}
		v, err := s.request(ctx, t, b.call, t.intent.ExpiresAt, b.send)
		if err != nil {
			return s.blocked(t, err)
		}
		t.wrote(v)
		switch v.Kind {
		case broker.Accepted:
			return t.answer(order.Accepted, v), nil
		case broker.Rejected, broker.NotFound:
			return s.refused(ctx, t, b, v)
		case broker.Expired:
			if o, err := s.late(ctx, t); o != nil || err != nil {
				return o, err
			}
			continue
		case broker.Unknown:
			t.lost(time.Now())
			s.log.Warn().Str("intent", t.intent.ID).Int("http_status", v.HTTPStatus).Str("request_id", v.RequestID).
				Str("problem", v.Message).Msg("answer lost; looking the order up")
			continue
		default: // it surely was not booked
		}
		if err := s.rest(ctx, t, order.WhyBackOff, t.intent.ExpiresAt); err != nil {
			return nil, err
		}
	}
	return nil, context.Cause(ctx)
}

// resolve looks up what became of a request whose answer was lost. It returns nil and
// no error once the broker has shown no trace of it for long enough: then sending it
// again, under the same id, is safe.
func (s *Session) resolve(ctx context.Context, t *task, b booking) (*order.Outcome, error) {
	deadline := s.deadline(t)
	for {
		v, err := s.find(ctx, t, deadline)
		switch {
		case err != nil:
			return nil, err
		case v.Kind == broker.Found:
			return s.found(ctx, t, b, v)
		case v.Kind == broker.NotFound && (time.Since(t.since) >= s.cfg.Settle || plant.Is(plant.Settle)):
			t.open = false
			if t.expired(time.Now()) {
				return t.end(order.Expired, "its time ran out; the broker has no such order"), nil
			}
			return nil, nil
		case v.Kind != broker.NotFound && time.Now().After(deadline):
			return s.failed(t, fmt.Sprintf("it may have been booked, and the broker could not be asked until %s after its expiry", s.cfg.Grace)), nil
		}
		until, why := deadline, order.WhyBackOff
		if v.Kind == broker.NotFound { // ask once more when that is proof
			until, why = earlier(until, t.since.Add(s.cfg.Settle)), order.WhySettle
		}
		if err := s.rest(ctx, t, why, until); err != nil {
			return nil, err
		}
	}
}

// find looks the task's order up by our id.
func (s *Session) find(ctx context.Context, t *task, until time.Time) (broker.Verdict, error) {
	return s.request(ctx, t, order.CallLookup, until, func(ctx context.Context) broker.Verdict { return s.client.ByClientID(ctx, t.id) })
}

// found finishes a task with the order that the broker has under its id: its own, unless
// the tenant used the id before.
func (s *Session) found(ctx context.Context, t *task, b booking, v broker.Verdict) (*order.Outcome, error) {
	first, err := s.usedBefore(ctx, t, v.Order)
	if err != nil {
		return nil, err
	}
	if first != 0 {
		return t.duplicateOf(first), nil
	}
	if diff := b.differences(v.Order); len(diff) > 0 {
		t.answer(order.Failed, v)
		return s.failed(t, "the broker has another order under our id: "+strings.Join(diff, "; ")), nil
	}
	s.weigh(t, v.Order.Order, v.Order.Replaces)
	return t.recovered(v), nil
}

// refused finishes a task that the broker refused. A refusal is not believed while
// the order may be in the books: one with status 422 may mean that the id was used,
// and one after a lost answer says nothing of the first request.
func (s *Session) refused(ctx context.Context, t *task, b booking, refusal broker.Verdict) (*order.Outcome, error) {
	if refusal.HTTPStatus != http.StatusUnprocessableEntity && !t.ambiguous {
		return t.answer(order.Rejected, refusal), nil
	}
	deadline := s.deadline(t)
	for {
		v, err := s.find(ctx, t, deadline)
		switch {
		case err != nil:
			return nil, err
		case v.Kind == broker.Found:
			return s.found(ctx, t, b, v)
		case v.Kind == broker.NotFound:
			return t.answer(order.Rejected, refusal), nil
		case time.Now().After(deadline):
			t.answer(order.Failed, refusal)
			return s.failed(t, fmt.Sprintf("refused (%s), and the broker could not be asked whether the order is there", refusal.Message)), nil
		}
		if err := s.rest(ctx, t, order.WhyBackOff, deadline); err != nil {
			return nil, err
		}
	}
}

const (
	// remembered is how many messages back the shard remembers every id; see [ledger.Fold].
	remembered = 64 << 10
	// oldOrder is how much older than its intent an order must be, by the broker's clock and
	// the ledger's, to look like that of another one.
	oldOrder = 10 * time.Second
)

// usedBefore is the first intent of the tenant that bears the task's id and whose order this
// one is, 0 if it is the task's own. It searches the ledger only where the shard cannot have
// known of a first use, and the order may be of it.
func (s *Session) usedBefore(ctx context.Context, t *task, booked *broker.Order) (uint64, error) {
	seq, made := t.outcome.IntentSeq, booked.Created
	before := seq
	switch {
	case t.intent.RetryOf != "": // it means the first one's order
		return 0, nil
	case seq < s.begin, !t.ambiguous, !made.IsZero() && made.Before(t.outcome.Published.Add(-oldOrder)):
	case t.inherited && made.IsZero():
		before = max(s.begin, seq-min(seq, remembered))
	default: // it was made after the intent, or this session's own answer was lost
		return 0, nil
	}
	if before <= 1 {
		return 0, nil
	}
	first, err := persist(ctx, s, "search the ledger", s.pause, func() (ledger.Entry, error) {
		return s.cfg.Ledger.FindIntent(ctx, s.shard, s.tenant, t.intent.ID, before)
	})
	if errors.Is(err, ledger.ErrNone) {
		return 0, nil
	}
	return first.Seq, err
}
