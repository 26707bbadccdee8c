// Package retention lets a ledger lose what it need not keep any longer.
//
//	lease in the bucket FLEET: low watermark ───────┐
//	the ledger's retention: a moment ───────────────┼──> what is before all leaves its shard
//	the ledger: outcomes that hold, open orders ────┘
//
// The shard's owner, and nobody else, says what is done: its low watermark, and those of the
// tenants that lie behind it, only grow. So an old one is merely cautious, and whoever trims
// with it, the owner or another, does the same; nobody has to be alone. While nobody owns a
// shard, its watermark stands still, and so does what it keeps.
package retention

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/rs/zerolog"
)

// interval is how often a worker looks, on average.
const interval = 10 * time.Minute

// Run trims the shards of a ledger until ctx ends. Without a retention it returns at once. Followed
// says that the fleet follows its orders to their ends.
func Run(ctx context.Context, l *ledger.Ledger, followed bool, log zerolog.Logger) {
	if l.Retention() == 0 {
		return
	}
	for {
		select {
		case <-time.After(rand.N(2 * interval)):
		case <-ctx.Done():
			return
		}
		n, err := Trim(ctx, l, followed, time.Now())
		switch {
		case ctx.Err() != nil:
		case err != nil:
			log.Warn().Err(err).Msg("what is older than the ledger's retention stays for now")
		case n > 0:
			log.Info().Uint64("messages", n).Dur("retention", l.Retention()).Msg("older messages left the ledger")
		}
	}
}

// Trim removes from every shard what the ledger's retention does not keep and every tenant is
// done with, and returns how many messages that is. See [ledger.Ledger.Trim].
func Trim(ctx context.Context, l *ledger.Ledger, followed bool, now time.Time) (uint64, error) {
	snapshot, err := fleet.Look(ctx, l)
	if err != nil {
		return 0, err
	}
	var all uint64
	var errs []error
	for shard, lease := range snapshot.Leases {
		n, err := l.Trim(ctx, shard, done(lease.Mark), followed, now)
		all += n
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// done is the first message of a shard that may be an intent without an outcome.
func done(m fleet.Mark) uint64 {
	first := m.Low
	for _, seq := range m.Behind {
		first = min(first, seq)
	}
	return first
}
