package fleet

import (
	"cmp"
	"iter"
	"slices"
)

// candidate is a member that may serve shards.
type candidate struct {
	id string
	// overloaded members get more only if nobody else has room.
	overloaded bool
}

// bound is the most shards that any of so many members serves.
func bound(shards, members int) int { return (shards + members - 1) / members }

// assign says which member is to serve each shard. holders names, for each shard, the
// candidate that holds it now, or is empty. The result depends on nothing else, not even
// on the order of members, so all who see the same compute the same.
//
// A holder keeps what it has up to the bound, those shards first that rendezvous hashing
// ranks it highest for. What is left goes, each, to the member with room that it ranks
// highest. So a member that leaves moves its own shards and no others, and one that comes
// moves no more than the bound takes from those above it.
func assign(members []candidate, holders []string) []string {
	target := make([]string, len(holders))
	if len(members) == 0 {
		return target
	}
	room := make(map[string]int, len(members))
	for _, m := range members {
		room[m.id] = bound(len(holders), len(members))
	}
	for shard := range byRank(holders) {
		if holder := holders[shard]; room[holder] > 0 {
			target[shard] = holder
			room[holder]--
		}
	}
	for shard := range target {
		if target[shard] != "" {
			continue
		}
		best := slices.MaxFunc(members, func(a, b candidate) int {
			return cmp.Or(
				cmp.Compare(min(room[a.id], 1), min(room[b.id], 1)),
				-compareBool(a.overloaded, b.overloaded),
				cmp.Compare(rank(a.id, shard), rank(b.id, shard)),
				cmp.Compare(a.id, b.id),
			)
		})
		target[shard] = best.id
		room[best.id]--
	}
	return target
}

// byRank yields the held shards, each holder's highest ranks first.
func byRank(holders []string) iter.Seq[int] {
	shards := make([]int, 0, len(holders))
	for shard, holder := range holders {
		if holder != "" {
			shards = append(shards, shard)
		}
	}
	slices.SortFunc(shards, func(a, b int) int {
		return cmp.Or(cmp.Compare(rank(holders[b], b), rank(holders[a], a)), cmp.Compare(a, b))
	})
	return slices.Values(shards)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// rank is how high a shard ranks a member: the highest-random-weight hash of Thaler and
// Ravishankar, over FNV-1a with the finalizer of SplitMix64, since FNV alone hardly mixes
// the last bytes into the high bits.
func rank(member string, shard int) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(member) {
		h = (h ^ uint64(member[i])) * prime
	}
	h ^= uint64(shard) * 0x9E3779B97F4A7C15
	h = (h ^ h>>30) * 0xBF58476D1CE4E5B9
	h = (h ^ h>>27) * 0x94D049BB133111EB
	return h ^ h>>31
}
