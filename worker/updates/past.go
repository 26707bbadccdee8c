package updates

import (
	"hash/maphash"
	"maps"
)

// past remembers the last orders that are over, at least pastSize of them, as hashes: what
// the broker's stream and its lists both tell comes within moments. Beside them it keeps those
// that hang on an order which is open, by its intent: for as long as it is, lookups lead to
// them.
type past struct {
	recent, older map[uint64]struct{}
	kept          map[uint64]string
}

const pastSize = 1 << 10

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
	_, kept := p.kept[h]
	return recently || before || kept
}

// keep remembers an order of an intent until drop.
func (p *past) keep(id, intentID string) {
	if p.kept == nil {
		p.kept = make(map[uint64]string)
	}
	p.kept[maphash.String(pastSeed, id)] = intentID
}

func (p *past) drop(intentID string) {
	maps.DeleteFunc(p.kept, func(_ uint64, of string) bool { return of == intentID })
}
