package outage

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// broker is up or down, and counts the requests that reach it.
type broker struct {
	down     atomic.Bool
	requests atomic.Int64
}

func (b *broker) request() bool {
	b.requests.Add(1)
	return !b.down.Load()
}

// outages counts those that a watch logs, by broker.
type outages struct{ a, b atomic.Int64 }

func (o *outages) Write(line []byte) (int, error) {
	switch {
	case !bytes.Contains(line, []byte("all tenants that try are failing")):
	case bytes.Contains(line, []byte(`"broker":"a"`)):
		o.a.Add(1)
	default:
		o.b.Add(1)
	}
	return len(line), nil
}

// run runs a test with a watch, in time that passes only when everybody waits.
func run(t *testing.T, test func(ctx context.Context, w *Watch, seen *outages)) {
	synctest.Test(t, func(t *testing.T) {
		var seen outages
		w := New(zerolog.New(&seen))
		ctx, cancel := context.WithCancel(t.Context())
		watching, unwatch := context.WithCancel(context.Background())
		go w.Run(watching)
		test(ctx, w, &seen)
		cancel()
		synctest.Wait() // the members have left
		unwatch()
		<-w.done
		if n := len(w.sites); n > 0 {
			t.Errorf("%d sites are left", n)
		}
	})
}

// trade is a tenant that trades without pause, as a session does: a request every 100 ms,
// and a breaker that opens with the first failure and wants to probe every second.
func trade(ctx context.Context, w *Watch, address string, request func() bool) {
	m, open, err := w.Join(ctx, address)
	if err != nil {
		return
	}
	defer m.Leave()
	if open {
		m.Failing(ctx)
	}
	for ctx.Err() == nil {
		if open {
			m.Queue(ctx, time.Now().Add(time.Hour))
			wait(ctx, m, time.Second)
			m.Want(ctx, time.Now().Add(time.Hour))
			wait(ctx, m, time.Hour)
		} else {
			wait(ctx, m, 100*time.Millisecond)
		}
		switch ok := request(); {
		case !ok:
			open = true
			m.Failing(ctx)
		case open:
			open = false
			m.Closed(ctx)
		default:
			m.Succeeded(ctx)
		}
	}
}

func wait(ctx context.Context, m *Member, d time.Duration) {
	select {
	case after := <-m.Turn():
		select {
		case <-time.After(after):
		case <-ctx.Done():
		}
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// TestOutageIsProbedByFew: when a broker goes away, the requests of its tenants fall from a
// flood to one a second; when it is back, all go on soon.
func TestOutageIsProbedByFew(t *testing.T) {
	run(t, func(ctx context.Context, w *Watch, seen *outages) {
		const tenants = 200
		var b broker
		fresh := make([]atomic.Bool, tenants)
		for i := range tenants {
			go trade(ctx, w, "a", func() bool { fresh[i].Store(true); return b.request() })
		}
		after(10*time.Second, &b)
		b.down.Store(true)
		after(10*time.Second, &b) // to be noticed
		for range tenants {       // who comes now does not try for itself
			go trade(ctx, w, "a", b.request)
		}
		if n := after(time.Minute, &b); n < 30 || n > 61 {
			t.Errorf("%d requests in a minute of outage", n)
		}
		for i := range fresh {
			fresh[i].Store(false)
		}
		b.down.Store(false)
		after(lastInterval+2*tenants*spread+time.Second, &b)
		for i := range fresh {
			if !fresh[i].Load() {
				t.Errorf("tenant %d has not gone on", i)
			}
		}
		if n := seen.a.Load(); n != 1 {
			t.Errorf("%d outages", n)
		}
	})
}

// after lets time pass and says how many requests came meanwhile.
func after(d time.Duration, b *broker) int {
	before := b.requests.Load()
	<-time.After(d)
	synctest.Wait()
	return int(b.requests.Load() - before)
}

// TestTenantsInTroubleOfTheirOwn are no outage, however many, while others trade: each
// probes when it wants to.
func TestTenantsInTroubleOfTheirOwn(t *testing.T) {
	for name, broken := range map[string]int{"few": 3, "many": 20} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context, w *Watch, seen *outages) {
				var healthy, ill broker
				ill.down.Store(true)
				for range 50 {
					go trade(ctx, w, "a", healthy.request)
				}
				for range broken {
					go trade(ctx, w, "a", ill.request)
				}
				if n, want := after(time.Minute, &ill), broken*55; n < want {
					t.Errorf("%d probes of %d tenants in a minute, wanted %d: they held each other up", n, broken, want)
				}
				if n := seen.a.Load(); n > 0 {
					t.Errorf("taken for %d outages", n)
				}
			})
		})
	}
}

// TestBrokenTenantsDoNotUseUpTheProbes: an outage in which some tenants have trouble of
// their own besides ends for the others as soon as without them.
func TestBrokenTenantsDoNotUseUpTheProbes(t *testing.T) {
	run(t, func(ctx context.Context, w *Watch, seen *outages) {
		var b, ill broker
		ill.down.Store(true)
		for range 3 {
			go trade(ctx, w, "a", ill.request)
		}
		for range 50 {
			go trade(ctx, w, "a", b.request)
		}
		b.down.Store(true)
		after(time.Minute, &b)
		b.down.Store(false)
		// At most three turns of the broken come before one of the others.
		if n := after(4*lastInterval+time.Second, &b); n < 50 {
			t.Errorf("%d requests after the end of the outage", n)
		}
		if seen.a.Load() != 1 {
			t.Errorf("%d outages", seen.a.Load())
		}
	})
}

// TestBrokersAreApart: the outage of one broker is nothing to the tenants of another.
func TestBrokersAreApart(t *testing.T) {
	run(t, func(ctx context.Context, w *Watch, seen *outages) {
		var a, b broker
		a.down.Store(true)
		for range 20 {
			go trade(ctx, w, "a", a.request)
			go trade(ctx, w, "b", b.request)
		}
		after(10*time.Second, &a)
		if seen.a.Load() != 1 || seen.b.Load() != 0 {
			t.Errorf("%d outages of the one, %d of the other", seen.a.Load(), seen.b.Load())
		}
		if n := after(10*time.Second, &b); n < 20*95 {
			t.Errorf("%d requests of the other broker's tenants", n)
		}
	})
}
