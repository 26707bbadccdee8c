package worker_test

import (
	"fmt"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// BenchmarkWorker is the whole worker without HTTP: intents of so many tenants, from the
// ledger to their outcomes on it, past a broker in memory.
func BenchmarkWorker(b *testing.B) {
	for _, tenants := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
			r := newRig(b)
			r.work()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				data, err := order.EncodeIntent(buy(fmt.Sprint(i)))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.js.PublishAsync(ledger.PublishSubject(fmt.Sprintf("t%d", i%tenants)), data); err != nil {
					b.Fatal(err)
				}
			}
			for {
				messages := uint64(0)
				for shard := range shards {
					end, err := r.ledger.End(b.Context(), shard)
					if err != nil {
						b.Fatal(err)
					}
					messages += end
				}
				if messages >= uint64(2*b.N) {
					return
				}
			}
		})
	}
}
