package shard

import (
	"cmp"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// settleInterval is how often a shard works out from where its next owner has to read.
const settleInterval = 5 * time.Second

// A tenant whose work reaches far back, because its backlog is long or it is held, must not
// make everybody's next take-over long: the low watermark leaves out at most maxBehind
// tenants whose first intent without an outcome is more than farBehind messages old. The
// next owner begins to fold at the watermark, and their sessions read what lies before it
// themselves. That many, with the longest names, make a lease's value some 20 KiB.
const (
	farBehind = 1 << 16
	maxBehind = 256
)

// gap is the part of a tenant's work that lies before what the fold has read.
type gap struct {
	next uint64 // where its session reads on
	end  uint64 // the first message that the fold has read
}

// gapsOf are the gaps that a fold from begin on leaves.
func gapsOf(m fleet.Mark, begin uint64) map[string]*gap {
	gaps := make(map[string]*gap)
	for name, first := range m.Behind {
		if first < begin {
			gaps[name] = &gap{first, begin}
		}
	}
	return gaps
}

// passed notes how far a session has read in its tenant's gap.
func (s *shard) passed(name string, read uint64) {
	g := s.gaps[name]
	if g == nil {
		return
	}
	g.next = max(g.next, read+1)
	if g.next >= g.end {
		delete(s.gaps, name)
	}
}

// hasWork says that a tenant without a session needs one.
func (s *shard) hasWork(name string) bool {
	return s.gaps[name] != nil || len(s.rest[name]) > 0 || s.fold.Waiting(name) > 0
}

// tenantsDue yields every tenant that has work when the shard is folded, once.
func (s *shard) tenantsDue(yield func(name string) bool) {
	for name := range s.gaps {
		if !yield(name) {
			return
		}
	}
	for name := range s.fold.Due {
		if s.gaps[name] == nil && !yield(name) {
			return
		}
	}
}

// settled reports from where the next owner has to read.
func (s *shard) settled() {
	if !s.folded {
		return
	}
	if m := mark(s.undoneFirst(), s.position); m.Low >= s.lease.Mark.Low {
		s.lease.Settled(m)
	}
}

// undone is a tenant's first intent that has no outcome, as far as the shard has read.
type undone struct {
	tenant string
	seq    uint64
}

// undoneFirst are the tenants with work, in the order of their first undone intent.
func (s *shard) undoneFirst() []undone {
	first := make(map[string]uint64)
	note := func(name string, seq uint64) {
		if at, ok := first[name]; seq != 0 && (!ok || seq < at) {
			first[name] = seq
		}
	}
	for name, seq := range s.fold.Firsts {
		note(name, seq)
	}
	for name, rest := range s.rest {
		note(name, rest[0].Seq)
	}
	for name, g := range s.gaps {
		note(name, g.next)
	}
	for name, t := range s.live {
		note(name, t.pending())
	}
	for name, seq := range s.left {
		note(name, seq)
	}
	all := make([]undone, 0, len(first))
	for name, seq := range first {
		all = append(all, undone{name, seq})
	}
	slices.SortFunc(all, func(a, b undone) int { return cmp.Compare(a.seq, b.seq) })
	return all
}

// mark is the watermark of a shard that has read up to position.
func mark(all []undone, position uint64) fleet.Mark {
	m := fleet.Mark{Low: position + 1}
	for _, u := range all {
		if len(m.Behind) == maxBehind || u.seq+farBehind > position {
			m.Low = u.seq
			break
		}
		if m.Behind == nil {
			m.Behind = make(map[string]uint64)
		}
		m.Behind[u.tenant] = u.seq
	}
	return m
}

// given notes intents that the fold forgets because a session gets them.
func (t *served) given(due []ledger.Due) []ledger.Due {
	if len(due) > 0 {
		t.spans(due[0].Seq, due[len(due)-1].Seq)
	}
	return due
}

// spans notes that the session has intents from first to at most last.
func (t *served) spans(first, last uint64) {
	if t.first == 0 {
		t.first = first
	}
	t.taken = max(t.taken, last)
}

// pending is at most the first of the intents that the session was given and that have
// no outcome on the ledger, as far as the shard has read it; 0 if there is none.
func (t *served) pending() uint64 {
	if t.taken == 0 {
		return 0
	}
	done := uint64(0)
	if t.outcome != nil {
		done, _ = ledger.PeekIntentSeq(t.outcome) // unreadable: none is known to be done
	}
	if done >= t.taken {
		return 0
	}
	return max(t.first, done+1)
}
