package producer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Outcome is an outcome and its place on the ledger.
type Outcome struct {
	Seq uint64    `json:"seq"` // in its shard's stream; follow on from Seq+1
	At  time.Time `json:"at"`  // when the ledger took it
	order.Outcome
}

// From is where a [Producer.Watch] begins.
type From struct{ start ledger.Start }

// Now begins with what comes.
func Now() From { return From{} }

// SinceTime begins with what the ledger took at t or later.
func SinceTime(t time.Time) From { return From{ledger.Start{Time: t}} }

// FromSeq begins at a sequence number of the tenant's shard.
func FromSeq(seq uint64) From { return From{ledger.Start{Seq: max(seq, 1)}} }

// errStop ends a reading because the reader has enough.
var errStop = errors.New("producer: stop")

// Watch yields a tenant's outcomes in order, those that are there and those that come,
// until ctx ends or the reader stops. It goes on through cuts of the connection. An error
// ends it.
func (p *Producer) Watch(ctx context.Context, tenant string, from From) iter.Seq2[Outcome, error] {
	return watch(ctx, p, tenant, from, readOutcome, ledger.Outcomes)
}

func readOutcome(e ledger.Entry) (Outcome, error) {
	o, err := order.DecodeOutcome(e.Data)
	if err != nil {
		return Outcome{}, fmt.Errorf("outcome at sequence %d: %w", e.Seq, err)
	}
	return Outcome{e.Seq, e.Time, o}, nil
}

// watch yields what is read of a tenant's messages of some classes; see [Producer.Watch].
func watch[T any](ctx context.Context, p *Producer, tenant string, from From, read func(ledger.Entry) (T, error), classes ...ledger.Class) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := order.ValidTenant(tenant); err != nil {
			yield(none, fmt.Errorf("producer: %w", err))
			return
		}
		err := p.ledger.FollowTenant(ctx, tenant, from.start, func(e ledger.Entry) error {
			one, err := read(e)
			if err != nil {
				return err
			}
			if !yield(one, nil) {
				return errStop
			}
			return nil
		}, classes...)
		if !errors.Is(err, errStop) && ctx.Err() == nil {
			yield(none, fmt.Errorf("producer: watch tenant %s: %w", tenant, err))
		}
	}
}

// Await waits for the outcome of a published intent, or the end of ctx.
func (p *Producer) Await(ctx context.Context, r Receipt) (order.Outcome, error) {
	for o, err := range p.Watch(ctx, r.Tenant, FromSeq(r.Seq+1)) {
		if err != nil {
			return order.Outcome{}, err
		}
		if o.IntentSeq == r.Seq {
			return o.Outcome, nil
		}
	}
	return order.Outcome{}, fmt.Errorf("producer: await intent %s of tenant %s: %w", r.ID, r.Tenant, context.Cause(ctx))
}
