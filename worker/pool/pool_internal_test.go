package pool

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"pgregory.net/rapid"
)

func poolOf(requests int, window time.Duration) tenant.Pool {
	return tenant.Pool{Requests: requests, Window: tenant.Duration(window)}
}

const viewStale = 2 * time.Second

func always(c Class) func() Class { return func() Class { return c } }

func (w *world) within(most time.Duration) func() time.Duration {
	return func() time.Duration { return w.some(most) }
}

// busy has tenants of weights 1 to 3 that want more than there is.
func (w *world) busy(workers, tenants int) {
	var all []*workplace
	for range workers {
		all = append(all, w.hire(0))
	}
	w.run(time.Millisecond)
	for i := range tenants {
		t := &trader{name: fmt.Sprintf("t%02d", i), weight: i%3 + 1, pause: w.within(time.Millisecond), class: always(Ordinary)}
		w.move(t, all[i%workers])
	}
}

// TestUsed: of a pool that is wanted whole at least 95% is used, and never more than all.
func TestUsed(t *testing.T) {
	for _, tc := range []struct {
		requests, workers, tenants int
		window                     time.Duration
	}{
		{1000, 3, 30, time.Minute},
		{200, 3, 30, time.Minute},
		{60, 3, 30, time.Second},
		{60, 1, 1, time.Second},
		{1000, 1, 1, time.Minute},
		{5000, 5, 100, time.Minute},
		{10_000, 1, 1, time.Minute},
		{40, 2, 5, time.Second},
		{20, 2, 5, time.Minute},
	} {
		t.Run(fmt.Sprintf("%d in %s of %d at %d", tc.requests, tc.window, tc.tenants, tc.workers), func(t *testing.T) {
			w := newWorld(poolOf(tc.requests, tc.window), 1)
			w.enthrone()
			w.busy(tc.workers, tc.tenants)
			w.run(3 * time.Second)
			from := w.now
			w.run(2 * tc.window)
			used, worst := w.used(from, w.now), w.worst()
			t.Logf("%.1f%% used; %d in the fullest window", 100*used, worst)
			if used < 0.95 {
				t.Errorf("%.1f%% used", 100*used)
			}
			if worst > tc.requests {
				t.Errorf("%d requests in a window", worst)
			}
		})
	}
}

// TestWeights: who wants more than its part gets it by its weight.
func TestWeights(t *testing.T) {
	w := newWorld(poolOf(1000, time.Minute), 1)
	w.enthrone()
	w.busy(3, 30)
	w.run(3 * time.Minute)
	got := make(map[string]int)
	for _, a := range w.arrivals {
		got[a.tenant]++
	}
	unit := float64(len(w.arrivals)) / 60
	for i := range 30 {
		name := fmt.Sprintf("t%02d", i)
		want := unit * float64(i%3+1)
		if n := float64(got[name]); n < want-3 || n > want+3 {
			t.Errorf("tenant %s of weight %d got %.0f, not about %.1f", name, i%3+1, n, want)
		}
	}
}

// TestAnyWindow: whatever becomes of messages, workers and bankers, no window anywhere has more
// requests than the limit.
func TestAnyWindow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := poolOf(rapid.SampledFrom([]int{1, 3, 17, 40, 60, 100, 200, 400}).Draw(rt, "requests"), rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, 20 * time.Second}).Draw(rt, "window"))
		w := newWorld(p, rapid.Uint64().Draw(rt, "seed"))
		late := time.Duration(rapid.IntRange(0, 400).Draw(rt, "delay")) * time.Millisecond
		loss := rapid.IntRange(0, 30).Draw(rt, "loss")
		w.delay = func() time.Duration {
			if w.rand.IntN(10) == 0 {
				return w.some(late)
			}
			return w.some(late / 20)
		}
		w.lost = func() bool { return w.rand.IntN(100) < loss }
		w.answers = w.within(time.Duration(rapid.SampledFrom([]int{0, 5, 300}).Draw(rt, "answers")) * time.Millisecond)
		w.mute, w.disorder = true, rapid.Bool().Draw(rt, "disorder")
		w.enthrone()
		for range rapid.IntRange(1, 4).Draw(rt, "workers") {
			w.hire(viewStale)
		}
		w.run(viewStale)
		w.settleIn()
		staff := func() (all []*workplace) {
			for i := range w.names {
				if one := w.workers[fmt.Sprintf("w%d", i+1)]; !one.dead {
					all = append(all, one)
				}
			}
			return all
		}
		busy, together := rapid.Bool().Draw(rt, "busy"), rapid.Bool().Draw(rt, "together")
		for i := range rapid.IntRange(1, 40).Draw(rt, "tenants") {
			pause := w.within([]time.Duration{0, 10 * time.Millisecond, 500 * time.Millisecond}[w.rand.IntN(3)])
			switch {
			case busy:
				pause = w.within(time.Millisecond)
			case together: // all at once, after a rest
				pause = func() time.Duration {
					if w.rand.IntN(20) > 0 {
						return 0
					}
					return time.Duration(2*p.Window) - w.now.Sub(time.Unix(0, 0))%time.Duration(2*p.Window)
				}
			}
			tr := &trader{name: fmt.Sprintf("t%02d", i), weight: w.rand.IntN(3) + 1, pause: pause}
			tr.class = func() Class { return Class(w.rand.IntN(classes)) }
			all := staff()
			w.move(tr, all[w.rand.IntN(len(all))])
		}
		for range rapid.IntRange(1, 12).Draw(rt, "troubles") {
			w.run(w.some(time.Duration(p.Window)))
			all := staff()
			one := all[w.rand.IntN(len(all))]
			switch rapid.SampledFrom([]string{"another banker", "no banker", "a banker", "a death", "a birth", "cut", "mended"}).Draw(rt, "trouble") {
			case "another banker":
				w.enthrone()
			case "no banker":
				w.abdicate()
			case "a banker":
				if w.bank == nil {
					w.enthrone()
				}
			case "a death":
				if len(all) > 1 {
					to := all[w.rand.IntN(len(all))]
					if to != one {
						w.kill(one, to, viewStale)
					}
				}
			case "a birth":
				w.hire(viewStale)
			case "cut":
				one.cut = true
			case "mended":
				one.cut = false
			}
		}
		w.run(2 * time.Duration(p.Window))
		if worst := w.worst(); worst > p.Requests {
			rt.Errorf("%d requests in a window, of %d", worst, p.Requests)
		}
	})
}
