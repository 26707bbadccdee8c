package shard

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// settleInterval is how often a shard works its low watermark out.
const settleInterval = 5 * time.Second

// settled reports the low watermark.
func (s *shard) settled() {
	if low := s.low(); low > s.lease.Low {
		s.lease.Settled(low)
	}
}

// low is the low watermark: every intent before it has its outcome.
func (s *shard) low() uint64 {
	low := s.position + 1
	for _, first := range []uint64{s.fold.First(), s.undone} {
		if first != 0 {
			low = min(low, first)
		}
	}
	for _, t := range s.live {
		if first := t.pending(); first != 0 {
			low = min(low, first)
		}
	}
	for _, rest := range s.rest {
		low = min(low, rest[0].Seq)
	}
	return low
}

// given notes intents that the fold forgets because a session gets them.
func (t *tenant) given(due []ledger.Due) []ledger.Due {
	if len(due) > 0 {
		if t.first == 0 {
			t.first = due[0].Seq
		}
		t.taken = due[len(due)-1].Seq
	}
	return due
}

// pending is at most the first of the intents that the session was given and that have
// no outcome on the ledger, as far as the shard has read it; 0 if there is none.
func (t *tenant) pending() uint64 {
	if t.taken == 0 {
		return 0
	}
	done := uint64(0)
	if t.outcome != nil {
		done, _ = ledger.PeekIntentSeq(t.outcome) //nolint:errcheck // unreadable: none is known to be done
	}
	if done >= t.taken {
		return 0
	}
	return max(t.first, done+1)
}
