package retention_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
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
			n, err := retention.Trim(t.Context(), l, true, time.Now().Add(tc.after))
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
			if again, err := retention.Trim(t.Context(), l, true, time.Now().Add(tc.after)); err != nil || again != 0 {
				t.Errorf("a second time %d left: %v", again, err)
			}
		})
	}
}

// TestWhatHoldsStays: what is done is kept all the same while it holds its tenant, or tells of
// an order that may be open.
func TestWhatHoldsStays(t *testing.T) {
	accepted := order.Outcome{Kind: order.KindOrder, Status: order.Accepted, BrokerOrderID: "x"}
	filled := func(since uint64) order.Update {
		return order.Update{Event: order.EventFill, BrokerOrderID: "x", OpenSince: since}
	}
	released := order.Control{Verb: order.Release, By: "me", Reason: "r", At: time.Now()}
	for _, tc := range []struct {
		name       string
		messages   []any // behind an intent
		unfollowed bool
		first      uint64 // that is left of all
	}{
		{"a failure", []any{order.Outcome{Status: order.Failed}}, false, 2},
		{"a failure that was released", []any{order.Outcome{Status: order.Failed}, released}, false, 4},
		{"a failure before another outcome", []any{order.Outcome{Status: order.Failed}, order.Outcome{Status: order.Expired}}, false, 4},
		{"a failure behind a release", []any{released, order.Outcome{Status: order.Failed}}, false, 3},
		{"an order without an update", []any{accepted}, false, 2},
		{"one whose updates nobody follows", []any{accepted}, true, 3},
		{"an order that is over", []any{accepted, filled(3)}, false, 4},
		{"an order that is open", []any{accepted, filled(2)}, false, 2},
		{"one behind one that is over", []any{accepted, filled(3), accepted}, false, 4},
		{"a refusal behind one that is over", []any{accepted, filled(3), order.Outcome{Status: order.Rejected}}, false, 5},
		{"what took the place of one that is over", []any{accepted, order.Update{Event: order.EventReplaced, BrokerOrderID: "x", ReplacedBy: "y", OpenSince: 2}}, false, 2},
		{"legs of one that is over", []any{accepted, order.Update{Event: order.EventFill, BrokerOrderID: "x", Legs: []string{"y"}, OpenSince: 3}, order.Outcome{Status: order.Rejected}}, false, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := keeping(t, day)
			ask(t, l, "1")
			for _, m := range tc.messages {
				say(t, l, m)
			}
			lease(t, l, fleet.Mark{Low: uint64(len(tc.messages)) + 2})
			n, err := retention.Trim(t.Context(), l, !tc.unfollowed, time.Now().Add(2*day))
			if err != nil || n != tc.first-1 {
				t.Errorf("%d messages left, not %d: %v", n, tc.first-1, err)
			}
		})
	}
}

// say publishes a message of the tenant's.
func say(t *testing.T, l *ledger.Ledger, m any) {
	t.Helper()
	var class ledger.Class
	var data []byte
	var err error
	switch m := m.(type) {
	case order.Outcome:
		class = ledger.Outcomes
		data, err = order.EncodeOutcome(m)
	case order.Update:
		class = ledger.Updates
		data, err = order.EncodeUpdate(m)
	case order.Control:
		class = ledger.Controls
		data, err = order.EncodeControl(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.JetStream().Publish(t.Context(), class.Subject(0, "acme"), data); err != nil {
		t.Fatal(err)
	}
}

// TestLedgersKeep: without a retention nothing leaves, and no purge is possible.
func TestLedgersKeep(t *testing.T) {
	l := keeping(t, 0)
	ask(t, l, "1")
	lease(t, l, fleet.Mark{Low: 2})
	if n, err := retention.Trim(t.Context(), l, true, time.Now().Add(1000*day)); n != 0 || err != nil {
		t.Errorf("%d left: %v", n, err)
	}
	stream, err := l.JetStream().Stream(t.Context(), ledger.StreamName(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err == nil {
		t.Error("the ledger was purged")
	}
	retention.Run(t.Context(), l, true, zerolog.Nop()) // returns at once: there is nothing to do
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
