package pool_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/pool"
	"github.com/rs/zerolog"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// registry is what is registered.
type registry struct {
	mu    sync.Mutex
	pools map[string]tenant.Pool
}

func (r *registry) Pool(name string) (tenant.Pool, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.pools[name]
	return p, ok
}

func (r *registry) set(name string, requests int, window time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pools == nil {
		r.pools = make(map[string]tenant.Pool)
	}
	r.pools[name] = tenant.Pool{Requests: requests, Window: tenant.Duration(window)}
}

const shards = 2

// rig is a fleet of clients, and bankers, on a NATS server.
type rig struct {
	*testing.T
	url      string
	registry registry

	mu       sync.Mutex
	arrivals []time.Time
	made     map[string]int
}

func newRig(t *testing.T) *rig {
	return &rig{T: t, url: ledgertest.Serve(t, 0), made: make(map[string]int)}
}

func (r *rig) config(nc *nats.Conn) *pool.Config {
	return &pool.Config{Worker: "w", Conn: nc, Shards: shards, Registry: &r.registry, Stale: time.Second, Log: zerolog.Nop()}
}

func (r *rig) connect() *nats.Conn { return ledgertest.Connect(r, r.url) }

// client runs a client until the test ends.
func (r *rig) client(nc *nats.Conn) *pool.Client {
	c := pool.NewClient(r.config(nc))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	r.Cleanup(func() {
		cancel()
		<-ended
	})
	return c
}

// banker runs the banker of a pool's shard until it is stopped.
func (r *rig) banker(name string, epoch uint64, before time.Time) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	l := fleet.Lease{Shard: ledger.ShardOf(name, shards), Epoch: epoch, Legacy: fleet.Legacy{Before: before}}
	serve := r.config(r.connect()).Around(func(ctx context.Context, _ fleet.Lease) (fleet.Legacy, error) {
		<-ctx.Done()
		return fleet.Legacy{}, nil
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := serve(ctx, l); err != nil {
			r.Error(err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	r.Cleanup(stop)
	return stop
}

// trade makes requests in a tenant's name, as fast as it may, until ctx ends.
func (r *rig) trade(ctx context.Context, c *pool.Client, req pool.Request) {
	for {
		w := c.Wait(req)
		select {
		case tok := <-w.Token():
			v := broker.Verdict{Kind: broker.Accepted, Submitted: time.Now()}
			if !v.Submitted.Before(tok.Until) {
				c.Back(tok)
				continue
			}
			r.mu.Lock()
			r.arrivals = append(r.arrivals, time.Now())
			r.made[req.Tenant]++
			r.mu.Unlock()
			v.Answered = time.Now()
			c.Used(tok, v)
		case <-ctx.Done():
			c.Leave(w)
			return
		}
	}
}

func (r *rig) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.arrivals)
}

// await waits until so many requests were made.
func (r *rig) await(n int) {
	r.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for r.count() < n {
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			r.Fatalf("%d requests, not %d", r.count(), n)
		}
	}
}

// within says that no window had more requests than the limit.
func (r *rig) within(limit int, window time.Duration) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.arrivals, time.Time.Compare)
	for i := limit; i < len(r.arrivals); i++ {
		if d := r.arrivals[i].Sub(r.arrivals[i-limit]); d < window {
			r.Fatalf("%d requests of %d in %s", limit+1, limit, d)
		}
	}
}

// TestOverTheWire: clients and bankers over a real server; bankers are replaced meanwhile.
func TestOverTheWire(t *testing.T) {
	t.Parallel() // it waits most of the time
	r := newRig(t)
	r.registry.set("desk", 200, time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	var trading sync.WaitGroup
	for i := range 3 {
		c := r.client(r.connect())
		for j := range 5 {
			trading.Go(func() {
				r.trade(ctx, c, pool.Request{Pool: "desk", Tenant: fmt.Sprintf("t%d-%d", i, j), Weight: j%3 + 1})
			})
		}
	}
	for epoch := range uint64(3) {
		stop := r.banker("desk", epoch+1, time.Now())
		r.await(r.count() + 200)
		stop()
	}
	r.banker("desk", 4, time.Now())
	r.await(r.count() + 400)
	cancel()
	trading.Wait()
	r.within(200, time.Second)
	if len(r.made) != 15 {
		t.Errorf("only %d tenants got something", len(r.made))
	}
}

// TestSilence: while nobody answers, workers use what no banker hands out, and nothing
// while they know of nobody in the fleet.
func TestSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.registry.set("desk", 80, time.Second) // 2 of them are the workers'
	ctx, cancel := context.WithCancel(t.Context())
	var trading sync.WaitGroup
	members := []string{"a", "b", "c"}
	for i, name := range append(members, "unknown") {
		c := r.client(r.connect())
		if name != "unknown" {
			c.Members(name, members)
		}
		trading.Go(func() { r.trade(ctx, c, pool.Request{Pool: "desk", Tenant: fmt.Sprintf("t%d", i)}) })
	}
	r.await(8)
	cancel()
	trading.Wait()
	r.within(2, time.Second)
	if r.made["t2"]+r.made["t3"] > 0 {
		t.Errorf("who has no part took one: %v", r.made)
	}
}

// TestUnregistered: nobody gets anything of a pool that nobody registered, until somebody does.
func TestUnregistered(t *testing.T) {
	r := newRig(t)
	c := r.client(r.connect())
	r.banker("desk", 1, time.Now().Add(-time.Hour))
	w := c.Wait(pool.Request{Pool: "desk", Tenant: "acme"})
	select {
	case <-w.Token():
		t.Fatal("a token of no pool")
	case <-time.After(50 * time.Millisecond):
	}
	r.registry.set("desk", 200, time.Second)
	select {
	case tok := <-w.Token():
		c.Back(tok)
	case <-t.Context().Done():
		t.Fatal("no token")
	}
}

// TestLeft: a token of somebody who left meanwhile goes back, and the client's end lets all go.
func TestLeft(t *testing.T) {
	r := newRig(t)
	r.registry.set("desk", 200, time.Second)
	r.banker("desk", 1, time.Now().Add(-time.Hour))
	c := r.client(r.connect())
	for range 50 {
		c.Leave(c.Wait(pool.Request{Pool: "desk", Tenant: "acme"}))
	}
	w := c.Wait(pool.Request{Pool: "desk", Tenant: "acme"})
	tok := <-w.Token()
	if !tok.Until.After(time.Now()) {
		t.Error("the token's time is over")
	}
	c.Used(tok, broker.Verdict{})
}

// TestEnded: nobody is stuck at a client that has ended.
func TestEnded(t *testing.T) {
	r := newRig(t)
	c := pool.NewClient(r.config(r.connect()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Run(ctx)
	c.Leave(c.Wait(pool.Request{Pool: "desk", Tenant: "acme"}))
	c.Members("a", []string{"a"})
}
