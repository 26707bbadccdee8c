package registry_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"golang.org/x/sync/errgroup"
)

// BenchmarkLoad is what a worker of a fleet with 100,000 tenants takes to read the registry, and
// what it keeps of it in memory.
func BenchmarkLoad(b *testing.B) {
	const tenants = 20_000
	f := newFleet(b)
	var writes errgroup.Group
	writes.SetLimit(64)
	for i := range tenants {
		writes.Go(func() error {
			_, err := f.store.Write(b.Context(), f.ann, registry.TenantKey(fmt.Sprintf("tenant-%d", i)), tenant.Settings{
				Broker: "paper", RequestsPerMinute: 200, Labels: map[string]string{"strategy": "pairs"}, Limits: tenant.Limits{MaxQty: money("100")},
			}, "a benchmark", 0)
			return err
		})
	}
	if err := writes.Wait(); err != nil {
		b.Fatal(err)
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	for b.Loop() {
		r := registry.New(f.ledger, nil)
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		f.sync(r)
		b.StopTimer()
		b.ReportMetric((heap()-before)/tenants, "heap-B/tenant")
		if len(r.Names()) != tenants {
			b.Errorf("%d tenants", len(r.Names()))
		}
		stop()
		<-ended
		b.StartTimer()
	}
}

// BenchmarkTerms is what a session pays to look at its terms.
func BenchmarkTerms(b *testing.B) {
	f := newFleet(b)
	f.write(f.ann, registry.TenantKey("acme"), paper)
	r := f.watch()
	b.ReportAllocs()
	for b.Loop() {
		if r.Terms("acme").Revision == 0 {
			b.Fatal("none")
		}
	}
}
