package pool

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// thirsty is an ask for more than there is.
func thirsty(number uint64, b *bank) *ask {
	return &ask{Pool: "p", Client: "w", Number: number, Epoch: b.epoch, Heard: 1 << 62, Wants: []wanted{{Tenant: "acme", Ordinary: maxWanted}}}
}

// TestAnotherBanker: bankers follow each other, each with no memory of the last one's tokens,
// after a rest that let it hand out many at once if it let itself. Those of the old one arrive
// as late as they may, those of the new one at once.
func TestAnotherBanker(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := poolOf(rapid.IntRange(1, 300).Draw(rt, "requests"), time.Second)
		begin := time.Unix(1_800_000_000, 0)
		var arrivals []time.Time
		now, before := begin, begin.Add(-time.Hour)
		for reign := range rapid.IntRange(2, 4).Draw(rt, "bankers") {
			b := newBank(p, "w", uint64(reign+1), before)
			if reign == 0 {
				b.ask(now, thirsty(1, b))
				b.hand(now)
				b.queue = newQueue() // nobody wants anything any more
				now = now.Add(2 * time.Second)
			}
			end := now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(rt, "reign")) * time.Millisecond)
			for number := uint64(2); now.Before(end); number++ {
				ids := b.ids
				b.ask(now, thirsty(number, b))
				b.hand(now)
				due := b.due.Add(-time.Duration(b.ids-ids) * b.every) // of the first one
				for range b.ids - ids {
					at := now
					if reign%2 == 0 {
						at = due.Add(b.reach() - 1)
					}
					arrivals = append(arrivals, at)
					due = due.Add(b.every)
				}
				now = now.Add(5 * time.Millisecond)
			}
			before = now
		}
		slices.SortFunc(arrivals, time.Time.Compare)
		for i := p.Requests; i < len(arrivals); i++ {
			if d := arrivals[i].Sub(arrivals[i-p.Requests]); d < time.Second {
				rt.Fatalf("%d requests of %d in %s", p.Requests+1, p.Requests, d)
			}
		}
	})
}

// TestUrgentFirst: urgent requests come first, up to the reserve, and no tenant gains by calling
// all that it does urgent.
func TestUrgentFirst(t *testing.T) {
	q, p := newQueue(), planOf(poolOf(1000, time.Minute))
	now := time.Now()
	for i := range 10 {
		q.set(wantKey{"w", fmt.Sprintf("t%d", i), Ordinary}, 1, 1000)
	}
	q.set(wantKey{"w", "loud", Urgent}, 1, 1000)
	q.set(wantKey{"w", "quiet", Urgent}, 1, 1)
	var firsts int
	got := make(map[string]int)
	for i := range 1000 {
		k, _ := q.next(now, &p)
		got[k.tenant]++
		if k.class == Urgent && firsts == i {
			firsts++
		}
		now = now.Add(p.every)
	}
	if firsts < p.reserved || got["quiet"] != 1 {
		t.Errorf("%d urgent requests came first, of %d; a second tenant's %d times", firsts, p.reserved, got["quiet"])
	}
	// The reserve is its, and beyond that its part of a tenth.
	if most := 2*p.reserved + 1000/11 + 2; got["loud"] > most {
		t.Errorf("a tenant that calls everything urgent got %d of 1000, more than %d", got["loud"], most)
	}
	for i := range 10 {
		if n := got[fmt.Sprintf("t%d", i)]; n < 75 {
			t.Errorf("tenant %d got %d of 1000", i, n)
		}
	}
}

// TestBackgroundComesLast: and yet it comes.
func TestBackgroundComesLast(t *testing.T) {
	q, p := newQueue(), planOf(poolOf(1000, time.Minute))
	now := time.Now()
	q.set(wantKey{"w", "a", Ordinary}, 1, 500)
	q.set(wantKey{"w", "b", Background}, 3, 1000)
	background := 0
	for range 500 {
		if k, _ := q.next(now, &p); k.class == Background {
			background++
		}
		now = now.Add(p.every)
	}
	if background < 500/backgroundParts-2 || background > 500/backgroundParts+2 {
		t.Errorf("%d of 500, while others wanted all", background)
	}
	for range 40 { // nobody else wants anything soon
		q.next(now, &p)
	}
	if k, ok := q.next(now, &p); !ok || k.class != Background {
		t.Errorf("got %+v", k)
	}
}

// TestRestGainsNothing: who wanted nothing for a while gets no more for it.
func TestRestGainsNothing(t *testing.T) {
	q, p := newQueue(), planOf(poolOf(1000, time.Minute))
	now := time.Now()
	q.set(wantKey{"w", "a", Ordinary}, 1, 10_000)
	for range 1000 {
		q.next(now, &p)
	}
	q.set(wantKey{"w", "b", Ordinary}, 1, 10_000)
	got := 0
	for range 100 {
		if k, _ := q.next(now, &p); k.tenant == "b" {
			got++
		}
	}
	if got < 49 || got > 51 {
		t.Errorf("%d of 100", got)
	}
}

// TestTwoWorkers: a tenant that wants something by way of two workers has one part.
func TestTwoWorkers(t *testing.T) {
	q, p := newQueue(), planOf(poolOf(1000, time.Minute))
	now, got := time.Now(), make(map[string]int)
	q.set(wantKey{"w1", "a", Ordinary}, 1, 10_000)
	q.set(wantKey{"w2", "a", Ordinary}, 1, 10_000)
	q.set(wantKey{"w2", "b", Ordinary}, 1, 10_000)
	for range 1000 {
		k, _ := q.next(now, &p)
		got[k.tenant]++
	}
	if got["b"] < 490 || got["b"] > 510 {
		t.Errorf("%v", got)
	}
}

// TestOnTheWay: what a worker wants again while it is on its way to it, it gets once; what was
// lost on the way, it gets again.
func TestOnTheWay(t *testing.T) {
	now := time.Now()
	b := newBank(poolOf(1000, time.Minute), "w", 7, now.Add(-time.Hour))
	given := func(a *ask) (n int) {
		now = now.Add(b.every)
		b.ask(now, a)
		b.hand(now)
		b.gathered(func(_ string, g *grant) { n += len(g.Tokens) })
		return n
	}
	want := func(number, heard uint64) *ask {
		return &ask{Pool: "p", Client: "w", Number: number, Epoch: 7, Heard: heard, Wants: []wanted{{Tenant: "acme", Ordinary: 1}}}
	}
	for _, step := range []struct {
		name string
		ask  *ask
		want int
	}{
		{"the first", want(1, 0), 1},
		{"on its way", want(2, 0), 0},
		{"lost: a later one was heard", want(3, 2), 1},
		{"overtaken", want(2, 3), 0},
		{"heard", want(4, 4), 1},
	} {
		if got := given(step.ask); got != step.want {
			t.Errorf("%s: %d tokens, not %d", step.name, got, step.want)
		}
	}
}

// TestOthersUseTheKey: what the broker says of its window is believed: somebody else uses it.
func TestOthersUseTheKey(t *testing.T) {
	now := time.Now()
	b := newBank(poolOf(1000, time.Minute), "w", 1, now.Add(-time.Hour))
	hand := func(d time.Duration, change func(*ask)) int {
		before, end := b.ids, now.Add(d)
		for number := b.customers["w"].last(); now.Before(end); {
			number++
			a := thirsty(number, b)
			if change != nil {
				change(a)
				change = nil
			}
			b.ask(now, a)
			b.hand(now)
			now = now.Add(10 * time.Millisecond)
		}
		return int(b.ids - before)
	}
	if n := hand(time.Second, nil); n < 15 || n > 30 {
		t.Errorf("%d in a second", n)
	}
	// Half of what there is is gone, until the window ends in 30 seconds.
	hand(30*time.Second, func(a *ask) { a.Limits = &limits{Remaining: 480, ResetMicros: (30 * time.Second).Microseconds()} })
	if n := hand(time.Second, nil); n < 10 {
		t.Errorf("%d in the first second of the next window", n)
	}
	if n := hand(29*time.Second, func(a *ask) { a.Limits = &limits{Remaining: 10, ResetMicros: (29 * time.Second).Microseconds()} }); n > 10 {
		t.Errorf("%d, although only 10 remain", n)
	}
	if n := hand(9*time.Second, func(a *ask) { a.AwayMicros = (10 * time.Second).Microseconds() }); n > 0 {
		t.Errorf("%d, although the broker wants to see nobody", n)
	}
	if n := hand(10*time.Second, nil); n < 100 {
		t.Errorf("%d when it does again", n)
	}
}

func (c *customer) last() uint64 {
	if c == nil {
		return 0
	}
	return c.number
}

// TestForgotten: who says nothing any more wants nothing.
func TestForgotten(t *testing.T) {
	now := time.Now()
	b := newBank(poolOf(60, time.Second), "w", 1, now.Add(-time.Hour))
	b.ask(now, thirsty(1, b))
	b.hand(now)
	if b.queue.empty() || b.next(now).IsZero() {
		t.Fatal("it is not wanted")
	}
	now = now.Add(b.forget)
	ids := b.ids
	b.hand(now)
	if b.ids != ids || !b.queue.empty() || !b.next(now).IsZero() {
		t.Errorf("%d tokens for a worker that says nothing", b.ids-ids)
	}
	b.hand(now.Add(2 * time.Minute))
	if len(b.customers) != 0 {
		t.Error("it is remembered for ever")
	}
}

// BenchmarkBanker: tokens a second that a banker can hand out, to 1000 tenants at 10 workers,
// messages and all.
func BenchmarkBanker(b *testing.B) {
	now := time.Now()
	bank := newBank(poolOf(100_000, time.Second), "w", 1, now.Add(-time.Hour))
	bank.every = 0 // its own pace is no matter here
	bank.banked = 1 << 40
	messages := make([][]byte, 10)
	asks := make([]*ask, 10)
	for i := range asks {
		asks[i] = &ask{Version: version, Pool: "p", Client: fmt.Sprintf("w%d", i), Epoch: 1}
		for t := range 100 {
			asks[i].Wants = append(asks[i].Wants, wanted{Tenant: fmt.Sprintf("t%d-%d", i, t), Weight: t%3 + 1, Ordinary: 10})
		}
	}
	b.ReportAllocs()
	tokens := uint64(0)
	for b.Loop() {
		for i, a := range asks {
			a.Number++
			a.Heard = 1 << 62
			messages[i], _ = encode(a)
			read, err := decodeAsk(messages[i])
			if err != nil {
				b.Fatal(err)
			}
			a.Used = a.Used[:0]
			bank.ask(now, read)
			bank.hand(now)
			bank.gathered(func(client string, g *grant) {
				for _, t := range g.Tokens {
					a.Used = append(a.Used, used{ID: t.ID, AgoMicros: 10})
				}
				if _, err := encode(g); err != nil {
					b.Fatal(err)
				}
			})
		}
		now = now.Add(10 * time.Millisecond)
		tokens = bank.ids
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
