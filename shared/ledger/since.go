package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// sinces remembers where minutes begin in shards, as far as anybody asked: after a take-over
// hundreds of tenants ask for the same.
type sinces struct {
	mu    sync.Mutex
	known map[minuteOf]uint64
}

type minuteOf struct {
	shard  int
	minute int64
}

// mostSinces bounds what is remembered.
const mostSinces = 1 << 10

// Since is the sequence number of a shard's first message of a minute or later, by its server's
// clock; behind its last one if there is none. The minute is the one that has the moment in it,
// which must be past. The first time it costs a request for each halving of the stream.
func (l *Ledger) Since(ctx context.Context, shard int, at time.Time) (uint64, error) {
	at = at.Truncate(time.Minute)
	key := minuteOf{shard, at.Unix()}
	l.sinces.mu.Lock()
	seq, ok := l.sinces.known[key]
	l.sinces.mu.Unlock()
	if ok {
		return seq, nil
	}
	stream, err := l.js.Stream(ctx, StreamName(shard))
	if err != nil {
		return 0, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return state.LastSeq + 1, nil
	}
	if seq, err = l.firstSince(ctx, shard, state, state.LastSeq+1, at); err != nil {
		return 0, err
	}
	l.sinces.mu.Lock()
	defer l.sinces.mu.Unlock()
	if l.sinces.known == nil || len(l.sinces.known) >= mostSinces {
		l.sinces.known = make(map[minuteOf]uint64)
	}
	l.sinces.known[key] = seq
	return seq, nil
}
