package fleet

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawMembers(t *rapid.T, most int) []candidate {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}_[0-9a-f]{2}`), 1, most, rapid.ID[string]).Draw(t, "members")
	members := make([]candidate, len(ids))
	for i, id := range ids {
		members[i] = candidate{id, rapid.Bool().Draw(t, "overloaded "+id)}
	}
	return members
}

func drawHolders(t *rapid.T, members []candidate) []string {
	names := []string{""}
	for _, m := range members {
		names = append(names, m.id)
	}
	return rapid.SliceOfN(rapid.SampledFrom(names), 1, 40).Draw(t, "holders")
}

func counts(owners []string) map[string]int {
	n := make(map[string]int)
	for _, o := range owners {
		n[o]++
	}
	return n
}

// TestAssignKeepsTheBound: every shard has an owner, nobody more than ceil(S/n), whatever
// they held before, and the order of members does not matter.
func TestAssignKeepsTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t, 12)
		holders := drawHolders(t, members)
		got := assign(members, holders)
		for owner, n := range counts(got) {
			if owner == "" || n > bound(len(holders), len(members)) {
				t.Fatalf("%q gets %d of %d shards among %d: %v", owner, n, len(holders), len(members), got)
			}
		}
		shuffled := rapid.Permutation(members).Draw(t, "shuffled")
		if again := assign(shuffled, holders); !slices.Equal(got, again) {
			t.Fatalf("another order of members: %v, not %v", again, got)
		}
	})
}

// TestAssignIsAtRest: what was assigned is assigned again.
func TestAssignIsAtRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t, 12)
		got := assign(members, drawHolders(t, members))
		if again := assign(members, got); !slices.Equal(got, again) {
			t.Fatalf("%v becomes %v", got, again)
		}
	})
}

// TestAssignMovesLittle: a member that leaves moves its own shards and no others; one that
// comes moves only what others hold beyond the new bound.
func TestAssignMovesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t, 12)
		before := assign(members, drawHolders(t, members))
		if len(members) > 1 && rapid.Bool().Draw(t, "leaves") {
			gone := members[0].id
			holders := slices.Clone(before)
			for shard, owner := range holders {
				if owner == gone {
					holders[shard] = ""
				}
			}
			after := assign(members[1:], holders)
			for shard := range before {
				if before[shard] != gone && before[shard] != after[shard] {
					t.Fatalf("shard %d moves from %s to %s as %s leaves", shard, before[shard], after[shard], gone)
				}
			}
			return
		}
		after := assign(append(members, candidate{id: "new"}), before)
		excess, moved := 0, 0
		for _, n := range counts(before) {
			excess += max(0, n-bound(len(before), len(members)+1))
		}
		for shard := range before {
			if before[shard] != after[shard] {
				moved++
			}
		}
		if moved != excess {
			t.Fatalf("%d shards move, the bound requires %d: %v to %v", moved, excess, before, after)
		}
	})
}

// TestAssignSparesTheOverloaded: a member that has too much gets more only when nobody
// else has room.
func TestAssignSparesTheOverloaded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t, 6)
		holders := drawHolders(t, members)
		got := assign(members, holders)
		has := counts(got)
		for shard, owner := range got {
			i := slices.IndexFunc(members, func(m candidate) bool { return m.id == owner })
			if owner == holders[shard] || !members[i].overloaded {
				continue
			}
			for _, m := range members {
				if !m.overloaded && has[m.id] < bound(len(got), len(members)) {
					t.Fatalf("overloaded %s gets shard %d, and %s has room: %v", owner, shard, m.id, got)
				}
			}
		}
	})
}

// TestRankSpreads: over many shards, no member ranks first for far more than its share.
func TestRankSpreads(t *testing.T) {
	const members, shards = 10, 10_000
	first := make(map[string]int)
	for shard := range shards {
		best := ""
		for m := range members {
			if id := fmt.Sprintf("pod-%d_0badcafe", m); best == "" || rank(id, shard) > rank(best, shard) {
				best = id
			}
		}
		first[best]++
	}
	for id, n := range first {
		if n < shards/members*8/10 || n > shards/members*12/10 {
			t.Errorf("%s ranks first for %d of %d shards", id, n, shards)
		}
	}
}

// model is a fleet without time: what the bucket says, and who serves what.
type model struct {
	members []candidate
	owners  []string
}

// act does what one member does when it sees the bucket as it is: it gives up what is not
// assigned to it, and takes what is and is free.
func (m *model) act(self string) (changed bool) {
	live := func(id string) bool {
		return slices.ContainsFunc(m.members, func(c candidate) bool { return c.id == id })
	}
	holders := slices.Clone(m.owners)
	for shard, id := range holders {
		if !live(id) {
			holders[shard] = ""
		}
	}
	for shard, target := range assign(m.members, holders) {
		switch owner := m.owners[shard]; {
		case owner == self && target != self:
			m.owners[shard], changed = "", true
		case target == self && owner != self && !live(owner):
			m.owners[shard], changed = self, true
		}
	}
	return changed
}

// TestFleetConverges: members come and go and act in any order; once nobody comes or goes
// any more, a few rounds settle everything within the bound.
func TestFleetConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{owners: make([]string, rapid.IntRange(1, 32).Draw(t, "shards"))}
		next := 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
			case kind == 0 || len(m.members) == 0:
				m.members = append(m.members, candidate{id: fmt.Sprintf("m%d", next)})
				next++
			case kind == 1:
				i := rapid.IntRange(0, len(m.members)-1).Draw(t, "goes")
				m.members = slices.Delete(m.members, i, i+1)
			default:
				m.act(rapid.SampledFrom(m.members).Draw(t, "acts").id)
			}
		}
		if len(m.members) == 0 {
			return
		}
		const enough = 3 // one to give up, one to take, one to see that all is well
		for round := 0; ; round++ {
			changed := false
			for _, c := range rapid.Permutation(m.members).Draw(t, "turns") {
				changed = m.act(c.id) || changed
			}
			if !changed {
				break
			}
			if round == enough {
				t.Fatalf("does not settle: %v", m.owners)
			}
		}
		for owner, n := range counts(m.owners) {
			if owner == "" || n > bound(len(m.owners), len(m.members)) {
				t.Fatalf("%q holds %d of %d shards among %d: %v", owner, n, len(m.owners), len(m.members), m.owners)
			}
		}
	})
}
