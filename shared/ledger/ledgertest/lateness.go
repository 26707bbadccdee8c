package ledgertest

import (
	"context"
	"testing"
	"time"
)

// Lateness watches how late this machine wakes up who waits, until it is asked: then it
// returns the worst that it saw, and the mean. What a test may expect of times is to be
// derived from them.
func Lateness(t testing.TB) (until func() (worst, mean time.Duration)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	found := make(chan [2]time.Duration, 1)
	go func() {
		const nap = time.Millisecond
		var worst, sum, n time.Duration
		for ; ctx.Err() == nil; n++ {
			begun := time.Now()
			select {
			case <-time.After(nap):
			case <-ctx.Done():
			}
			late := time.Since(begun) - nap
			worst, sum = max(worst, late), sum+late
		}
		found <- [2]time.Duration{worst, sum / max(n, 1)}
	}()
	return func() (worst, mean time.Duration) {
		stop()
		f := <-found
		return f[0], f[1]
	}
}
