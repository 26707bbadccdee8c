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
	"github.com/shopspring/decimal"
)

// place submits an order.
func (s *Session) place(ctx context.Context, t *task) (*order.Outcome, error) {
	if plant.Is(plant.RandomID) {
		t.id = order.ClientOrderID(s.tenant, order.NewID())
	}
	if q := t.intent.Order.Qty; plant.Is(plant.Quantity) && q != nil {
		*q = q.Add(decimal.NewFromInt(1))
	}
	return s.drive(ctx, t, booking{
		send: func() broker.Verdict {
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
	send func() broker.Verdict
	// differences between what was asked and what the broker booked under our id.
	differences func(booked *broker.Order) []string
}

// drive sends a booking until the broker has it, refuses it, or its time is over. It
// never sends while an earlier request may still be on its way into the books.
func (s *Session) drive(ctx context.Context, t *task, b booking) (*order.Outcome, error) {
	delay := s.backoff(t)
	for ctx.Err() == nil {
		if !t.since.IsZero() && !plant.Is(plant.Lookup) {
			o, err := s.resolve(ctx, t, b)
			if o != nil || err != nil {
				return o, err
			}
		}
		if plant.Is(plant.EarlyCommit) {
			s.commit(ctx, t.end(order.Accepted, "")) //nolint:errcheck // a planted bug
		}
		v, err := s.request(ctx, t, t.intent.ExpiresAt, b.send)
		if err != nil {
			return nil, err
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
			if plant.Is(plant.Unknown) {
				return t.answer(order.Rejected, v), nil
			}
			t.lost(time.Now())
			s.log.Warn().Str("intent", t.intent.ID).Int("http_status", v.HTTPStatus).Str("request_id", v.RequestID).
				Str("problem", v.Message).Msg("answer lost; looking the order up")
			continue
		default: // it surely was not booked
		}
		if err := s.rest(ctx, &delay, t.intent.ExpiresAt); err != nil {
			return nil, err
		}
	}
	return nil, context.Cause(ctx)
}

// resolve looks up what became of a request whose answer was lost. It returns nil and
// no error once the broker has shown no trace of it for long enough: then sending it
// again, under the same id, is safe.
func (s *Session) resolve(ctx context.Context, t *task, b booking) (*order.Outcome, error) {
	var delay backoff
	deadline := s.deadline(t)
	for {
		v, err := s.find(ctx, t, deadline)
		switch {
		case err != nil:
			return nil, err
		case v.Kind == broker.Found:
			return s.found(ctx, t, b, v)
		case v.Kind == broker.NotFound && (time.Since(t.since) >= s.cfg.Settle || plant.Is(plant.Settle)):
			t.since = time.Time{}
			if t.expired(time.Now()) {
				return t.end(order.Expired, "its time ran out; the broker has no such order"), nil
			}
			return nil, nil
		case v.Kind != broker.NotFound && time.Now().After(deadline):
			return s.failed(t, fmt.Sprintf("it may have been booked, and the broker could not be asked until %s after its expiry", s.cfg.Grace)), nil
		}
		until := deadline
		if v.Kind == broker.NotFound { // ask once more when that is proof
			until = earlier(until, t.since.Add(s.cfg.Settle))
		}
		if err := s.rest(ctx, &delay, until); err != nil {
			return nil, err
		}
	}
}

// find looks the task's order up by our id.
func (s *Session) find(ctx context.Context, t *task, until time.Time) (broker.Verdict, error) {
	return s.request(ctx, t, until, func() broker.Verdict { return s.client.ByClientID(ctx, t.id) })
}

// oldOrder is how much older than its intent an order must be, by the broker's clock and
// the ledger's, to look like that of another one.
const oldOrder = 10 * time.Second

// found finishes a task whose request may have been booked, and whose id the broker has.
func (s *Session) found(ctx context.Context, t *task, b booking, v broker.Verdict) (*order.Outcome, error) {
	if made := v.Order.Created; t.intent.RetryOf == "" && !made.IsZero() && made.Before(t.outcome.Published.Add(-oldOrder)) {
		return s.usedBefore(ctx, t, b, v)
	}
	return s.ours(t, b, v), nil
}

// ours finishes a task with the order that the broker has under its id.
func (s *Session) ours(t *task, b booking, v broker.Verdict) *order.Outcome {
	if diff := b.differences(v.Order); len(diff) > 0 {
		t.answer(order.Failed, v)
		return s.failed(t, "the broker has another order under our id: "+strings.Join(diff, "; "))
	}
	return t.recovered(v)
}

// refused finishes a task that the broker refused. A refusal is not believed while
// the order may be in the books: one with status 422 may mean that the id was used,
// and one after a lost answer says nothing of the first request.
func (s *Session) refused(ctx context.Context, t *task, b booking, refusal broker.Verdict) (*order.Outcome, error) {
	if refusal.HTTPStatus != http.StatusUnprocessableEntity && !t.ambiguous {
		return t.answer(order.Rejected, refusal), nil
	}
	var delay backoff
	deadline := s.deadline(t)
	for {
		v, err := s.find(ctx, t, deadline)
		switch {
		case err != nil:
			return nil, err
		case v.Kind == broker.Found && t.ambiguous:
			return s.found(ctx, t, b, v)
		case v.Kind == broker.Found:
			return s.usedBefore(ctx, t, b, v)
		case v.Kind == broker.NotFound && plant.Is(plant.Accept):
			return t.answer(order.Accepted, refusal), nil
		case v.Kind == broker.NotFound:
			return t.answer(order.Rejected, refusal), nil
		case time.Now().After(deadline):
			t.answer(order.Failed, refusal)
			return s.failed(t, fmt.Sprintf("refused (%s), and the broker could not be asked whether the order is there", refusal.Message)), nil
		}
		if err := s.rest(ctx, &delay, deadline); err != nil {
			return nil, err
		}
	}
}

// usedBefore finishes a task whose id is in the broker's books although it seems that neither
// this session nor an earlier owner sent it: the tenant used the id longer ago than the shard
// remembers, or an owner that we do not know of was at work.
func (s *Session) usedBefore(ctx context.Context, t *task, b booking, v broker.Verdict) (*order.Outcome, error) {
	var delay backoff
	for {
		first, err := s.cfg.Ledger.FindIntent(ctx, s.shard, s.tenant, t.intent.ID, t.outcome.IntentSeq)
		switch {
		case err == nil:
			return t.duplicateOf(first.Seq), nil
		case errors.Is(err, ledger.ErrNone):
			return s.ours(t, b, v), nil
		}
		s.again(&delay, err, "cannot search the ledger; trying again")
		if err := s.pause(ctx, delay.next()); err != nil {
			return nil, err
		}
	}
}
