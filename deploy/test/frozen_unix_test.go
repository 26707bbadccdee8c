//go:build unix

package test

import (
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// TestFrozen: a worker is frozen while orders are at the broker, another one takes over and
// resolves them, and the first one wakes up: it commits nothing, drops its shards, and
// rejoins. The broker believes every client order id.
func TestFrozen(t *testing.T) {
	s := boot(t, paper.Config{NoDuplicateCheck: true})
	s.fault(paper.Fault{Kind: paper.Latency, Operation: paper.Place, When: paper.After, Min: 10 * time.Millisecond, Max: 50 * time.Millisecond})
	const tenants, each = 12, 30
	s.publish(orders(tenants, each))
	first := s.worker()
	s.await(tenants * each / 4)
	if err := first.Freeze(); err != nil {
		t.Fatal(err)
	}
	second := s.worker() // returns when it serves every shard
	s.await(tenants * each / 2)
	if err := first.Thaw(); err != nil {
		t.Fatal(err)
	}
	s.await(tenants * each)
	for _, w := range []interface{ Stop() error }{second, first} {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	}
	s.judge(tenants * each)
	recovered := 0
	newest := make(map[int]uint64)
	for _, o := range s.history().Outcomes {
		shard := s.producer.Ledger().ShardOf(o.Tenant)
		if o.Epoch < newest[shard] {
			t.Errorf("an outcome of epoch %d behind one of epoch %d, in shard %d", o.Epoch, newest[shard], shard)
		}
		newest[shard] = o.Epoch
		if o.Recovered {
			recovered++
		}
	}
	if recovered == 0 {
		t.Error("nothing was at the broker when the worker froze")
	}
}
