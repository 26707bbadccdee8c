package session

import (
	"context"
	"math/rand/v2"
	"time"
)

// The bounds of a back-off's ceiling.
const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// backoff is an exponential back-off with full jitter. The zero value is ready.
type backoff struct{ ceiling time.Duration }

// next is how long to wait before the next try.
func (b *backoff) next() time.Duration {
	b.ceiling = min(max(2*b.ceiling, firstDelay), lastDelay)
	return rand.N(b.ceiling + 1)
}

// pause waits on the ledger's account, but not while the session is to end.
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
