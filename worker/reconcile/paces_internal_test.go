package reconcile

import (
	"fmt"
	"sync"
	"testing"
)

// TestPacesAreLent: runs of several tenants at once use a pace each, alone, and the next run
// of a tenant goes on with what the last one left.
func TestPacesAreLent(t *testing.T) {
	p := paces{all: make(map[string]*pace)}
	var runs sync.WaitGroup
	for i := range 8 {
		runs.Go(func() {
			for range 3 {
				tenant := fmt.Sprint("t", i)
				one := p.borrow(tenant, 600)
				if err := one.take(t.Context()); err != nil {
					t.Error(err)
				}
				p.giveBack(tenant, one)
			}
		})
	}
	runs.Wait()
	first := p.borrow("t0", 600)
	if first.idle(first.full.Add(-first.every)) {
		t.Error("what was asked for is forgotten")
	}
	p.giveBack("t0", first)
	if again := p.borrow("t0", 600); again != first {
		t.Error("a run gets a fresh pace by asking again")
	}
}
