package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestSince finds where a minute begins in a shard, also where nothing is left of it.
func TestSince(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	if seq, err := l.Since(t.Context(), 0, time.Now().Add(-time.Hour)); seq != 1 || err != nil {
		t.Errorf("of an empty shard: %d, %v", seq, err)
	}
	for i := range 20 {
		if _, err := l.JetStream().Publish(t.Context(), ledger.PublishSubject("acme"), fmt.Appendf(nil, `{"id":"%d"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // found, and remembered
		for ago, want := range map[time.Duration]uint64{time.Hour: 1, 24 * time.Hour: 1, -2 * time.Minute: 21} {
			if seq, err := l.Since(t.Context(), 0, time.Now().Add(-ago)); seq != want || err != nil {
				t.Errorf("%s ago: %d, %v, wanted %d", ago, seq, err, want)
			}
		}
	}
}
