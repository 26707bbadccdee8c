package shard

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestIdleTenantsAreMapEntries: a hundred thousand tenants that have no work cost less
// than 50 MiB in all, and no goroutine.
func TestIdleTenantsAreMapEntries(t *testing.T) {
	const tenants, limit = 100_000, 50 << 20
	goroutines, before := runtime.NumGoroutine(), heapInUse()
	shards := make([]*shard, 8)
	for i := range shards {
		shards[i] = &shard{fold: ledger.NewFold(i, 0)}
	}
	for n := range uint64(tenants) {
		s := shards[n%8]
		name := fmt.Sprintf("a-tenant-with-a-rather-long-name-%06d", n)
		s.apply(ledger.Entry{Class: ledger.Intents, Tenant: name, Seq: 2*n + 1,
			Data: fmt.Appendf(nil, `{"id":"0192f0c1-0000-7000-8000-%012d"}`, n)})
		s.apply(ledger.Entry{Class: ledger.Outcomes, Tenant: name, Seq: 2*n + 2, Data: outcome(t, 2*n+1)})
	}
	if grown := heapInUse() - before; grown > limit {
		t.Errorf("%d tenants take %d KiB, more than %d", tenants, grown>>10, limit>>10)
	}
	// Of the runtime's own one may just be at work.
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
	known := 0
	for _, s := range shards {
		known += s.fold.Tenants()
		for name := range s.fold.Due {
			t.Errorf("%s has work", name)
		}
	}
	if known != tenants {
		t.Errorf("knows %d tenants, wanted %d", known, tenants)
	}
}

func outcome(t *testing.T, intentSeq uint64) []byte {
	data, err := order.EncodeOutcome(order.Outcome{IntentSeq: intentSeq, Status: order.Accepted, Worker: "w", Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first one only finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// TestQueue compares the queue of waiting tenants with a plain list.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []string
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			if len(model) > 0 && rapid.Bool().Draw(t, "pop") {
				if got := q.pop(); got != model[0] {
					t.Fatalf("popped %s, wanted %s", got, model[0])
				}
				model = model[1:]
				continue
			}
			name := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name")
			fresh := !slices.Contains(model, name)
			if q.push(name) != fresh {
				t.Fatalf("pushing %s on %v says %v", name, model, !fresh)
			}
			if fresh {
				model = append(model, name)
			}
			if q.len() != len(model) {
				t.Fatalf("length %d, wanted %d", q.len(), len(model))
			}
		}
	})
}
