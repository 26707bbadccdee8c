package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Trim removes the messages of a shard that are older than the ledger's retention and stand
// before a sequence number, and returns how many. Every intent before that must have its
// outcome: a low watermark is such a number, also one that is no longer current. Without a
// retention it does nothing.
func (l *Ledger) Trim(ctx context.Context, shard int, before uint64, now time.Time) (uint64, error) {
	if l.retention == 0 {
		return 0, nil
	}
	stream, err := l.js.Stream(ctx, StreamName(shard))
	if err != nil {
		return 0, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	state := stream.CachedInfo().State
	keepFrom, err := l.firstSince(ctx, shard, state, min(before, state.LastSeq+1), now.Add(-l.retention))
	if err != nil || state.Msgs == 0 || keepFrom <= state.FirstSeq {
		return 0, err
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(keepFrom)); err != nil {
		return 0, fmt.Errorf("ledger: trim %s: %w", StreamName(shard), err)
	}
	return keepFrom - state.FirstSeq, nil
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
