package fleet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

const shards = 3

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// leases collects what an ownership hands out.
type leases struct {
	mu  sync.Mutex
	all []fleet.Lease
}

func (c *leases) take(_ context.Context, l fleet.Lease) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, l)
	return nil
}

// Every shard is served once, and each take-over has greater epochs than the one before.
func TestSoleTakesEveryShard(t *testing.T) {
	l, _ := ledgertest.Open(t, shards)
	epoch := uint64(0)
	for range 3 {
		var got leases
		if err := (fleet.Sole{Ledger: l}).Run(t.Context(), nil, got.take); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got.all, func(a, b fleet.Lease) int { return a.Shard - b.Shard })
		if len(got.all) != shards {
			t.Fatalf("%d leases of %d shards", len(got.all), shards)
		}
		for shard, lease := range got.all {
			if lease.Shard != shard || lease.Epoch <= epoch {
				t.Errorf("lease %+v after epoch %d", lease, epoch)
			}
		}
		epoch = got.all[0].Epoch
	}
}

// Two that start at once have different epochs: one of them is the newest.
func TestSoleRace(t *testing.T) {
	l, _ := ledgertest.Open(t, shards)
	const rivals = 8
	got := make([]leases, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() {
			if err := (fleet.Sole{Ledger: l}).Run(t.Context(), nil, got[i].take); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := make(map[fleet.Lease]bool)
	for i := range got {
		for _, lease := range got[i].all {
			if seen[lease] {
				t.Errorf("two workers have %+v", lease)
			}
			seen[lease] = true
		}
	}
	if len(seen) != rivals*shards {
		t.Errorf("%d leases", len(seen))
	}
}

// The first shard that fails ends the others, and Run returns after all have.
func TestSoleFailsTogether(t *testing.T) {
	l, _ := ledgertest.Open(t, shards)
	boom := errors.New("boom")
	var ended sync.WaitGroup
	ended.Add(shards)
	err := fleet.Sole{Ledger: l}.Run(t.Context(), nil, func(ctx context.Context, lease fleet.Lease) error {
		defer ended.Done()
		if lease.Shard == 1 {
			return boom
		}
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	ended.Wait()
}

func TestSoleDrains(t *testing.T) {
	l, _ := ledgertest.Open(t, shards)
	drain := make(chan struct{})
	var started sync.WaitGroup
	started.Add(shards)
	go func() {
		started.Wait()
		close(drain)
	}()
	err := fleet.Sole{Ledger: l}.Run(t.Context(), drain, func(ctx context.Context, lease fleet.Lease) error {
		started.Done()
		select {
		case <-lease.Draining:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// What somebody else wrote into the bucket is an error that names key and value.
func TestSoleRefusesAForeignEpoch(t *testing.T) {
	l, _ := ledgertest.Open(t, shards)
	bucket, err := l.JetStream().KeyValue(t.Context(), ledger.FleetBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), "epoch.2", []byte("many")); err != nil {
		t.Fatal(err)
	}
	err = fleet.Sole{Ledger: l}.Run(t.Context(), nil, func(context.Context, fleet.Lease) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "epoch.2") || !strings.Contains(err.Error(), `"many"`) {
		t.Errorf("got %v", err)
	}
	if err := l.JetStream().DeleteKeyValue(t.Context(), ledger.FleetBucket); err != nil {
		t.Fatal(err)
	}
	err = fleet.Sole{Ledger: l}.Run(t.Context(), nil, func(context.Context, fleet.Lease) error { return nil })
	if err == nil || !strings.Contains(err.Error(), ledger.FleetBucket) {
		t.Errorf("without a bucket: %v", err)
	}
}
