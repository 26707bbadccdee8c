package proof

import (
	"context"
	"errors"
	"fmt"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Read reads all intents and outcomes that the ledger holds now.
func Read(ctx context.Context, l *ledger.Ledger) (intents []Intent, outcomes []Outcome, err error) {
	for shard := range l.Shards() {
		end, err := l.End(ctx, shard)
		if err != nil {
			return nil, nil, err
		}
		if end == 0 {
			continue
		}
		err = l.Tail(ctx, shard, 1, func(e ledger.Entry) error {
			switch e.Class {
			case ledger.Intents:
				in := Intent{Tenant: e.Tenant, Seq: e.Seq, At: e.Time}
				if decoded, err := order.DecodeIntent(e.Data); err == nil {
					in.ID, in.Kind = decoded.ID, decoded.Kind
				}
				intents = append(intents, in)
			case ledger.Outcomes:
				o, err := order.DecodeOutcome(e.Data)
				if err != nil {
					return fmt.Errorf("proof: outcome at %s sequence %d: %w", ledger.StreamName(shard), e.Seq, err)
				}
				outcomes = append(outcomes, Outcome{e.Tenant, e.Seq, e.Time, o})
			case ledger.Updates, ledger.Controls:
			}
			if e.Seq >= end {
				return errEnd
			}
			return nil
		})
		if !errors.Is(err, errEnd) {
			return nil, nil, err
		}
	}
	return intents, outcomes, nil
}

// errEnd ends a reading at the ledger's end.
var errEnd = errors.New("proof: end")
