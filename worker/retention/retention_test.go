package retention_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/retention"
	"github.com/rs/zerolog"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

const day = 24 * time.Hour

// TestNoIntentLeavesBeforeItsOutcome: what is done and old leaves; what is due, or holds a
// tenant, stays however old it is, and with it what is behind it.
func TestNoIntentLeavesBeforeItsOutcome(t *testing.T) {
	for _, tc := range []struct {
		name  string
		mark  *fleet.Mark
		after time.Duration // the time of trimming, from now
		first uint64        // of the ten messages, that is left
	}{
		{"all done, and old", &fleet.Mark{Low: 11}, 2 * day, 11},
		{"all done, and young", &fleet.Mark{Low: 11}, day - time.Minute, 1},
		{"one is due", &fleet.Mark{Low: 7}, 100 * day, 7},
		{"one is due far behind", &fleet.Mark{Low: 11, Behind: map[string]uint64{"a": 9, "b": 4}}, 100 * day, 4},
		{"the first is due", &fleet.Mark{Low: 1}, 100 * day, 1},
		{"nobody ever owned the shard", nil, 100 * day, 1},
		{"a watermark of a newer reading than the ledger", &fleet.Mark{Low: 99}, 2 * day, 11},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := keeping(t, day)
			for i := range 10 {
				ask(t, l, fmt.Sprint(i))
			}
			if tc.mark != nil {
				lease(t, l, *tc.mark)
			}
			n, err := retention.Trim(t.Context(), l, time.Now().Add(tc.after))
			if err != nil || n != tc.first-1 {
				t.Errorf("%d messages left: %v", n, err)
			}
			_, err = l.At(t.Context(), 0, max(tc.first, 2)-1)
			if gone := err != nil; gone != (tc.first > 1) {
				t.Errorf("what is before %d: %v", tc.first, err)
			}
			if tc.first <= 10 {
				if _, err := l.At(t.Context(), 0, tc.first); err != nil {
					t.Errorf("message %d: %v", tc.first, err)
				}
			}
			if again, err := retention.Trim(t.Context(), l, time.Now().Add(tc.after)); err != nil || again != 0 {
				t.Errorf("a second time %d left: %v", again, err)
			}
		})
	}
}

// TestLedgersKeep: without a retention nothing leaves, and no purge is possible.
func TestLedgersKeep(t *testing.T) {
	l := keeping(t, 0)
	ask(t, l, "1")
	lease(t, l, fleet.Mark{Low: 2})
	if n, err := retention.Trim(t.Context(), l, time.Now().Add(1000*day)); n != 0 || err != nil {
		t.Errorf("%d left: %v", n, err)
	}
	stream, err := l.JetStream().Stream(t.Context(), ledger.StreamName(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err == nil {
		t.Error("the ledger was purged")
	}
	retention.Run(t.Context(), l, zerolog.Nop()) // returns at once: there is nothing to do
}

func keeping(t *testing.T, d time.Duration) *ledger.Ledger {
	t.Helper()
	l, _ := ledgertest.Open(t, 1, func(s *ledger.Settings) { s.Retention = d })
	if l.Retention() != d {
		t.Fatalf("the ledger keeps messages for %s", l.Retention())
	}
	return l
}

func ask(t *testing.T, l *ledger.Ledger, id string) {
	t.Helper()
	if _, err := l.JetStream().Publish(t.Context(), ledger.PublishSubject("acme"), fmt.Appendf(nil, `{"id":%q}`, id)); err != nil {
		t.Fatal(err)
	}
}

// lease writes the record of a shard's owner.
func lease(t *testing.T, l *ledger.Ledger, m fleet.Mark) {
	t.Helper()
	data, err := json.Marshal(fleet.Record{Owner: "w", Epoch: 1, Mark: m})
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := l.JetStream().KeyValue(t.Context(), ledger.FleetBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), "shard.0", data); err != nil {
		t.Fatal(err)
	}
}
