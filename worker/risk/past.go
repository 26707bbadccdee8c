package risk

import "hash/maphash"

// past remembers the last orders that are over, at least pastSize of them, as hashes: what
// is told of one again, or of a leg before what it hangs on, comes within moments.
type past struct{ recent, older map[uint64]struct{} }

const pastSize = 1 << 12

var pastSeed = maphash.MakeSeed()

func (p *past) add(id string) {
	if len(p.recent) >= pastSize {
		p.recent, p.older = nil, p.recent
	}
	if p.recent == nil {
		p.recent = make(map[uint64]struct{})
	}
	p.recent[maphash.String(pastSeed, id)] = struct{}{}
}

func (p *past) has(id string) bool {
	h := maphash.String(pastSeed, id)
	_, recently := p.recent[h]
	_, before := p.older[h]
	return recently || before
}
