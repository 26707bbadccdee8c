//go:build unix

package test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestAnEpochStandsBehindWhatIsOnItsWay: the leader of a shard has an outcome, but its
// replicas are frozen. Whoever takes the shard over does not find the outcome at the
// stream's end, and would do its intent again; its own epoch comes behind it.
func TestAnEpochStandsBehindWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := troubled(t, c.servers(), replicated)
	leader := s.info(s.producer.Ledger().JetStream(), ledger.StreamName(0)).Cluster.Leader
	var l *ledger.Ledger
	var others []int
	for i := range members {
		if memberName(i) != leader {
			others = append(others, i)
			continue
		}
		var err error
		nc := dial(t, c.urls[i], func(*nats.Conn, *nats.Subscription, error) {})
		if l, err = ledger.Open(t.Context(), nc); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range others {
		if err := c.parts[i].Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	const tenant = "acme" // the stream takes it, wherever it belongs
	if _, err := l.Append(0, tenant, &order.Outcome{IntentSeq: 1, Status: order.Rejected, Worker: "old", Epoch: 1, Committed: time.Now()}, 0); err != nil {
		t.Fatal(err)
	}
	if end, err := l.End(t.Context(), 0); err != nil || end != 0 {
		t.Fatalf("the end is %d before the replicas have the outcome: %v", end, err)
	}
	for _, i := range others {
		if err := c.parts[i].Thaw(); err != nil {
			t.Fatal(err)
		}
	}
	var epoch, outcome uint64
	s.until("the epoch has begun", func() (begun bool) {
		var err error
		epoch, err = l.Begin(t.Context(), 0, ledger.Epoch{Epoch: 2, Worker: "new", At: time.Now()})
		if err != nil && !ledger.Transient(err) {
			t.Fatal(err)
		}
		return err == nil
	})
	s.until("the outcome is found", func() (found bool) {
		var err error
		_, outcome, err = l.LastOutcome(t.Context(), 0, tenant)
		return err == nil
	})
	if outcome >= epoch {
		t.Errorf("the outcome stands at %d, the epoch at %d", outcome, epoch)
	}
}
