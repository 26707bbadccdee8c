package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

// BenchmarkAppend is the compare-and-set append of outcomes, for so many tenants at once.
func BenchmarkAppend(b *testing.B) {
	for _, tenants := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
			l, _ := ledgertest.Open(b, 8)
			tips := make([]uint64, tenants)
			names := make([]string, tenants)
			for i := range names {
				names[i] = fmt.Sprintf("t%d", i)
			}
			o := order.Outcome{Version: 1, IntentID: "0192f0c1-0000-7000-8000-000000000000", Status: order.Accepted, Kind: order.KindOrder,
				BrokerOrderID: "904837e3-3b76-47ec-b432-046db621571b", HTTPStatus: 200, Attempts: 1, Worker: "w", Epoch: 1,
				Published: time.Now(), Received: time.Now(), Submitted: time.Now(), Answered: time.Now(), Committed: time.Now()}
			under := make([]jetstream.PubAckFuture, tenants)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				n := i % tenants
				if f := under[n]; f != nil {
					select {
					case ack := <-f.Ok():
						tips[n] = ack.Sequence
					case err := <-f.Err():
						b.Fatal(err)
					}
				}
				o.IntentSeq = uint64(i + 1)
				f, err := l.Append(l.ShardOf(names[n]), names[n], &o, tips[n])
				if err != nil {
					b.Fatal(err)
				}
				under[n] = f
			}
			<-l.JetStream().PublishAsyncComplete()
		})
	}
}

// BenchmarkFold is what a worker does to each message of the ledger when it takes a shard.
func BenchmarkFold(b *testing.B) {
	entries := make([]ledger.Entry, 0, 2000)
	for i := range uint64(1000) {
		tenant := fmt.Sprintf("t%d", i%100)
		intent, err := order.EncodeIntent(order.Intent{ID: fmt.Sprint(i), Kind: order.KindCancelAll, ExpiresAt: time.Now()})
		if err != nil {
			b.Fatal(err)
		}
		outcome, err := order.EncodeOutcome(order.Outcome{IntentID: fmt.Sprint(i), IntentSeq: 2*i + 1, Status: order.Accepted, Worker: "w", Epoch: 1})
		if err != nil {
			b.Fatal(err)
		}
		entries = append(entries,
			ledger.Entry{Class: ledger.Intents, Tenant: tenant, Seq: 2*i + 1, Data: intent},
			ledger.Entry{Class: ledger.Outcomes, Tenant: tenant, Seq: 2*i + 2, Data: outcome})
	}
	fold := ledger.NewFold(0, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := fold.Apply(entries[i%len(entries)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnsettled finds the tenants with open orders among ten thousand of a shard.
func BenchmarkUnsettled(b *testing.B) {
	const tenants = 10_000
	l, _ := ledgertest.Open(b, 1)
	for n := range tenants {
		name := fmt.Sprint("tenant-", n)
		seq, err := appendOutcome(b, l, name, order.Outcome{IntentSeq: 1, Kind: order.KindOrder, Status: order.Accepted, Worker: "w", Epoch: 1}, 0)
		if err != nil {
			b.Fatal(err)
		}
		if n%100 == 0 {
			continue
		}
		if _, err := appendUpdate(b, l, name, fill("order", seq+1), 0); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		open, err := l.Unsettled(b.Context(), 0)
		if err != nil || len(open) != tenants/100 {
			b.Fatalf("%d are open: %v", len(open), err)
		}
	}
}
