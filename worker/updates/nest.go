package updates

import (
	"context"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// nest finds out which orders hang on one, when it is first seen.
func (f *Follower) nest(ctx context.Context, e *entry, r *broker.Record) error {
	if e.legsKnown || e.leg || !nests(r.OrderClass) {
		return nil
	}
	whole := *r
	if len(r.Nested) == 0 { // lists and streams may leave them out
		found, v, err := f.single(ctx, r.ID)
		if err != nil || v.Kind != broker.Found {
			return err
		}
		whole = found
	}
	intentID, err := f.origin(ctx, e, &whole)
	if err != nil {
		return err
	}
	for i := range whole.Nested {
		first, err := f.first(ctx, &whole.Nested[i])
		if err != nil {
			return err
		}
		e.legs = append(e.legs, first.ID)
		if leg := f.book.leg(e, first.ID, intentID); leg != nil {
			f.book.name(leg, first.ClientOrderID)
			leg.symbol, leg.side = first.Symbol, first.Side
		}
	}
	e.legsKnown = true
	return nil
}

// nests says that legs of such orders live on their own.
func nests(c order.Class) bool {
	return c == order.Bracket || c == order.OCO || c == order.OTO
}

// origin is the intent whose order an order goes back to, through all replacements: its legs
// are that one's, whenever they are found.
func (f *Follower) origin(ctx context.Context, e *entry, r *broker.Record) (string, error) {
	first, err := f.first(ctx, r)
	if err != nil {
		return "", err
	}
	if intentID, ok := f.book.ours(first.ClientOrderID); ok {
		return intentID, nil
	}
	return e.intentID, nil
}

// maxReplacements bounds how far a chain of replaced orders is followed.
const maxReplacements = 100

// maxFirsts bounds what is remembered of such chains.
const maxFirsts = 1 << 10

// first is the order that an order goes back to, through all replacements. It is remembered: a
// bracket that is replaced again and again would otherwise be looked through each time.
func (f *Follower) first(ctx context.Context, r *broker.Record) (broker.Record, error) {
	one := *r
	for range maxReplacements {
		if one.Replaces == "" {
			break
		}
		if known, ok := f.firsts[one.Replaces]; ok {
			one = known
			break
		}
		older, v, err := f.single(ctx, one.Replaces)
		if err != nil {
			return one, err
		}
		if v.Kind != broker.Found {
			return one, nil
		}
		one = older
	}
	if f.firsts == nil || len(f.firsts) >= maxFirsts {
		f.firsts = make(map[string]broker.Record)
	}
	one.Nested = nil
	f.firsts[r.ID] = one
	return one, nil
}
