package ledgertest

import (
	"context"
	"testing"
	"time"
)

// Lateness watches how late this machine wakes up who waits, until it is asked: then it
// returns the worst that it saw. What a test may expect of times is to be derived from it.
func Lateness(t testing.TB) (worst func() time.Duration) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	found := make(chan time.Duration, 1)
	go func() {
		const nap = time.Millisecond
		late := time.Duration(0)
		for ctx.Err() == nil {
			begun := time.Now()
			select {
			case <-time.After(nap):
			case <-ctx.Done():
			}
			late = max(late, time.Since(begun)-nap)
		}
		found <- late
	}()
	return func() time.Duration {
		stop()
		return <-found
	}
}
