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

// clock tells a shard's time. The worker's own may be wrong by more than a retention leaves for.
type clock func(ctx context.Context, shard int) (time.Time, error)

// at is a clock that stands.
func at(now time.Time) clock {
	return func(context.Context, int) (time.Time, error) { return now, nil }
}

// Run trims the shards of a ledger until ctx ends, by its servers' clocks. Without a retention it returns at once. Followed
// says that the fleet follows its orders to their ends.
func Run(ctx context.Context, l *ledger.Ledger, followed bool, log zerolog.Logger) {
	if l.Retention() == 0 {
		return
	}
	told := make(teller)
	for {
		select {
		case <-time.After(rand.N(2 * interval)):
		case <-ctx.Done():
			return
		}
		n, kept, err := trim(ctx, l, followed, l.Now)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			log.Warn().Err(err).Msg("what is older than the ledger's retention stays for now")
		case n > 0:
			log.Info().Uint64("messages", n).Dur("retention", l.Retention()).Msg("older messages left the ledger")
		}
		told.tell(kept, log)
	}
}

// Trim removes from every shard what the ledger's retention does not keep and every tenant is
// done with at a moment, and returns how many messages that is. See [ledger.Ledger.Trim].
func Trim(ctx context.Context, l *ledger.Ledger, followed bool, now time.Time) (uint64, error) {
	n, _, err := trim(ctx, l, followed, at(now))
	return n, err
}

// trim also returns what stays of each shard although it is older, nil if nothing does. Shards
// that it could not look at are left out.
func trim(ctx context.Context, l *ledger.Ledger, followed bool, now clock) (all uint64, kept map[int]*ledger.Kept, err error) {
	snapshot, err := fleet.Look(ctx, l)
	if err != nil {
		return 0, nil, err
	}
	kept = make(map[int]*ledger.Kept)
	var errs []error
	for shard, lease := range snapshot.Leases {
		moment, err := now(ctx, shard)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t, err := l.Trim(ctx, shard, done(lease.Mark), followed, moment)
		if all += t.Messages; err == nil {
			kept[shard] = t.Kept
		}
		errs = append(errs, err)
	}
	return all, kept, errors.Join(errs...)
}

// teller remembers what was told of each shard, so that it is told once.
type teller map[int]ledger.Kept

// tell tells what keeps messages beyond their time: whose it is, and what can be done.
func (told teller) tell(kept map[int]*ledger.Kept, log zerolog.Logger) {
	for shard, k := range kept {
		if k == nil {
			delete(told, shard)
			continue
		}
		if before, ok := told[shard]; ok && before.Seq == k.Seq && before.Why == k.Why {
			continue
		}
		told[shard] = ledger.Kept{Entry: ledger.Entry{Seq: k.Seq}, Why: k.Why}
		level, says := zerolog.WarnLevel, "there may be an intent without an outcome from here on: see fleetctl status, and fleetctl explain"
		switch k.Why {
		case ledger.KeptHeld:
			says = "the tenant's last outcome is a failure that nobody released, whatever its policy: look into it, then fleetctl release " + k.Tenant + " --reason ..."
		case ledger.KeptOpen:
			level, says = zerolog.InfoLevel, "an order of the tenant's may be open: if the broker says that it is not, fleetctl reconcile "+k.Tenant
		case ledger.KeptDue:
		}
		log.WithLevel(level).Int("shard", shard).Str("tenant", k.Tenant).Uint64("seq", k.Seq).Time("since", k.Time).Str("why", says).
			Msg("a shard keeps what is older than the ledger's retention")
	}
}

// done is the first message of a shard that may be an intent without an outcome.
func done(m fleet.Mark) uint64 {
	first := m.Low
	for _, seq := range m.Behind {
		first = min(first, seq)
	}
	return first
}
