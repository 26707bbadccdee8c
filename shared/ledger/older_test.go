package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestOlderEpochs: a ledger whose streams took epochs without a third word is provisioned
// anew, with its messages in it, and they are read as before.
func TestOlderEpochs(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	stream, err := l.JetStream().Stream(t.Context(), ledger.StreamName(0))
	if err != nil {
		t.Fatal(err)
	}
	older := stream.CachedInfo().Config
	older.Subjects = []string{"controls.0.*", "epochs.0", "intents.0.*", "outcomes.0.*", "updates.0.*"}
	if _, err := l.JetStream().UpdateStream(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	if _, err := l.JetStream().Publish(t.Context(), "epochs.0", []byte(`{"v":1,"epoch":1,"worker":"w"}`)); err != nil {
		t.Fatal(err)
	}
	s := ledger.DefaultSettings()
	s.Shards = 1
	changes, err := ledger.Provision(t.Context(), nc, s)
	if err != nil || len(changes) != 1 || changes[0].Field != "subjects" {
		t.Fatalf("%v: %v", changes, err)
	}
	end, err := l.Begin(t.Context(), 0, ledger.Epoch{Epoch: 2, Worker: "w"})
	if err != nil {
		t.Fatal(err)
	}
	var epochs []uint64
	note := func(e ledger.Entry) error {
		epoch, err := ledger.DecodeEpoch(e.Data)
		if e.Class != ledger.Epochs || e.Tenant != "" {
			t.Errorf("%+v", e)
		}
		epochs = append(epochs, epoch.Epoch)
		return err
	}
	if err := l.Read(t.Context(), 0, ledger.Start{Seq: 1}, end, note); err != nil {
		t.Fatal(err)
	}
	if err := l.ReadAbout(t.Context(), "acme", ledger.Start{Seq: 1}, end, note); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(epochs, []uint64{1, 2, 1, 2}) {
		t.Errorf("epochs %v", epochs)
	}
}

// TestEpochsHaveNoShare: what bounds a tenant's share of a ledger does not keep a shard from
// changing hands.
func TestEpochsHaveNoShare(t *testing.T) {
	l, _ := ledgertest.Open(t, 1, func(s *ledger.Settings) { s.MaxPerTenant = 1 })
	for epoch := range uint64(5) {
		if _, err := l.Begin(t.Context(), 0, ledger.Epoch{Epoch: epoch + 1, Worker: "w"}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 2 {
		_, err := l.JetStream().Publish(t.Context(), ledger.PublishSubject("acme"), fmt.Append(nil, n), jetstream.WithRetryAttempts(0))
		if ledger.IsFull(err) != (n > 0) {
			t.Errorf("intent %d of a share of one: %v", n, err)
		}
	}
}
