package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Stretch says which part of a ledger is meant. The zero value is all of it.
type Stretch struct {
	// Tenants are those meant; empty for all.
	Tenants []string `json:"tenants,omitempty"`
	// Since and Until bound the times at which the ledger took a message: from Since on,
	// before Until. Zero is no bound.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// From and To bound the sequence numbers in each shard, both included. 0 is no bound.
	From uint64 `json:"from_seq,omitempty"`
	To   uint64 `json:"to_seq,omitempty"`
}

// Holds says whether a message is within the stretch.
func (s Stretch) Holds(e ledger.Entry) bool {
	return s.Names(e.Tenant) && !s.Before(e) && !s.After(e)
}

// Names says whether a tenant is meant. What is of no tenant, the epochs of a shard, is meant
// with each tenant of the shard.
func (s Stretch) Names(tenant string) bool {
	return len(s.Tenants) == 0 || tenant == "" || slices.Contains(s.Tenants, tenant)
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

// within narrows a stretch to what a source has of it.
func (s Stretch) within(all Stretch) Stretch {
	if len(s.Tenants) == 0 {
		s.Tenants = all.Tenants
	}
	if s.Since.Before(all.Since) {
		s.Since = all.Since
	}
	if !all.Until.IsZero() && (s.Until.IsZero() || s.Until.After(all.Until)) {
		s.Until = all.Until
	}
	s.From = max(s.From, all.From)
	if all.To != 0 && (s.To == 0 || s.To > all.To) {
		s.To = all.To
	}
	return s
}

// Extent is what of a ledger a source has.
type Extent struct {
	// Stretch is the part that it has; the zero value is all of the ledger.
	Stretch
	// AsOf is when the end of an unbounded stretch was the ledger's; zero: it is now.
	AsOf time.Time
}

// Has says what a stretch asks for that the source does not have, as an [*OutsideError]; nil if
// it has all.
func (x Extent) Has(s Stretch) error {
	for _, t := range s.Tenants {
		if !x.Names(t) {
			return &OutsideError{"it has no messages of tenant " + t}
		}
	}
	switch {
	case !s.Since.IsZero() && s.Since.Before(x.Since):
		return &OutsideError{"it begins at " + x.Since.UTC().Format(time.RFC3339Nano)}
	case !x.Until.IsZero() && s.Until.After(x.Until):
		return &OutsideError{"it ends at " + x.Until.UTC().Format(time.RFC3339Nano)}
	case s.From != 0 && s.From < x.From:
		return &OutsideError{fmt.Sprintf("it begins at sequence %d", x.From)}
	case x.To != 0 && s.To > x.To:
		return &OutsideError{fmt.Sprintf("it ends at sequence %d", x.To)}
	}
	return nil
}

// ErrSkipShard ends the reading of a shard in peace, if what it is delivered to returns it.
var ErrSkipShard = errors.New("history: enough of this shard")

// Progress is told how far a long reading is, phase by phase.
type Progress func(phase string, done, of int)

// Source is a ledger that is read.
type Source interface {
	// Name says which ledger it is, for people.
	Name() string
	// Shards is the number of shards.
	Shards() int
	// Extent is what of the ledger the source has.
	Extent() Extent
	// Read calls deliver for every message of a stretch, shard by shard, in the order of
	// each shard, up to what the shard's end was when its reading began. It ends with
	// deliver's error; after [ErrSkipShard] it goes on with the next shard.
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
