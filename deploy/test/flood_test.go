package test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestFlood: a tenant that uses up its share of the ledger is refused, in words that say why
// and what to do; the others, of the same shard too, go on; all that was acknowledged ends in
// its outcome, although the tenant's share is full. With a greater share it goes on.
func TestFlood(t *testing.T) {
	t.Parallel()
	const share = 40
	c := newConfigured(t)
	c.start()
	s := troubled(t, c.url("admin", "a"), func(s *ledger.Settings) { s.MaxPerTenant = share })
	s.work()
	var receipts []producer.Receipt
	publish := func(tenant string, n int) {
		t.Helper()
		for range n {
			r, err := s.producer.Publish(t.Context(), tenant, rest(fmt.Sprint("i", len(receipts))))
			if err != nil {
				t.Fatal(err)
			}
			receipts = append(receipts, r)
		}
	}
	publish("greedy", share)
	var flood sync.WaitGroup
	for n := range 20 {
		flood.Go(func() {
			_, err := s.producer.Publish(t.Context(), "greedy", rest(fmt.Sprint("more", n)))
			if !errors.Is(err, producer.ErrRefused) || !errors.Is(err, producer.ErrFull) {
				t.Errorf("a publish beyond the share: %v", err)
			}
		})
	}
	for n := range troubledShards * 3 { // of every shard
		publish(fmt.Sprint("modest", n), share/2)
	}
	flood.Wait()
	s.settle(receipts)

	// Every move that would lose something is refused.
	settings := ledger.DefaultSettings()
	settings.Shards, settings.MaxPerTenant = troubledShards, share/4
	nc := dial(t, s.servers, func(*nats.Conn, *nats.Subscription, error) {})
	refused, ok := errors.AsType[*ledger.RefusedError](second(ledger.Provision(t.Context(), nc, settings)))
	if !ok || len(refused.Changes) != troubledShards {
		t.Errorf("a share that is smaller than what is there: %v", refused)
	}
	provision(t, nc, func(s *ledger.Settings) { s.MaxPerTenant = 2 * share })
	publish("greedy", share/2)
	s.settle(receipts)
}

func second[T any](_ T, err error) error { return err }

// TestNoShareForAnOutcome: where retention took intents and left their outcomes, these may use
// up a tenant's share. Then the tenant's next outcome waits, and with it the tenant and nobody
// else, until there is room.
func TestNoShareForAnOutcome(t *testing.T) {
	t.Parallel()
	const share = 3
	c := newConfigured(t)
	c.start()
	s := troubled(t, c.url("admin", "a"), func(s *ledger.Settings) { s.MaxPerTenant = share })
	l := s.producer.Ledger()
	shard, tip := l.ShardOf("greedy"), uint64(0)
	for range share { // as of intents that are gone
		f, err := l.Append(shard, "greedy", &order.Outcome{IntentID: "gone", IntentSeq: 0, Kind: order.KindCancelAll, Status: order.Accepted, Worker: "w", Epoch: 1}, tip)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case ack := <-f.Ok():
			tip = ack.Sequence
		case err := <-f.Err():
			t.Fatal(err)
		}
	}
	s.work()
	waits, err := s.producer.Publish(t.Context(), "greedy", rest("waits"))
	if err != nil {
		t.Fatal(err)
	}
	s.until("the worker says what to do", func() bool { return strings.Contains(s.log.String(), "ORDERFLEET_LEDGER_MAX_PER_TENANT") })
	for n := range troubledShards * 3 {
		r, err := s.producer.Publish(t.Context(), fmt.Sprint("modest", n), rest("goes-on"))
		if err != nil {
			t.Fatal(err)
		}
		if o, err := s.producer.Await(t.Context(), r); err != nil || o.Status != order.Accepted {
			t.Errorf("somebody else: %+v %v", o, err)
		}
	}
	provision(t, dial(t, s.servers, func(*nats.Conn, *nats.Subscription, error) {}), func(s *ledger.Settings) { s.MaxPerTenant = 2 * share })
	if o, err := s.producer.Await(t.Context(), waits); err != nil || o.Status != order.Accepted {
		t.Errorf("the one that waited: %+v %v", o, err)
	}
}
