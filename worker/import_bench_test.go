package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
)

// BenchmarkImport is how long an order takes from publish to outcome while ten thousand tenants
// are written to the registry as fast as that goes, of a worker with four thousand sessions.
func BenchmarkImport(b *testing.B) {
	const sessions, imported, writers = 4000, 10_000, 16
	pair, err := nkeys.CreateUser()
	if err != nil {
		b.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		b.Fatal(err)
	}
	by, err := registry.NewSigner("kim", seed)
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		r := newRig(b)
		known, store := registry.New(r.ledger, nil), registry.NewStore(r.ledger)
		ctx, end := context.WithCancel(b.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = known.Run(ctx) }) // it ends with ctx
		w := r.work(func(c *worker.Config) { c.Registry, c.MaxSessions = known, 2*sessions })
		for i := range sessions {
			r.publish(fmt.Sprintf("live%d", i), lasting("a"))
		}
		r.eventually(func() bool {
			n := uint64(0)
			for shard := range shards {
				of, err := r.ledger.Count(b.Context(), shard, ledger.Outcomes)
				if err != nil {
					b.Fatal(err)
				}
				n += of
			}
			return n == sessions
		})
		var writing sync.WaitGroup
		done := make(chan struct{})
		for k := range writers {
			writing.Go(func() {
				for i := k; i < imported; i += writers {
					s := tenant.Settings{Broker: "http://127.0.0.1:1"}
					if _, err := store.Write(b.Context(), by, registry.TenantKey(fmt.Sprintf("t%d", i)), s, "import", 0); err != nil {
						b.Error(err)
					}
				}
			})
		}
		go func() { writing.Wait(); close(done) }()
		for i, going := 0, true; going; i++ {
			sent := time.Now()
			r.outcomeOf("quiet", r.publish("quiet", lasting(fmt.Sprint(i))))
			took = append(took, time.Since(sent))
			select {
			case <-done:
				going = false
			default:
			}
		}
		w.stop()
		end()
		all.Wait()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/p99")
}
