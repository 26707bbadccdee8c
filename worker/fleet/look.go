package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Snapshot is the fleet as its bucket shows it.
type Snapshot struct {
	// Members by id.
	Members map[string]Member
	// Leases by shard; the zero value is of a shard that nobody ever took.
	Leases []Record
}

// errSeen ends a look at the bucket.
var errSeen = errors.New("fleet: seen")

// lookTimeout bounds a look.
const lookTimeout = 5 * time.Second

// Look reads the bucket once, and disturbs nobody. It fails if there is none.
func Look(ctx context.Context, l *ledger.Ledger) (Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if err := exists(ctx, l); err != nil {
		return Snapshot{}, err
	}
	v := newView(l.Shards())
	s := Snapshot{Members: v.members, Leases: make([]Record, l.Shards())}
	empty, err := l.Bucket(ledger.FleetBucket).Empty(ctx)
	if err != nil || empty {
		return s, err
	}
	err = l.Bucket(ledger.FleetBucket).Watch(ctx, func(c ledger.KeyChange) error {
		if _, err := v.apply(c, time.Now()); err != nil && !errors.Is(err, errForeign) {
			return err
		}
		if v.current {
			return errSeen
		}
		return nil
	})
	if !errors.Is(err, errSeen) {
		return Snapshot{}, err
	}
	for shard, e := range v.shards {
		s.Leases[shard] = e.Record
	}
	return s, nil
}

// exists says what to do if the bucket does not.
func exists(ctx context.Context, l *ledger.Ledger) error {
	_, err := l.JetStream().KeyValue(ctx, ledger.FleetBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return fmt.Errorf("fleet: there is no bucket %s on this server; provision the ledger (worker provision)", ledger.FleetBucket)
	}
	return nil // whatever else is wrong shows itself where we wait for it
}
