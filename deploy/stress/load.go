package stress

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// lifetime of the intents: longer than any run.
const lifetime = 24 * time.Hour

// publish publishes orders through the producer SDK.
func (s *system) publish(ctx context.Context, items iter.Seq[producer.Item]) error {
	p, err := producer.New(ctx, s.nc)
	if err != nil {
		return err
	}
	for result := range p.PublishAll(ctx, items) {
		if result.Err != nil {
			return fmt.Errorf("stress: publish: %w", result.Err)
		}
	}
	return ctx.Err()
}

// turns are the orders from a number on of each tenant, at the load's rate: the tenants
// take turns.
func (o Options) turns(ctx context.Context, from int) iter.Seq[producer.Item] {
	pace := newPace(o.Rate)
	return func(yield func(producer.Item) bool) {
		for n := from; n < from+o.Orders; n++ {
			for t := range o.Tenants {
				if pace.wait(ctx) != nil || !yield(producer.Item{Tenant: fmt.Sprintf("t%05d", t), Intent: intent(n)}) {
					return
				}
			}
		}
	}
}

// intent is the nth order of a tenant.
func intent(n int) order.Intent {
	qty, price := decimal.RequireFromString(orderQty), decimal.RequireFromString(orderPrice)
	return order.Intent{
		ID:        fmt.Sprintf("%07d", n),
		Kind:      order.KindOrder,
		ExpiresAt: time.Now().Add(lifetime),
		Order: &order.Order{
			Symbol: orderSymbol, Qty: &qty, Side: order.Buy, Type: order.Limit, TimeInForce: order.Day, LimitPrice: &price,
		},
	}
}

// idlePrefix begins the names of tenants without work.
const idlePrefix = "idle-"

// introduce makes tenants known to the ledger, each with an intent that has its outcome, and
// whose order was filled: there is nothing to do for them, and nothing to follow.
func (s *system) introduce(ctx context.Context, o Options) error {
	const window = 1000 // publishes under way, and then appends
	js, err := jetstream.New(s.nc, jetstream.WithPublishAsyncMaxPending(window))
	if err != nil {
		return fmt.Errorf("stress: %w", err)
	}
	body, err := order.EncodeIntent(intent(0))
	if err != nil {
		return err
	}
	for from := 0; from < o.IdleTenants; from += window {
		n := min(window, o.IdleTenants-from)
		seqs, err := together(ctx, n, func(i int) (jetstream.PubAckFuture, error) {
			return js.PublishMsgAsync(&nats.Msg{Subject: ledger.PublishSubject(idleName(from + i)), Data: body})
		})
		if err != nil {
			return err
		}
		outcomes, err := together(ctx, n, func(i int) (jetstream.PubAckFuture, error) {
			return s.finish(idleName(from+i), seqs[i])
		})
		if err != nil {
			return err
		}
		if _, err := together(ctx, n, func(i int) (jetstream.PubAckFuture, error) {
			return s.fill(idleName(from+i), outcomes[i])
		}); err != nil {
			return err
		}
		o.progress("idle tenants", from+n, o.IdleTenants)
	}
	return nil
}

// together begins n publishes and waits until all are acknowledged, each with a sequence
// number.
func together(ctx context.Context, n int, begin func(i int) (jetstream.PubAckFuture, error)) ([]uint64, error) {
	under := make([]jetstream.PubAckFuture, n)
	for i := range under {
		var err error
		if under[i], err = begin(i); err != nil {
			return nil, fmt.Errorf("stress: %w", err)
		}
	}
	seqs := make([]uint64, n)
	for i, f := range under {
		select {
		case ack := <-f.Ok():
			seqs[i] = ack.Sequence
		case err := <-f.Err():
			return nil, fmt.Errorf("stress: %w", err)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return seqs, nil
}

func idleName(n int) string { return fmt.Sprintf("%s%06d", idlePrefix, n) }

// finish writes the outcome of an idle tenant's intent.
func (s *system) finish(tenant string, seq uint64) (jetstream.PubAckFuture, error) {
	return s.ledger.Append(s.ledger.ShardOf(tenant), tenant, &order.Outcome{
		Version: order.Version, IntentID: intent(0).ID, IntentSeq: seq, Kind: order.KindOrder,
		Status: order.Accepted, BrokerOrderID: tenant, Worker: "stress", Epoch: 0,
	}, 0)
}

// fill writes the update of an idle tenant's order.
func (s *system) fill(tenant string, outcome uint64) (jetstream.PubAckFuture, error) {
	return s.ledger.AppendUpdate(s.ledger.ShardOf(tenant), tenant, &order.Update{
		Version: order.Version, Event: order.EventFill, IntentID: intent(0).ID, BrokerOrderID: tenant, OrderStatus: "filled",
		At: time.Now(), Worker: "stress", Epoch: 0, OpenSince: outcome + 1,
	}, 0)
}

// pace spreads a load over time. The zero pace lets everything through.
type pace struct {
	interval time.Duration
	next     time.Time
}

func newPace(perSecond int) *pace {
	if perSecond == 0 {
		return &pace{}
	}
	return &pace{time.Second / time.Duration(perSecond), time.Now()}
}

func (p *pace) wait(ctx context.Context) error {
	if p.interval == 0 {
		return ctx.Err()
	}
	p.next = p.next.Add(p.interval)
	ahead := time.Until(p.next)
	if ahead < time.Millisecond {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
