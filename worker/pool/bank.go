package pool

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// bank is a pool's banker without its wires: told the time, it says who gets a token.
type bank struct {
	pool tenant.Pool
	plan
	worker string
	epoch  uint64

	start  time.Time // before, tokens of another banker may still be used
	due    time.Time // of the next token
	ids    uint64    // of the last token
	places *places
	queue  *queue

	customers map[string]*customer

	// others is how many requests of the broker's window somebody else made with the same
	// key, as far as we know, which counts until then.
	others      int
	othersUntil time.Time
	away        time.Time // the broker wants to see nobody until then
}

// customer is a worker that asks.
type customer struct {
	number  uint64    // of its last ask
	asked   time.Time // when that came
	granted uint64    // number of the last grant to it
	unheard []handed  // of grants of which it had not heard then
	wants   map[wantKey]struct{}
	next    *grant // what is gathered for it
}

// handed is a token on its way to a worker.
type handed struct {
	number uint64 // of the grant
	key    wantKey
}

// newBank makes a banker whose predecessor handed out its last token before a time.
func newBank(p tenant.Pool, worker string, epoch uint64, before time.Time) *bank {
	b := &bank{worker: worker, epoch: epoch, queue: newQueue(), customers: make(map[string]*customer)}
	b.set(p, before)
	return b
}

func (b *bank) set(p tenant.Pool, before time.Time) {
	reach := b.reach() // of what was handed out before, if that was by us
	b.pool, b.plan = p, planOf(p)
	b.places = newPlaces(b.window)
	b.start = before.Add(max(reach, b.reach()) + b.every)
}

// change takes a changed pool over. Another window is another pool: its requests are counted
// from now on.
func (b *bank) change(p tenant.Pool, now time.Time) {
	switch {
	case p == b.pool:
	case p.Window != b.pool.Window:
		b.set(p, now)
	default:
		b.pool, b.plan = p, planOf(p)
	}
}

// ask takes in what a worker tells. It is to be answered, be it with nothing: that says that
// there is a banker.
func (b *bank) ask(now time.Time, a *ask) {
	c := b.customers[a.Client]
	if c == nil {
		c = &customer{wants: make(map[wantKey]struct{})}
		b.customers[a.Client] = c
	}
	if a.Number <= c.number {
		return // it was overtaken
	}
	c.number, c.asked = a.Number, now
	if a.Epoch == b.epoch {
		b.hear(c, a.Heard)
		for _, u := range a.Used {
			b.places.arrived(u.ID, now.Add(-ofMicros(u.AgoMicros)))
		}
		for _, id := range a.Back {
			b.places.back(id)
		}
	}
	if l := a.Limits; l != nil {
		b.correct(now, l)
	}
	if a.AwayMicros > 0 {
		if until := now.Add(min(ofMicros(a.AwayMicros), b.longest())); until.After(b.away) {
			b.away = until
		}
	}
	b.want(c, a)
	if c.next == nil {
		c.next = &grant{}
	}
}

// longestAway bounds how long one answer keeps a pool away, or its window if that is longer.
const longestAway = time.Minute

func (b *bank) longest() time.Duration { return max(b.window, longestAway) }

// hear forgets the grants of which a worker has heard, or never will.
func (b *bank) hear(c *customer, number uint64) {
	n := 0
	for n < len(c.unheard) && c.unheard[n].number <= number {
		n++
	}
	c.unheard = c.unheard[n:]
}

// want makes what a worker says its tenants' wants, less what is on its way to it.
func (b *bank) want(c *customer, a *ask) {
	coming := make(map[wantKey]int, len(c.unheard))
	for _, h := range c.unheard {
		coming[h.key]++
	}
	stated := make(map[wantKey]struct{}, len(a.Wants))
	for i := range a.Wants {
		w := &a.Wants[i]
		for class := range Class(classes) {
			if n := *w.of(class); n > 0 {
				k := wantKey{a.Client, w.Tenant, class}
				stated[k] = struct{}{}
				b.queue.set(k, w.Weight, n-coming[k])
			}
		}
	}
	for k := range c.wants {
		if _, still := stated[k]; !still {
			b.queue.set(k, 1, 0)
		}
	}
	c.wants = stated
}

// correct learns from an answer of the broker's how many requests of its window were not ours.
func (b *bank) correct(now time.Time, l *limits) {
	if ofMicros(l.AgoMicros) > b.window {
		return
	}
	end := now.Add(min(ofMicros(l.ResetMicros), b.longest()))
	// What the broker says of its clock, it says in whole seconds.
	ours := b.places.since(end.Add(-b.window - time.Second))
	others := b.pool.Requests - l.Remaining - ours
	if others > b.others || end.Sub(b.othersUntil) > b.window/2 { // or it is the next window
		b.others, b.othersUntil = max(others, 0), end
	}
}

// capacity is how many places there are.
func (b *bank) capacity(now time.Time) int {
	if now.After(b.othersUntil) {
		b.others = 0
	}
	return b.banked - b.others
}

// hand hands out the tokens that are due, into what is gathered for the workers.
func (b *bank) hand(now time.Time) {
	b.drop(now)
	if now.Before(b.start) || now.Before(b.away) || b.queue.empty() {
		return
	}
	if least := now.Add(-b.lag); b.due.Before(least) {
		b.due = least
	}
	if b.due.Before(b.start) {
		b.due = b.start
	}
	for !b.due.After(now) && b.places.taken(now) < b.capacity(now) {
		k, ok := b.queue.next(now, &b.plan)
		if !ok {
			return
		}
		b.ids++
		b.places.take(b.ids, b.due.Add(b.reach()))
		c := b.customers[k.client]
		if c.next == nil {
			c.next = &grant{}
		}
		c.next.Tokens = append(c.next.Tokens, token{ID: b.ids, Tenant: k.tenant, Class: k.class, AfterMicros: micros(b.due.Sub(c.asked))})
		c.unheard = append(c.unheard, handed{c.granted + 1, k})
		b.due = b.due.Add(b.every)
		if len(c.next.Tokens) == maxTokens {
			return
		}
	}
}

// drop forgets workers that say nothing any more.
func (b *bank) drop(now time.Time) {
	for name, c := range b.customers {
		if now.Sub(c.asked) < b.forget {
			continue
		}
		for k := range c.wants {
			b.queue.set(k, 1, 0)
		}
		c.wants, c.next = nil, nil
		// Its number is remembered for as long as one of its asks may be on its way.
		if now.Sub(c.asked) > max(b.forget, time.Minute) {
			delete(b.customers, name)
		}
	}
}

// gathered takes what is gathered for each worker.
func (b *bank) gathered(send func(client string, g *grant)) {
	for name, c := range b.customers {
		g := c.next
		if g == nil {
			continue
		}
		c.next = nil
		c.granted++
		g.Version, g.Worker, g.Epoch, g.Number, g.Echo = version, b.worker, b.epoch, c.granted, c.number
		send(name, g)
	}
}

// next is when tokens may be due that somebody wants; zero if nobody wants any. Those of a
// tick are gathered, unless there is something urgent.
func (b *bank) next(now time.Time) time.Time {
	if b.queue.empty() {
		return time.Time{}
	}
	at := now
	if len(b.queue.lines[Urgent]) == 0 {
		at = now.Add(b.tick)
	}
	for _, t := range []time.Time{b.due, b.start, b.away} {
		if t.After(at) {
			at = t
		}
	}
	if b.places.taken(now) >= b.capacity(now) {
		if free := b.places.free(); free.After(at) {
			at = free
		}
		if b.others > 0 && b.othersUntil.Before(at) && b.othersUntil.After(now) {
			at = b.othersUntil
		}
	}
	return at
}
