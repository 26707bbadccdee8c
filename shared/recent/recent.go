// Package recent remembers what came last, in bounded memory: two generations, of which the
// older is dropped when the younger is full.
//
// A memory belongs to one goroutine.
package recent

import "hash/maphash"

// Map remembers what was put under the last keys: under the last Generation of them at least,
// and under twice as many at most.
type Map[V any] struct {
	Generation int // 1 or more
	young, old map[uint64]V
}

// Put remembers a value. One that stands under the key already is replaced.
func (m *Map[V]) Put(key uint64, v V) {
	if len(m.young) >= m.Generation {
		m.young, m.old = nil, m.young
	}
	if m.young == nil {
		m.young = make(map[uint64]V)
	}
	m.young[key] = v
}

// Get is what stands under a key, as far as it is remembered.
func (m *Map[V]) Get(key uint64) (v V, ok bool) {
	if v, ok = m.young[key]; !ok {
		v, ok = m.old[key]
	}
	return v, ok
}

// Len is how many values it holds, those twice that were put anew meanwhile.
func (m *Map[V]) Len() int { return len(m.young) + len(m.old) }

// Set remembers the last texts, as hashes: one that it has never seen may be taken for another
// one, once in a very long while.
type Set struct{ Map[struct{}] }

// NewSet is a set of the last texts, so many at least.
func NewSet(generation int) Set { return Set{Map[struct{}]{Generation: generation}} }

var seed = maphash.MakeSeed()

// Hash is what a set remembers of a text; it is another one in every process.
func Hash(text string) uint64 { return maphash.String(seed, text) }

// Add remembers a text.
func (s *Set) Add(text string) { s.Put(Hash(text), struct{}{}) }

// Has says whether a text is remembered.
func (s *Set) Has(text string) bool {
	_, ok := s.Get(Hash(text))
	return ok
}
