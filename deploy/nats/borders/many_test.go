package borders_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/nats/borders"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
)

// BenchmarkManyTenants is what a thousand tenants cost who are made known to a running server
// by JWTs: to make them, to push them, and to let each in.
func BenchmarkManyTenants(b *testing.B) {
	const tenants = 1000
	for b.Loop() {
		f := begin(b, borders.Signed)
		names := make([]string, tenants)
		for i := range names {
			names[i] = fmt.Sprintf("t%04d", i)
		}
		heap := func() float64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return float64(m.HeapAlloc)
		}
		begun := time.Now()
		f.add(b, borders.Producer, names...)
		b.ReportMetric(time.Since(begun).Seconds(), "s-to-make")
		before := heap()
		o := f.options("worker w")
		o.Creds = filepath.Join(f.path, "keys", "system.creds")
		nc, err := natsconn.Dial(b.Context(), "system", o)
		if err != nil {
			b.Fatal(err)
		}
		begun = time.Now()
		if err := f.Push(b.Context(), nc); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s-to-push")
		nc.Close()
		begun = time.Now()
		for _, name := range names {
			nc, err := natsconn.Dial(b.Context(), name, f.options("producer "+name))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := ledger.Open(b.Context(), nc); err != nil {
				b.Fatal(name, err)
			}
			nc.Close()
		}
		b.ReportMetric(float64(time.Since(begun).Milliseconds())/tenants, "ms-to-let-in")
		b.ReportMetric((heap()-before)/tenants/1024, "KiB-a-tenant")
	}
}
