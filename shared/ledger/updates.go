package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/order"
)

// AppendUpdate starts to publish an update. The stream takes it only if after is the
// sequence number of the tenant's last update (0: there is none). The future ends as that of
// [Ledger.Append]; what became of it otherwise, [Ledger.LastUpdate] says.
func (l *Ledger) AppendUpdate(shard int, tenant string, u *order.Update, after uint64) (jetstream.PubAckFuture, error) {
	data, err := order.EncodeUpdate(*u)
	if err != nil {
		return nil, fmt.Errorf("ledger: encode an update of order %s: %w", u.BrokerOrderID, err)
	}
	f, err := l.compareAndSet(Updates.Subject(shard, tenant), data, after)
	if err != nil {
		return nil, fmt.Errorf("ledger: append an update of order %s: %w", u.BrokerOrderID, err)
	}
	return f, nil
}

// LastUpdate reads a tenant's last update and its sequence number, from the stream's leader:
// what it says is current. ErrNone if there is none.
func (l *Ledger) LastUpdate(ctx context.Context, shard int, tenant string) (order.Update, uint64, error) {
	e, err := l.leaderGet(ctx, shard, getRequest{LastBySubject: Updates.Subject(shard, tenant)})
	if err != nil {
		return order.Update{}, 0, err
	}
	u, err := order.DecodeUpdate(e.Data)
	if err != nil {
		return order.Update{}, 0, fmt.Errorf("ledger: update at %s sequence %d: %w", StreamName(shard), e.Seq, err)
	}
	return u, e.Seq, nil
}

// Unsettled finds the tenants of a shard some of whose orders may be open at the broker, as
// far as their outcomes and updates tell: those whose last outcome is not covered by what
// their last update says of open orders. It reads two messages a tenant, and of outcomes
// only their headers. Of what is written meanwhile it may see a part.
func (l *Ledger) Unsettled(ctx context.Context, shard int) ([]string, error) {
	outcomes := make(map[string]uint64)
	err := l.lasts(ctx, shard, Outcomes, true, func(e Entry) error {
		outcomes[e.Tenant] = e.Seq
		return nil
	})
	if err != nil || len(outcomes) == 0 {
		return nil, err
	}
	err = l.lasts(ctx, shard, Updates, false, func(e Entry) error {
		if u, err := order.DecodeUpdate(e.Data); err == nil && u.OpenSince > outcomes[e.Tenant] {
			delete(outcomes, e.Tenant)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(outcomes)), nil
}

// lasts reads every tenant's last message of a class, and what comes until it has caught up.
func (l *Ledger) lasts(ctx context.Context, shard int, c Class, bare bool, deliver func(Entry) error) error {
	end, err := l.End(ctx, shard)
	if err != nil || end == 0 {
		return err
	}
	cfg := jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		FilterSubject: c.Subject(shard, "*"),
		HeadersOnly:   bare,
	}
	return l.consume(ctx, StreamName(shard), cfg, end, entries(deliver))
}
