package history

import (
	"context"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Stretch says which part of a ledger is meant. The zero value is all of it.
type Stretch struct {
	// Tenants are those meant; empty for all.
	Tenants []string
	// Since and Until bound the times at which the ledger took a message: from Since on,
	// before Until. Zero is no bound.
	Since, Until time.Time
	// From and To bound the sequence numbers in each shard, both included. 0 is no bound.
	From, To uint64
}

// Holds says whether a message is within the stretch.
func (s Stretch) Holds(e ledger.Entry) bool {
	return s.Names(e.Tenant) && !s.Before(e) && !s.After(e)
}

// Names says whether a tenant is meant.
func (s Stretch) Names(tenant string) bool {
	return len(s.Tenants) == 0 || slices.Contains(s.Tenants, tenant)
}

// Before says that a message is before the stretch.
func (s Stretch) Before(e ledger.Entry) bool {
	return e.Seq < s.From || e.Time.Before(s.Since)
}

// After says that a message is behind the stretch, and so is what follows in its shard.
func (s Stretch) After(e ledger.Entry) bool {
	return s.To != 0 && e.Seq > s.To || !s.Until.IsZero() && !e.Time.Before(s.Until)
}

// Open is the stretch without its end: what became of the intents in a stretch may stand
// behind it.
func (s Stretch) Open() Stretch {
	s.Until, s.To = time.Time{}, 0
	return s
}

// Progress is told how far a long reading is, phase by phase.
type Progress func(phase string, done, of int)

// Source is a ledger that is read.
type Source interface {
	// Name says which ledger it is, for people.
	Name() string
	// Shards is the number of shards.
	Shards() int
	// Read calls deliver for every message of a stretch, shard by shard, in the order of
	// each shard, up to what the shard's end was when its reading began. It ends with
	// deliver's error.
	Read(ctx context.Context, s Stretch, progress Progress, deliver func(shard int, e ledger.Entry) error) error
}

// shards are those that a stretch touches.
func (s Stretch) shards(of int) []int {
	var all []int
	for shard := range of {
		if len(s.Tenants) == 0 || slices.ContainsFunc(s.Tenants, func(t string) bool { return ledger.ShardOf(t, of) == shard }) {
			all = append(all, shard)
		}
	}
	return all
}
