package worker_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// TestFarBehind: a tenant whose work reaches far behind the low watermark gets all of it
// done, in order, although the shard's fold begins behind it.
func TestFarBehind(t *testing.T) {
	for _, tc := range []struct {
		name     string
		sessions int
	}{{"alone", 100}, {"taking turns", 1}} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRigOf(t, 1)
			const early, late = 50, 30
			for i := range early {
				r.publish("far", buy(fmt.Sprintf("%03d", i)))
			}
			low := r.fill(6000)
			for i := early; i < early+late; i++ {
				r.publish("far", buy(fmt.Sprintf("%03d", i)))
				r.publish("near", buy(fmt.Sprintf("%03d", i)))
			}
			r.lease(0, fleet.Record{Epoch: 1, Mark: fleet.Mark{Low: low, Behind: map[string]uint64{"far": 1}}, Clean: true})
			r.work(func(c *worker.Config) { c.MaxSessions = tc.sessions })
			for i, o := range r.outcomes("far", early+late) {
				if o.IntentID != fmt.Sprintf("%03d", i) || o.Status != order.Accepted {
					t.Fatalf("outcome %d: %+v", i, o)
				}
			}
			r.outcomes("near", late)
			if ids := r.books.ids("far"); len(ids) != early+late || !slices.IsSorted(ids) {
				t.Errorf("booked %v", ids)
			}
		})
	}
}

// fill puts messages on the ledger that mean nothing to a worker, and returns the sequence
// number behind the last one.
func (r *rig) fill(messages int) uint64 {
	r.Helper()
	for range messages {
		if _, err := r.js.PublishAsync(ledger.Updates.Subject(0, "nobody"), nil); err != nil {
			r.Fatal(err)
		}
	}
	<-r.js.PublishAsyncComplete()
	end, err := r.ledger.End(r.Context(), 0)
	if err != nil {
		r.Fatal(err)
	}
	return end + 1
}

// lease writes a shard's lease.
func (r *rig) lease(shard int, record fleet.Record) {
	r.Helper()
	data, err := json.Marshal(record)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := r.ledger.Bucket(ledger.FleetBucket).Put(r.Context(), fmt.Sprintf("shard.%d", shard), data, 0, 0); err != nil {
		r.Fatal(err)
	}
}

// rewrite changes a shard's lease, of which nobody is the owner.
func (r *rig) rewrite(shard int, change func(*fleet.Record)) {
	r.Helper()
	kv, err := r.js.KeyValue(r.Context(), ledger.FleetBucket)
	if err != nil {
		r.Fatal(err)
	}
	key := fmt.Sprintf("shard.%d", shard)
	e, err := kv.Get(r.Context(), key)
	if err != nil {
		r.Fatal(err)
	}
	var record fleet.Record
	if err := json.Unmarshal(e.Value(), &record); err != nil {
		r.Fatal(err)
	}
	change(&record)
	data, err := json.Marshal(record)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := kv.Update(r.Context(), key, data, e.Revision()); err != nil {
		r.Fatal(err)
	}
}
