package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Trim removes from the front of a shard what is older than the ledger's retention and needed
// no more, and returns how many messages that is. Needed are, and with them what is behind:
//
//   - what does not stand before a sequence number, before which every intent must have its
//     outcome: a low watermark is such a number, also one that is no longer current;
//   - the outcome that may hold its tenant: the tenant's last one, if that is a failure and no
//     release follows it;
//   - what tells of orders that may be open, if their updates are followed.
//
// Without a retention it does nothing.
func (l *Ledger) Trim(ctx context.Context, shard int, before uint64, followed bool, now time.Time) (uint64, error) {
	if l.retention == 0 {
		return 0, nil
	}
	stream, err := l.js.Stream(ctx, StreamName(shard))
	if err != nil {
		return 0, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	state := stream.CachedInfo().State
	keep, err := l.firstSince(ctx, shard, state, min(before, state.LastSeq+1), now.Add(-l.retention))
	if err != nil || state.Msgs == 0 || keep <= state.FirstSeq {
		return 0, err
	}
	if keep, err = l.firstNeeded(ctx, shard, state.FirstSeq, keep, followed); err != nil || keep == state.FirstSeq {
		return 0, err
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(keep)); err != nil {
		return 0, fmt.Errorf("ledger: trim %s: %w", StreamName(shard), err)
	}
	return keep - state.FirstSeq, nil
}

// firstSince is the first message since a moment, or end if all before that are older.
func (l *Ledger) firstSince(ctx context.Context, shard int, state jetstream.StreamState, end uint64, since time.Time) (uint64, error) {
	from := state.FirstSeq
	for from < end { // all before from are older; end, and all behind it, stay
		middle := from + (end-from)/2
		e, err := l.At(ctx, shard, middle)
		switch {
		case errors.Is(err, ErrNone): // somebody else trims
			from = middle + 1
		case err != nil:
			return 0, err
		case e.Time.Before(since):
			from = middle + 1
		default:
			end = middle
		}
	}
	return from, nil
}

// latest is where a tenant is.
type latest struct {
	outcome, release uint64 // sequence numbers
	openSince        uint64 // see [order.Update]
}

// errNeeded ends a reading at what is needed.
var errNeeded = errors.New("ledger: needed")

// firstNeeded is the first message from one up to another that is needed although every intent
// before the other has its outcome, or the other. What is written meanwhile makes no more of
// them needed.
func (l *Ledger) firstNeeded(ctx context.Context, shard int, from, end uint64, followed bool) (uint64, error) {
	tenants, err := l.latest(ctx, shard)
	if err != nil {
		return 0, err
	}
	first := end
	err = l.Read(ctx, shard, Start{Seq: from}, end-1, func(e Entry) error {
		if e.Seq < end && needed(e, tenants[e.Tenant], followed) {
			first = e.Seq
			return errNeeded
		}
		return nil
	})
	if err != nil && !errors.Is(err, errNeeded) {
		return 0, err
	}
	return first, nil
}

// latest reads where every tenant of a shard is.
func (l *Ledger) latest(ctx context.Context, shard int) (map[string]latest, error) {
	all := make(map[string]latest)
	for class, note := range map[Class]func(*latest, Entry){
		Outcomes: func(t *latest, e Entry) { t.outcome = e.Seq },
		Updates: func(t *latest, e Entry) {
			if u, err := order.DecodeUpdate(e.Data); err == nil {
				t.openSince = u.OpenSince
			}
		},
		Controls: func(t *latest, e Entry) {
			if c, err := order.DecodeControl(e.Data); err == nil && c.Verb == order.Release {
				t.release = e.Seq
			}
		},
	} {
		err := l.lasts(ctx, shard, class, class == Outcomes, func(e Entry) error {
			t := all[e.Tenant]
			note(&t, e)
			all[e.Tenant] = t
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// needed says whether a message that is done is needed all the same.
func needed(e Entry, t latest, followed bool) bool {
	open := followed && t.openSince <= e.Seq && t.openSince <= t.outcome // it may tell of an order that is
	switch e.Class {
	case Outcomes:
		var o struct {
			Kind   order.Kind   `json:"kind"`
			Status order.Status `json:"status"`
		}
		if json.Unmarshal(e.Data, &o) != nil {
			return false
		}
		switch o.Status {
		case order.Failed:
			return t.outcome == e.Seq && t.release < e.Seq
		case order.Accepted:
			return open && (o.Kind == order.KindOrder || o.Kind == order.KindReplace || o.Kind == order.KindClosePosition)
		default:
			return false
		}
	case Updates:
		if !open {
			return false
		}
		u, err := order.DecodeUpdate(e.Data)
		return err == nil && (len(u.Legs) > 0 || u.ReplacedBy != "") // orders in its place
	default:
		return false
	}
}
