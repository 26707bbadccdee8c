package shard

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/session"
	"pgregory.net/rapid"
)

// TestMarkLeavesNothingOut: every tenant with work begins at the watermark or is named, with
// its first undone intent; few are named, and none that is not far behind.
func TestMarkLeavesNothingOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		position := rapid.Uint64Range(0, 4*farBehind).Draw(t, "position")
		all := make([]undone, rapid.IntRange(0, 2*maxBehind).Draw(t, "tenants"))
		for i := range all {
			all[i] = undone{fmt.Sprint("t", i), rapid.Uint64Range(1, position+1).Draw(t, "seq")}
		}
		slices.SortFunc(all, func(a, b undone) int { return int(a.seq) - int(b.seq) })
		m := mark(all, position)
		if len(m.Behind) > maxBehind || m.Low > position+1 {
			t.Fatalf("%+v of %v at %d", m, all, position)
		}
		for _, u := range all {
			first, named := m.Behind[u.tenant]
			switch {
			case named && first != u.seq, !named && u.seq < m.Low:
				t.Fatalf("%+v is left out of %+v", u, m)
			case named && u.seq+farBehind > position:
				t.Fatalf("%+v is not far behind %d", u, position)
			}
		}
	})
}

// TestGaps: only what lies before the fold's beginning is a gap, and it ends where the fold
// begins, however far a session has read.
func TestGaps(t *testing.T) {
	m := fleet.Mark{Low: 100, Behind: map[string]uint64{"far": 3, "near": 95}}
	s := &shard{gaps: gapsOf(m, 90)}
	if len(s.gaps) != 1 || *s.gaps["far"] != (gap{3, 90}) {
		t.Fatalf("%+v", s.gaps)
	}
	for _, step := range []struct{ read, next uint64 }{{0, 3}, {12, 13}, {5, 13}, {88, 89}} {
		if s.passed("far", step.read); s.gaps["far"].next != step.next {
			t.Errorf("after %d: %+v", step.read, s.gaps["far"])
		}
	}
	s.passed("near", 95) // has none
	if s.passed("far", 89); len(s.gaps) != 0 {
		t.Errorf("at its end: %+v", s.gaps)
	}
}

// TestALeaseStaysSmall: what a shard writes into its lease is bounded, however many tenants
// are far behind or in doubt, and however long their names are.
func TestALeaseStaysSmall(t *testing.T) {
	const tenants, limit = 1000, 32 << 10
	s := &shard{folded: true, doubts: make(map[string]session.Doubt)}
	var all []undone
	for i := range tenants {
		name := fmt.Sprintf("%048d", i)
		all = append(all, undone{name, uint64(i + 1)})
		size := func() int {
			left := s.legacy()
			record, err := json.Marshal(fleet.Record{
				Owner: "a-host-with-a-long-name-abcdef", Epoch: 1 << 60,
				Mark: mark(all, 1<<62), Clean: left.Clean, Left: left.Tenants,
			})
			if err != nil {
				t.Fatal(err)
			}
			return len(record)
		}
		if s.doubt(name, session.Doubt{Intents: 1}); size() > limit {
			t.Fatalf("%d bytes for %d tenants", size(), i+1)
		}
	}
	if left := s.legacy(); left.Clean {
		t.Errorf("%d tenants are in doubt, and %d are named", tenants, len(left.Tenants))
	}
}
