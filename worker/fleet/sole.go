package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"golang.org/x/sync/errgroup"
)

// Sole owns every shard. If a second worker starts, it takes all of them: the first
// learns it from the ledger and ends with [ErrLost].
type Sole struct{ Ledger *ledger.Ledger }

// Run implements [Ownership]. The first shard that fails ends them all.
func (s Sole) Run(ctx context.Context, drain <-chan struct{}, serve Serve) error {
	bucket, err := s.Ledger.JetStream().KeyValue(ctx, ledger.FleetBucket)
	if err != nil {
		return fmt.Errorf("fleet: open bucket %s: %w", ledger.FleetBucket, err)
	}
	leases := make([]Lease, s.Ledger.Shards())
	for shard := range leases {
		epoch, err := raiseEpoch(ctx, bucket, shard)
		if err != nil {
			return err
		}
		leases[shard] = Lease{Shard: shard, Epoch: epoch, Draining: drain}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range leases {
		group.Go(func() error { return serve(ctx, l) })
	}
	return group.Wait()
}

// raiseEpoch makes this worker the newest owner of a shard.
func raiseEpoch(ctx context.Context, bucket jetstream.KeyValue, shard int) (uint64, error) {
	key := "epoch." + strconv.Itoa(shard)
	for {
		epoch, revision := uint64(0), uint64(0)
		entry, err := bucket.Get(ctx, key)
		switch {
		case err == nil:
			revision = entry.Revision()
			if epoch, err = strconv.ParseUint(string(entry.Value()), 10, 64); err != nil {
				return 0, fmt.Errorf("fleet: bucket %s, key %s: %q is no epoch: %w", ledger.FleetBucket, key, entry.Value(), err)
			}
		case !errors.Is(err, jetstream.ErrKeyNotFound):
			return 0, fmt.Errorf("fleet: read the epoch of shard %d: %w", shard, err)
		}
		epoch++
		_, err = bucket.Update(ctx, key, []byte(strconv.FormatUint(epoch, 10)), revision)
		if err == nil {
			return epoch, nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) && !ledger.IsConflict(err) {
			return 0, fmt.Errorf("fleet: raise the epoch of shard %d: %w", shard, err)
		}
	}
}
