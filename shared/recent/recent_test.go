package recent_test

import (
	"fmt"
	"testing"

	"github.com/orderfleet/orderfleet/shared/recent"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestForgetsTheOldestOnly: the last generation is there, whatever came before it, and no more
// than two are.
func TestForgetsTheOldestOnly(t *testing.T) {
	const generation = 100
	s := recent.NewSet(generation)
	for n := range 10 * generation {
		s.Add(fmt.Sprint(n))
		for back := range min(n+1, generation) {
			if !s.Has(fmt.Sprint(n - back)) {
				t.Fatalf("forgot %d of the last %d, after %d", n-back, generation, n)
			}
		}
		if s.Len() > 2*generation {
			t.Fatalf("remembers %d", s.Len())
		}
	}
	if s.Has("0") {
		t.Error("nothing is forgotten")
	}
}

// TestPutAnew: what is put anew counts, and is among the last again.
func TestPutAnew(t *testing.T) {
	m := recent.Map[int]{Generation: 2}
	for n, key := range []uint64{1, 2, 3, 1, 4} {
		m.Put(key, n)
	}
	if v, ok := m.Get(1); !ok || v != 3 {
		t.Errorf("%d, %t", v, ok)
	}
	if _, ok := m.Get(2); ok {
		t.Error("2 is still there")
	}
}
