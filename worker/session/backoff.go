package session

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"
)

// The bounds of a back-off's ceiling.
const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// backoff is an exponential back-off with full jitter. The zero value is ready.
type backoff struct{ ceiling time.Duration }

// again logs a trouble with the ledger: that it began, and in detail, how it goes on. All
// sessions of a shard have it at once.
func (s *Session) again(b *backoff, err error, what string) {
	level := zerolog.DebugLevel
	if b.ceiling == 0 {
		level = zerolog.WarnLevel
	}
	s.log.WithLevel(level).Err(err).Msg(what)
}

// next is how long to wait before the next try.
func (b *backoff) next() time.Duration {
	b.ceiling = min(max(2*b.ceiling, firstDelay), lastDelay)
	return rand.N(b.ceiling + 1)
}

// pause waits, but not while the session is to end.
func (s *Session) pause(ctx context.Context, d time.Duration) error {
	s.timer.Reset(d)
	defer s.timer.Stop()
	select {
	case <-s.timer.C:
		return nil
	case <-s.draining:
		return errEnd
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sleep waits for d or ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
