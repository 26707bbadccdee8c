package ledger

// generation is how many ids one generation of recent holds.
const generation = 64 << 10

// recent remembers which intent first used an id, for at least the last 65,536
// and at most the last 131,072 ids of a shard: two generations, of which the
// older is dropped when the younger is full. It keeps fingerprints, not ids; a
// hit is a hint.
type recent struct {
	young, old map[uint64]uint64
}

// put remembers that an id was used at seq and returns who used it first, or 0.
func (r *recent) put(id, seq uint64) (first uint64) {
	if first := r.get(id); first != 0 {
		return first
	}
	if len(r.young) >= generation {
		r.old, r.young = r.young, nil
	}
	if r.young == nil {
		r.young = make(map[uint64]uint64)
	}
	r.young[id] = seq
	return 0
}

func (r *recent) get(id uint64) uint64 {
	if seq, ok := r.young[id]; ok {
		return seq
	}
	return r.old[id]
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
