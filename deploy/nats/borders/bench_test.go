package borders_test

import (
	"testing"

	"github.com/orderfleet/orderfleet/deploy/nats/borders"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
)

// BenchmarkPublish is what a border costs a publish: 256 under way at once, of one tenant, on
// a server that syncs each write.
func BenchmarkPublish(b *testing.B) {
	f := begin(b, borders.Plain)
	for _, who := range []string{"worker w", "producer " + acme} {
		b.Run(who, func(b *testing.B) {
			p, err := producer.New(b.Context(), f.connect(b, who))
			if err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(128)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := p.Publish(b.Context(), acme, order.Intent{Kind: order.KindCancelAll}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "intents/s")
		})
	}
}
