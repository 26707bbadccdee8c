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

// Trimmed is what became of what is older than a ledger's retention.
type Trimmed struct {
	Messages uint64 // that left
	// Kept is the first message that is older and stays all the same, and everything behind it
	// with it; nil if there is none.
	Kept *Kept
}

// Kept is a message that does not leave in its time.
type Kept struct {
	Entry
	Why KeptWhy
}

// KeptWhy says why a message is needed.
type KeptWhy string

// The reasons.
const (
	KeptDue  KeptWhy = "due"  // there may be an intent without an outcome from here on
	KeptHeld KeptWhy = "held" // the outcome may hold its tenant
	KeptOpen KeptWhy = "open" // it tells of an order that may be open
)

// Now is the time of the server that keeps a shard, which stamps its messages.
func (l *Ledger) Now(ctx context.Context, shard int) (time.Time, error) {
	stream, err := l.js.Stream(ctx, StreamName(shard))
	if err != nil {
		return time.Time{}, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	now := stream.CachedInfo().TimeStamp
	if now.IsZero() {
		return time.Time{}, fmt.Errorf("ledger: the server of stream %s does not tell its time", StreamName(shard))
	}
	return now, nil
}

// Trim removes from the front of a shard what is older than the ledger's retention and needed
// no more, and says what that came to. Needed are, and with them what is behind:
//
//   - what does not stand before a sequence number, before which every intent must have its
//     outcome: a low watermark is such a number, also one that is no longer current;
//   - the outcome that may hold its tenant: the tenant's last one, if that is a failure and no
//     release follows it;
//   - what tells of orders that may be open, if their updates are followed.
//
// Now should be the server's, see [Ledger.Now]: who trims may have another clock than who stamped
// the messages. Without a retention it does nothing.
func (l *Ledger) Trim(ctx context.Context, shard int, before uint64, followed bool, now time.Time) (Trimmed, error) {
	if l.retention == 0 {
		return Trimmed{}, nil
	}
	stream, err := l.js.Stream(ctx, StreamName(shard))
	if err != nil {
		return Trimmed{}, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	state, since := stream.CachedInfo().State, now.Add(-l.retention)
	if state.Msgs == 0 {
		return Trimmed{}, nil
	}
	old, err := l.firstSince(ctx, shard, state, min(before, state.LastSeq+1), since)
	if err != nil {
		return Trimmed{}, err
	}
	old = max(old, state.FirstSeq)
	keep, kept, err := l.firstNeeded(ctx, shard, state.FirstSeq, old, followed)
	if err == nil && kept == nil {
		kept, err = l.due(ctx, shard, old, since)
	}
	if err != nil || keep == state.FirstSeq {
		return Trimmed{Kept: kept}, err
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(keep)); err != nil {
		return Trimmed{}, fmt.Errorf("ledger: trim %s: %w", StreamName(shard), err)
	}
	return Trimmed{keep - state.FirstSeq, kept}, nil
}

// due is the message behind all that every tenant is done with, if it is older as well.
func (l *Ledger) due(ctx context.Context, shard int, seq uint64, since time.Time) (*Kept, error) {
	e, err := l.At(ctx, shard, seq)
	switch {
	case errors.Is(err, ErrNone), err == nil && !e.Time.Before(since):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &Kept{e, KeptDue}, nil
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
func (l *Ledger) firstNeeded(ctx context.Context, shard int, from, end uint64, followed bool) (first uint64, kept *Kept, err error) {
	if from == end {
		return end, nil, nil
	}
	tenants, err := l.latest(ctx, shard)
	if err != nil {
		return 0, nil, err
	}
	first = end
	err = l.Read(ctx, shard, Start{Seq: from}, end-1, func(e Entry) error {
		if e.Seq >= end {
			return nil
		}
		if why := needed(e, tenants[e.Tenant], followed); why != "" {
			first, kept = e.Seq, &Kept{e, why}
			return errNeeded
		}
		return nil
	})
	if err != nil && !errors.Is(err, errNeeded) {
		return 0, nil, err
	}
	return first, kept, nil
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

// needed says why a message that is done is needed all the same; empty if it is not.
func needed(e Entry, t latest, followed bool) KeptWhy {
	open := followed && t.openSince <= e.Seq && t.openSince <= t.outcome // it may tell of an order that is
	switch e.Class {
	case Outcomes:
		var o struct {
			Kind   order.Kind   `json:"kind"`
			Status order.Status `json:"status"`
		}
		if json.Unmarshal(e.Data, &o) != nil {
			return ""
		}
		makes := o.Kind == order.KindOrder || o.Kind == order.KindReplace || o.Kind == order.KindClosePosition
		switch {
		case o.Status == order.Failed && t.outcome == e.Seq && t.release < e.Seq:
			return KeptHeld
		case o.Status == order.Accepted && open && makes:
			return KeptOpen
		}
	case Updates:
		if !open {
			return ""
		}
		if u, err := order.DecodeUpdate(e.Data); err == nil && (len(u.Legs) > 0 || u.ReplacedBy != "") { // orders in its place
			return KeptOpen
		}
	case Intents, Controls, Epochs:
	}
	return ""
}
