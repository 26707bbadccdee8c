package ledger

import "github.com/orderfleet/orderfleet/shared/recent"

// generation is how many ids one generation of firsts holds.
const generation = 64 << 10

// firsts remembers which intent first used an id, for at least the last 65,536 and at most the
// last 131,072 ids of a shard. It keeps fingerprints, not ids; a hit is a hint.
type firsts struct{ recent.Map[uint64] }

func newFirsts() firsts { return firsts{recent.Map[uint64]{Generation: generation}} }

// put remembers that an id was used at seq and returns who used it first, or 0.
func (f *firsts) put(id, seq uint64) (first uint64) {
	if first, ok := f.Get(id); ok {
		return first
	}
	f.Put(id, seq)
	return 0
}

// fingerprint is the 64-bit FNV-1a hash of an id within its tenant.
func fingerprint(tenant, id string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(tenant) {
		h = (h ^ uint64(tenant[i])) * prime
	}
	h = (h ^ '.') * prime
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * prime
	}
	return h
}
