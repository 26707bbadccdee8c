package ledger

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Standing is where a tenant stands: all that a fold keeps of it.
type Standing struct {
	// Last is the sequence number of the tenant's latest intent.
	Last uint64
	// Done is the sequence number of the latest intent that has an outcome.
	// Outcomes come in the order of their intents: what is above it is due.
	Done uint64
}

// Due says whether the tenant has an intent without an outcome.
func (s *Standing) Due() bool { return s.Last > s.Done }

// Fold is what a shard's stream amounts to: where each tenant stands, and which
// intent ids were used lately. It holds no message. One goroutine owns it.
type Fold struct {
	shard     int
	standings map[string]*Standing
	ids       recent
}

// NewFold is the fold of an empty stream.
func NewFold(shard int) *Fold {
	return &Fold{shard: shard, standings: make(map[string]*Standing)}
}

// Apply folds one message in. Messages must come in the order of their sequence
// numbers. For an intent, first is the sequence number of an earlier intent that
// seems to bear the same id, or 0: a hint, to be checked at the ledger.
func (f *Fold) Apply(e Entry) (s *Standing, first uint64, err error) {
	s = f.standings[e.Tenant]
	if s == nil {
		s = new(Standing)
		f.standings[e.Tenant] = s
	}
	switch e.Class {
	case Intents:
		s.Last = e.Seq
		if id := order.PeekID(e.Data); id != "" {
			first = f.ids.put(fingerprint(e.Tenant, id), e.Seq)
		}
	case Outcomes:
		seq, err := peekIntentSeq(e.Data)
		if err != nil {
			return s, 0, fmt.Errorf("ledger: outcome at %s sequence %d: %w", StreamName(f.shard), e.Seq, err)
		}
		s.Done = max(s.Done, seq)
	case Updates:
	}
	return s, first, nil
}

// Standing is where a tenant stands; nil if the ledger does not know it.
func (f *Fold) Standing(tenant string) *Standing { return f.standings[tenant] }

// First is the earliest intent before seq that seems to bear an id, or 0: a hint,
// to be checked at the ledger.
func (f *Fold) First(tenant, id string, seq uint64) uint64 {
	if first := f.ids.get(fingerprint(tenant, id)); first < seq {
		return first
	}
	return 0
}

// Tenants is the number of tenants that the ledger knows.
func (f *Fold) Tenants() int { return len(f.standings) }

// Due calls yield for every tenant that has work, in no order.
func (f *Fold) Due(yield func(tenant string, s *Standing) bool) {
	for tenant, s := range f.standings {
		if s.Due() && !yield(tenant, s) {
			return
		}
	}
}

// peekIntentSeq reads no more of an outcome than the fold needs.
func peekIntentSeq(outcome []byte) (uint64, error) {
	var o struct {
		IntentSeq uint64 `json:"intent_seq"`
	}
	if err := json.Unmarshal(outcome, &o); err != nil {
		return 0, err
	}
	return o.IntentSeq, nil
}
