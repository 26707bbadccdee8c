package worker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/session"
)

// BenchmarkHandOver drains one of two workers: how long until the tenants of the shards
// that it gives up trade again, from publish to booked.
func BenchmarkHandOver(b *testing.B) {
	benchmarkMove(b, func(w *running) { w.stop() })
}

// BenchmarkTakeOver cuts one of two workers off for good: how long until its tenants trade
// again. The time to live of its heartbeat is in it.
func BenchmarkTakeOver(b *testing.B) {
	benchmarkMove(b, func(w *running) {
		w.line.Cut()
		w.crash()
	})
}

// benchmarkMove measures tenants whose shards move as a worker leaves.
func benchmarkMove(b *testing.B, leave func(*running)) {
	r := newRigOf(b, 8)
	asShipped := func(c *worker.Config) { c.Settle, c.LeaseTTL = session.DefaultSettle, fleet.DefaultTTL }
	r.work(asShipped)
	tenants := make([]string, r.ledger.Shards()) // one a shard
	for i, found := 0, 0; found < len(tenants); i++ {
		name := fmt.Sprintf("t%d", i)
		if s := r.ledger.ShardOf(name); tenants[s] == "" {
			tenants[s] = name
			found++
		}
	}
	var took []time.Duration
	for b.Loop() {
		serving := make(chan int, len(tenants))
		line := new(ledgertest.Line)
		w := r.start(ledgertest.ConnectOver(b, line, r.nc.ConnectedUrl()), asShipped, func(c *worker.Config) {
			c.Serving = func(shard int) { serving <- shard }
		})
		w.line = line
		moved := make([]string, len(tenants)/2)
		for i := range moved {
			moved[i] = tenants[<-serving]
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			leave(w)
		}()
		began := make([]int, len(moved))
		for i, tenant := range moved {
			began[i] = r.count(tenant)
			r.publish(tenant, buy(order.NewID()))
		}
		for i, tenant := range moved {
			o := r.outcomes(tenant, began[i]+1)[began[i]]
			took = append(took, o.Answered.Sub(o.Published))
		}
		<-gone
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}
