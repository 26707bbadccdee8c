package session

import (
	"testing"
	"time"
	"unsafe"

	"github.com/orderfleet/orderfleet/shared/order"
)

// setBack is a moment that was made before the wall clock was set back: its reading of the
// monotonic clock is as it was, that of the wall clock lies further ahead. No call of
// package time makes one, so this one moves the monotonic reading and the moment in
// opposite directions; see the representation of [time.Time].
func setBack(t *testing.T, at time.Time, by time.Duration) time.Time {
	t.Helper()
	moved := at.Add(by)
	(*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&moved)).ext -= int64(by)
	if got := time.Until(moved) - time.Until(at); got.Abs() > time.Second || moved.Round(0).Sub(at.Round(0)) != by {
		t.Fatalf("set back by %s: %s away, %s on the wall", by, got, moved.Round(0).Sub(at.Round(0)))
	}
	return moved
}

// TestNotAfterASetClock: the lease bounds a request by the monotonic clock, whatever was
// done to the wall clock since the lease was renewed; so does the expiry by the wall clock.
func TestNotAfterASetClock(t *testing.T) {
	for _, tc := range []struct {
		name           string
		lease, expires time.Duration // from now
		want           time.Duration
	}{
		{"the lease first", time.Second, time.Minute, time.Second},
		{"the expiry first", time.Minute, time.Second, time.Second},
		{"the lease is over", -time.Second, time.Minute, -time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Now()
			s := &Session{until: func() time.Time { return setBack(t, now.Add(tc.lease), time.Hour) }}
			got := s.notAfter(&task{intent: order.Intent{ExpiresAt: now.Add(tc.expires).Round(0)}})
			if off := time.Until(got) - tc.want; off.Abs() > 100*time.Millisecond+time.Since(now) {
				t.Errorf("not after %s from now, wanted %s", time.Until(got), tc.want)
			}
			if !got.Before(now) == (tc.want < 0) { // as the broker's client compares
				t.Errorf("%s lies on the wrong side of %s", got, now)
			}
		})
	}
}

// TestEarlierOfTwoClocks: a pause ends by the monotonic clock, an expiry by the wall clock.
func TestEarlierOfTwoClocks(t *testing.T) {
	pause := setBack(t, time.Now().Add(time.Second), time.Hour)
	expiry := time.Now().Add(time.Minute).Round(0)
	if earlier(pause, expiry) != pause || earlier(expiry, pause) != pause {
		t.Error("a pause of a second ends after an expiry in a minute")
	}
}
