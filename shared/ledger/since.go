package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// sinces remembers where minutes begin in shards, as far as anybody asked: after a take-over
// thousands of tenants ask for the same at once, and one looks it up.
type sinces struct {
	mu    sync.Mutex
	known map[minuteOf]*since
}

type minuteOf struct {
	shard  int
	minute int64
}

// since is a look-up. What it found may be read once done is closed.
type since struct {
	done chan struct{}
	seq  uint64
	err  error
}

// mostSinces bounds what is remembered.
const mostSinces = 1 << 10

// Since is the sequence number of a shard's first message of a minute or later, by its server's
// clock; behind its last one if there is none. The minute is the one that has the moment in it,
// which must be past. The first time it costs a request for each halving of the stream.
func (l *Ledger) Since(ctx context.Context, shard int, at time.Time) (uint64, error) {
	at = at.Truncate(time.Minute)
	one, ours := l.sinces.of(minuteOf{shard, at.Unix()})
	if ours {
		one.seq, one.err = l.lookUpSince(ctx, shard, at)
		if one.err != nil { // whoever asks next looks again
			l.sinces.forget(minuteOf{shard, at.Unix()})
		}
		close(one.done)
		return one.seq, one.err
	}
	select {
	case <-one.done:
		return one.seq, one.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (l *Ledger) lookUpSince(ctx context.Context, shard int, at time.Time) (uint64, error) {
	stream, err := l.js.Stream(ctx, StreamName(shard))
	if err != nil {
		return 0, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return state.LastSeq + 1, nil
	}
	return l.firstSince(ctx, shard, state, state.LastSeq+1, at)
}

// of is the look-up of a minute, and whether it is the caller's to do.
func (s *sinces) of(key minuteOf) (one *since, ours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one = s.known[key]; one != nil {
		return one, false
	}
	if s.known == nil || len(s.known) >= mostSinces {
		s.known = make(map[minuteOf]*since)
	}
	one = &since{done: make(chan struct{})}
	s.known[key] = one
	return one, true
}

func (s *sinces) forget(key minuteOf) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, key)
}
