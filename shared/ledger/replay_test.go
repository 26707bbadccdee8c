package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestReplay: messages come as far apart as they came then, also if that is longer than any
// heartbeat, and the reading ends.
func TestReplay(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	gaps := []time.Duration{0, 40 * time.Millisecond, 1200 * time.Millisecond, 5 * time.Millisecond}
	for i, gap := range gaps {
		<-time.After(gap)
		publish(t, nc, "acme", fmt.Sprintf("a%d", i))
	}

	late := ledgertest.Lateness(t)
	var came, stood []time.Time
	err := l.Replay(t.Context(), 0, ledger.Start{}, uint64(len(gaps)), func(e ledger.Entry) error {
		came, stood = append(came, time.Now()), append(stood, e.Time)
		return nil
	})
	if err != nil || len(came) != len(gaps) {
		t.Fatalf("%d of %d messages, %v", len(came), len(gaps), err)
	}
	// Three are waked up for a message: the server's loop, the client's reader, and us. The
	// policy itself takes a millisecond for none.
	worst, _ := late()
	tolerance := time.Millisecond + 3*worst
	for i := 1; i < len(came); i++ {
		got, want := came[i].Sub(came[i-1]), stood[i].Sub(stood[i-1])
		if diff := (got - want).Abs(); diff > tolerance {
			t.Errorf("message %d came %s after the one before, then %s: %s are more than %s", i, got, want, diff, tolerance)
		}
	}
}

// TestReplayIsLeft: who waits for a message that is due much later need not.
func TestReplayIsLeft(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	publish(t, nc, "acme", "a")
	<-time.After(300 * time.Millisecond)
	publish(t, nc, "acme", "b")
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := l.Replay(ctx, 0, ledger.Start{}, 2, func(ledger.Entry) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("%d messages, %v", n, err)
	}
}
