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
	Seq        uint64    `json:"seq"`         // in its shard's stream; follow on from [News.Next]
	RecordedAt time.Time `json:"recorded_at"` // when the ledger took it
	order.Update
}

// News is an outcome or an update of a tenant: one of both is set.
type News struct {
	Outcome *Outcome
	Update  *Update
	// Next is where to go on behind it, with nothing missed and nothing told again.
	Next Cursor
}

// Cursor is how far a [Producer.WatchAll] has come: a place among the outcomes, and one among
// the updates. The zero value is [Now].
type Cursor struct {
	Outcomes uint64    `json:"outcomes,omitzero"` // sequence numbers in the tenant's shard
	Updates  uint64    `json:"updates,omitzero"`
	Since    time.Time `json:"since,omitzero"` // where those begin that have no number yet
}

// FromCursor goes on where a WatchAll was.
func FromCursor(c Cursor) From {
	return From{ledger.Start{Seq: c.Outcomes, Updates: c.Updates, Time: c.Since}}
}

// pass goes past a message.
func (c *Cursor) pass(e ledger.Entry) {
	if e.Class == ledger.Updates {
		c.Updates = e.Seq + 1
	} else {
		c.Outcomes = e.Seq + 1
	}
}

// WatchAll yields a tenant's outcomes and updates as [Producer.Watch] does its outcomes, in the
// order in which the ledger took them. An update may come before the outcome of its intent:
// brokers fill an order before their answer is read.
//
// A tenant's own user has a reading for each of both: if several servers keep the ledger, an
// outcome that a server learns of late may then come behind a later update, or the other way
// round. Go on from [News.Next], not from a sequence number: it knows of that.
func (p *Producer) WatchAll(ctx context.Context, tenant string, from From) iter.Seq2[News, error] {
	return func(yield func(News, error) bool) {
		if from == Now() && p.ledger.Behind() {
			var err error
			if from.start, err = p.ledger.FromNow(ctx, tenant, ledger.Outcomes, ledger.Updates); err != nil {
				if ctx.Err() == nil {
					yield(News{}, fmt.Errorf("producer: watch tenant %s: %w", tenant, err))
				}
				return
			}
		}
		next := Cursor{from.start.Seq, from.start.Updates, from.start.Time}
		if next.Updates == 0 && next.Since.IsZero() {
			next.Updates = next.Outcomes
		}
		watch(ctx, p, tenant, from, func(e ledger.Entry) (News, error) {
			n, err := readNews(e)
			if next.pass(e); !p.ledger.Behind() { // one reading, in the ledger's order
				next = Cursor{Outcomes: e.Seq + 1, Updates: e.Seq + 1}
			}
			n.Next = next
			return n, err
		}, ledger.Outcomes, ledger.Updates)(yield)
	}
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
