package worker_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
)

// TestElastic: from one worker to eight and back to another one, while orders flow. Nothing
// is lost, done twice or out of order, and since every hand-over is in peace nothing is
// even looked up.
func TestElastic(t *testing.T) {
	r := newRigOf(t, 8)
	const tenants, each, most = 16, 100, 8
	lookups := 0
	r.books.watch(func(call string) {
		if call == "by_client_id" {
			lookups++
		}
	})
	first := r.work()
	var load sync.WaitGroup
	step := make(chan struct{}, each)
	load.Go(func() {
		for i := range each {
			for n := range tenants {
				r.publish(fmt.Sprintf("t%02d", n), buy(fmt.Sprintf("%03d", i)))
			}
			step <- struct{}{}
		}
	})
	await := func(rounds int) {
		for range rounds {
			<-step
		}
	}
	workers := []*running{first}
	for n := range most - 1 {
		await(5)
		workers = append(workers, r.join(fmt.Sprintf("w%d", n)))
	}
	for _, w := range workers[:most-1] { // the first one goes first
		await(5)
		w.stop()
	}
	load.Wait()
	for n := range tenants {
		tenant := fmt.Sprintf("t%02d", n)
		for i, o := range r.outcomes(tenant, each) {
			if o.IntentID != fmt.Sprintf("%03d", i) || o.Status != order.Accepted || o.Recovered || o.Attempts != 1 {
				t.Fatalf("%s: outcome %d is %+v", tenant, i, o)
			}
		}
		if ids := r.books.ids(tenant); len(ids) != each || !slices.IsSorted(ids) {
			t.Errorf("%s: booked %v", tenant, ids)
		}
	}
	r.books.mu.Lock()
	defer r.books.mu.Unlock()
	if lookups != 0 {
		t.Errorf("%d lookups", lookups)
	}
}

// join starts a worker on a connection of its own, and returns when it is ready.
func (r *rig) join(name string) *running {
	r.Helper()
	ready := make(chan struct{})
	once := sync.OnceFunc(func() { close(ready) })
	w := r.start(ledgertest.Connect(r, r.nc.ConnectedUrl()), func(c *worker.Config) {
		c.Name = name
		c.Ready = func(why string) {
			if why == "" {
				once()
			}
		}
	})
	<-ready
	return w
}
