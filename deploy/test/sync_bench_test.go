package test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// BenchmarkSync is what it costs that servers sync to disk before they acknowledge: outcomes
// committed by compare-and-set, and intents published, for 256 tenants at once. Each figure
// is beside that of one server that does not sync, in the same run, on the same disk.
func BenchmarkSync(b *testing.B) {
	base := make(map[string]float64)
	for _, setting := range []struct {
		name    string
		servers int
		options []string
	}{
		{"servers=1/lazy", 1, nil},
		{"servers=1/always", 1, []string{"--sync-always"}},
		{"servers=3/lazy", 3, nil},
		{"servers=3/always", 3, []string{"--sync-always"}},
	} {
		b.Run(setting.name, func(b *testing.B) {
			nc := dial(b, serve(b, setting.servers, setting.options), nil)
			provision(b, nc, func(s *ledger.Settings) { s.Replicas = setting.servers })
			measure := func(what string, run func(*testing.B, *nats.Conn)) {
				b.Run(what, func(b *testing.B) {
					began := time.Now()
					run(b, nc)
					rate := float64(b.N) / time.Since(began).Seconds()
					if setting.name == "servers=1/lazy" {
						base[what] = rate
					}
					b.ReportMetric(rate, "per-second")
					b.ReportMetric(rate/base[what], "of-one-lazy")
				})
			}
			measure("commits", commit)
			measure("publishes", publish)
		})
	}
}

// serve runs servers as processes of their own, and returns where they are.
func serve(b *testing.B, servers int, options []string) string {
	b.Helper()
	if servers > 1 {
		return newCluster(b, options...).servers()
	}
	var ready parts.NATSReady
	p, err := parts.Spawn(b.Context(), &ready, parts.NATS, append(options, "--dir", b.TempDir(), "--shards", fmt.Sprint(troubledShards))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Stop(); err != nil {
			b.Error(err)
		}
	})
	return ready.URL
}

const manyTenants = 256

// round tells one round of a benchmark's tenants from another's: the servers stay.
var round int

// commit writes outcomes, each tenant's next when its last is acknowledged.
func commit(b *testing.B, nc *nats.Conn) {
	l, err := ledger.Open(b.Context(), nc)
	if err != nil {
		b.Fatal(err)
	}
	round++
	o := order.Outcome{
		Version: 1, IntentID: order.NewID(), Status: order.Accepted, Kind: order.KindOrder, BrokerOrderID: order.NewID(),
		HTTPStatus: 200, Attempts: 1, Worker: "w", Epoch: 1, Published: time.Now(), Received: time.Now(), Submitted: time.Now(), Answered: time.Now(), Committed: time.Now(),
	}
	var tips [manyTenants]uint64
	var under [manyTenants]jetstream.PubAckFuture
	settle := func(n int) {
		if under[n] == nil {
			return
		}
		select {
		case ack := <-under[n].Ok():
			tips[n] = ack.Sequence
		case err := <-under[n].Err():
			b.Fatal(err)
		}
	}
	for i := range b.N {
		n := i % manyTenants
		settle(n)
		name := fmt.Sprintf("c%d-%d", round, n)
		o.IntentSeq = uint64(i + 1)
		if under[n], err = l.Append(l.ShardOf(name), name, &o, tips[n]); err != nil {
			b.Fatal(err)
		}
	}
	for n := range under {
		settle(n)
	}
}

// publish publishes intents, each tenant's next when its last is acknowledged.
func publish(b *testing.B, nc *nats.Conn) {
	p, err := producer.New(b.Context(), nc)
	if err != nil {
		b.Fatal(err)
	}
	round++
	for r := range p.PublishAll(b.Context(), func(yield func(producer.Item) bool) {
		for i := range b.N {
			if !yield(producer.Item{Tenant: fmt.Sprintf("p%d-%d", round, i%manyTenants), Intent: rest(fmt.Sprint(i))}) {
				return
			}
		}
	}) {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
	}
}
