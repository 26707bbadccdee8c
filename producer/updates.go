package producer

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Update is an update and its place on the ledger.
type Update struct {
	Seq        uint64    `json:"seq"`         // in its shard's stream; follow on from Seq+1
	RecordedAt time.Time `json:"recorded_at"` // when the ledger took it
	order.Update
}

// News is an outcome or an update of a tenant: one of both is set.
type News struct {
	Outcome *Outcome
	Update  *Update
}

// WatchAll yields a tenant's outcomes and updates as [Producer.Watch] does its outcomes, in the
// order in which the ledger took them. An update may come before the outcome of its intent:
// brokers fill an order before their answer is read.
func (p *Producer) WatchAll(ctx context.Context, tenant string, from From) iter.Seq2[News, error] {
	return watch(ctx, p, tenant, from, readNews, ledger.Outcomes, ledger.Updates)
}

func readNews(e ledger.Entry) (News, error) {
	if e.Class == ledger.Updates {
		u, err := order.DecodeUpdate(e.Data)
		if err != nil {
			return News{}, fmt.Errorf("update at sequence %d: %w", e.Seq, err)
		}
		return News{Update: &Update{e.Seq, e.Time, u}}, nil
	}
	o, err := readOutcome(e)
	if err != nil {
		return News{}, err
	}
	return News{Outcome: &o}, nil
}
