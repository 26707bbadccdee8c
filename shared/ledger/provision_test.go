package ledger_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestProvisionMendsTheBucket: a bucket whose keys cannot have a time to live is changed,
// and then nothing is to be changed any more.
func TestProvisionMendsTheBucket(t *testing.T) {
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 2))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: ledger.FleetBucket}); err != nil {
		t.Fatal(err)
	}
	s := ledger.DefaultSettings()
	s.Shards = 2
	changes, err := ledger.Provision(t.Context(), nc, s)
	if err != nil || len(changes) != 3 || changes[2].Action != ledger.Update || changes[2].Object != ledger.FleetBucket {
		t.Fatalf("%+v: %v", changes, err)
	}
	if again, err := ledger.Plan(t.Context(), nc, s); err != nil || len(again) != 0 {
		t.Errorf("still to be changed: %+v: %v", again, err)
	}
}
