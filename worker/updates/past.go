package updates

import (
	"maps"

	"github.com/orderfleet/orderfleet/shared/recent"
)

// past remembers the last orders that are over, at least pastSize of them: what the broker's
// stream and its lists both tell comes within moments. Beside them it keeps those that hang on
// an order which is open, by its intent: for as long as it is, lookups lead to them.
type past struct {
	recent.Set
	kept map[uint64]string
}

const pastSize = 1 << 10

func newPast() past { return past{Set: recent.NewSet(pastSize)} }

// has says that an order is over, as far as it is remembered.
func (p *past) has(id string) bool {
	_, kept := p.kept[recent.Hash(id)]
	return kept || p.Has(id)
}

// keep remembers an order of an intent until drop.
func (p *past) keep(id, intentID string) {
	if p.kept == nil {
		p.kept = make(map[uint64]string)
	}
	p.kept[recent.Hash(id)] = intentID
}

func (p *past) drop(intentID string) {
	maps.DeleteFunc(p.kept, func(_ uint64, of string) bool { return of == intentID })
}
