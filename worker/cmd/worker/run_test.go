package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestSupervise: the first signal drains, the second one abandons, and so does the end of the
// time to drain; a worker that ends by itself is not waited for.
func TestSupervise(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name    string
		signals int
		drains  time.Duration // how long the worker takes to drain
		fails   error         // what it ends with by itself
		want    error
		after   time.Duration
	}{
		{"drained", 1, 2 * time.Second, nil, nil, 2 * time.Second},
		{"a second signal", 2, time.Hour, nil, errAbandoned, time.Second},
		{"not in time", 1, time.Hour, nil, errAbandoned, 25 * time.Second},
		{"ends by itself", 0, 0, broken, broken, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, drain, ended := make(chan os.Signal, 2), make(chan struct{}), make(chan error, 1)
				ctx, abandon := context.WithCancelCause(t.Context())
				go func() { // a worker
					if tc.fails != nil {
						ended <- tc.fails
						return
					}
					<-drain
					select {
					case <-time.After(tc.drains):
						ended <- nil
					case <-ctx.Done():
						ended <- context.Cause(ctx)
					}
				}()
				for n := range tc.signals { // one a second
					time.AfterFunc(time.Duration(n)*time.Second, func() { signals <- syscall.SIGTERM })
				}
				began := time.Now()
				if err := supervise(signals, ended, drain, abandon, 25*time.Second, zerolog.Nop()); !errors.Is(err, tc.want) {
					t.Errorf("ended with %v", err)
				}
				if took := time.Since(began); took != tc.after {
					t.Errorf("after %v, wanted %v", took, tc.after)
				}
			})
		})
	}
}
