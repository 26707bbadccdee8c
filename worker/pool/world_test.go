package pool

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// world is a fleet in a time of its own: tills and banks as they are, and between them and
// the broker a network that delays and loses. It remembers when requests reached the broker.
type world struct {
	pool tenant.Pool
	rand *rand.Rand
	now  time.Time
	todo schedule
	seq  int

	workers map[string]*workplace
	bank    *bank
	payday  time.Time // when the bank is to be looked at
	reign   int       // of bankers
	names   int       // of workers

	delay    func() time.Duration // of a message
	lost     func() bool
	answers  func() time.Duration // how long after it arrived a request is answered
	disorder bool                 // messages overtake each other
	mute     bool                 // some answers never come

	arrivals []arrived
	refused  func(at time.Time) *broker.Limits // what answers say of the limit
}

type arrived struct {
	at     time.Time
	tenant string
	class  Class
	waited time.Duration
	loose  bool
}

// workplace is a worker.
type workplace struct {
	name    string
	till    *till
	shares  *shares
	tenants []*trader
	dead    bool
	cut     bool // from the banker
	armed   time.Time
	waiting []watched

	asks, grants time.Time // when the last one arrives
}

// trader is a tenant that makes requests.
type trader struct {
	name   string
	weight int
	at     *workplace
	pause  func() time.Duration // between its requests
	class  func() Class
	since  time.Time // when it began to wait
}

type event struct {
	at  time.Time
	seq int
	do  func()
}

type schedule []event

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return s[i].at.Before(s[j].at) || s[i].at.Equal(s[j].at) && s[i].seq < s[j].seq
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)   { *s = append(*s, x.(event)) }
func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

func newWorld(p tenant.Pool, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	return &world{
		pool: p, rand: r, now: time.Unix(1_800_000_000, 0), workers: make(map[string]*workplace),
		delay:   func() time.Duration { return time.Duration(r.Int64N(int64(2 * time.Millisecond))) },
		lost:    func() bool { return false },
		answers: func() time.Duration { return time.Duration(r.Int64N(int64(5 * time.Millisecond))) },
	}
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.todo, event{w.now.Add(max(d, 0)), w.seq, do})
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for len(w.todo) > 0 && !w.todo[0].at.After(end) {
		e := heap.Pop(&w.todo).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

// hire starts a worker; it sees the fleet, and the others see it, each in its time.
func (w *world) hire(stale time.Duration) *workplace {
	w.names++
	one := &workplace{name: fmt.Sprintf("w%d", w.names), shares: &shares{stale: stale}}
	one.till = newTill("p", one.name, one.shares, w.now)
	one.till.set(w.pool, true)
	w.workers[one.name] = one
	w.see(stale)
	return one
}

// see tells all workers who is there, each in its own time.
func (w *world) see(stale time.Duration) {
	var names []string
	for name, one := range w.workers {
		if !one.dead {
			names = append(names, name)
		}
	}
	for _, one := range w.workers {
		if one.dead {
			continue
		}
		late := w.now.Add(w.some(stale))
		if one.shares.views != nil {
			if last := one.shares.views[len(one.shares.views)-1].from; late.Before(last) {
				late = last // changes are seen in their order
			}
		}
		w.seq++
		heap.Push(&w.todo, event{late, w.seq, func() { one.shares.see(w.now, one.name, names) }})
	}
}

func (w *world) some(most time.Duration) time.Duration {
	return time.Duration(w.rand.Int64N(int64(most) + 1))
}

// settleIn makes a worker's view of the fleet old enough to count.
func (w *world) settleIn() {
	for _, one := range w.workers {
		for i := range one.shares.views {
			one.shares.views[i].from = w.now.Add(-keep / 2)
		}
	}
}

// kill ends a worker: nobody hears what became of its tokens. Its tenants move.
func (w *world) kill(one *workplace, to *workplace, stale time.Duration) {
	one.dead = true
	w.see(stale)
	for _, t := range one.tenants {
		w.move(t, to)
	}
	one.tenants = nil
}

func (w *world) move(t *trader, to *workplace) {
	t.at = to
	to.tenants = append(to.tenants, t)
	w.trade(t)
}

// enthrone has another banker begin, whose predecessor handed out its last token by now.
func (w *world) enthrone() {
	w.reign++
	before := w.now
	w.bank = newBank(w.pool, "banker", uint64(w.reign), before)
}

// abdicate leaves the pool without a banker.
func (w *world) abdicate() { w.bank = nil }

// trade is one request of a tenant's, and the next ones.
func (w *world) trade(t *trader) {
	one := t.at
	class := t.class()
	t.since = w.now
	waiter := &Waiter{till: one.till, key: tenantClass{t.name, class}, weight: t.weight, tokens: make(chan *Token, 1)}
	one.till.join(w.now, waiter)
	one.waiting = append(one.waiting, watched{waiter, t})
	w.tick(one)
}

// watched is a trader that waits for its token.
type watched struct {
	waiter *Waiter
	trader *trader
}

// tick does what is due at a worker.
func (w *world) tick(one *workplace) {
	if one.dead {
		return
	}
	if a := one.till.tick(w.now); a != nil {
		w.post(a, one)
	}
	var still []watched
	for _, x := range one.waiting {
		select {
		case tok := <-x.waiter.tokens:
			w.request(one, x.trader, tok, x.waiter.key.class)
		default:
			still = append(still, x)
		}
	}
	one.waiting = still
	at := one.till.next(w.now)
	if at.Equal(one.armed) {
		return
	}
	if one.armed = at; !at.IsZero() {
		w.after(max(at.Sub(w.now), time.Microsecond), func() {
			if one.armed.Equal(at) {
				one.armed = time.Time{}
				w.tick(one)
			}
		})
	}
}

// post sends an ask. It goes over the wire.
func (w *world) post(a *ask, one *workplace) {
	data, err := encode(a)
	if err != nil {
		panic(err)
	}
	if one.cut || w.lost() {
		return
	}
	w.after(w.passage(&one.asks), func() {
		b := w.bank
		if b == nil {
			return
		}
		read, err := decodeAsk(data)
		if err != nil {
			panic(err)
		}
		b.ask(w.now, read)
		w.pay(b)
	})
}

// passage is how long a message takes. They stay in order, as NATS delivers them.
func (w *world) passage(last *time.Time) time.Duration {
	at := w.now.Add(w.delay())
	if at.Before(*last) && !w.disorder {
		at = *last
	}
	*last = at
	return at.Sub(w.now)
}

// pay has the banker hand out what is due.
func (w *world) pay(b *bank) {
	if b != w.bank {
		return
	}
	b.hand(w.now)
	var grants []struct {
		client string
		data   []byte
	}
	b.gathered(func(client string, g *grant) {
		g.Pool = "p"
		data, err := encode(g)
		if err != nil {
			panic(err)
		}
		grants = append(grants, struct {
			client string
			data   []byte
		}{client, data})
	})
	slices.SortFunc(grants, func(a, b struct {
		client string
		data   []byte
	}) int {
		return cmp.Compare(a.client, b.client)
	})
	for _, g := range grants {
		one := w.workers[g.client]
		if one.cut || w.lost() {
			continue
		}
		w.after(w.passage(&one.grants), func() {
			read, err := decodeGrant(g.data)
			if err != nil {
				panic(err)
			}
			if !one.dead {
				one.till.grant(w.now, read)
				w.tick(one)
			}
		})
	}
	w.payday = b.next(w.now)
	if at := w.payday; !at.IsZero() {
		w.after(at.Sub(w.now), func() {
			if w.payday.Equal(at) {
				w.pay(b)
			}
		})
	}
}

// request is written at once, if its token is still good, and arrives in time.
func (w *world) request(one *workplace, t *trader, tok *Token, class Class) {
	again := func() {
		w.after(t.pause(), func() {
			if t.at == one && !one.dead {
				w.trade(t)
			}
		})
	}
	write := w.some(2 * time.Millisecond)
	if w.now.Add(write).After(tok.Until) {
		one.till.giveBack(tok)
		again()
		return
	}
	v := broker.Verdict{Submitted: w.now.Add(write)}
	waited := w.now.Sub(t.since)
	transit := w.some(2 * time.Millisecond)
	if w.mute { // the worst that may be
		transit = w.some(one.till.transit)
	}
	w.after(write+transit, func() {
		w.arrivals = append(w.arrivals, arrived{w.now, t.name, class, waited, tok.epoch == 0})
		if w.refused != nil {
			if l := w.refused(w.now); l != nil {
				v.Limits = *l
			}
		}
		if !w.mute || w.rand.IntN(20) > 0 {
			answered := w.answers()
			w.after(answered, func() {
				v.Answered = w.now
				if !one.dead {
					one.till.report(w.now, tok, &v)
					w.tick(one)
				}
				again()
			})
			return
		}
		w.after(3*w.answers(), func() {
			if !one.dead {
				one.till.report(w.now, tok, &v)
				w.tick(one)
			}
			again()
		})
	})
}

// worst is how many requests reached the broker in the fullest window.
func (w *world) worst() int {
	all := make([]time.Time, len(w.arrivals))
	for i, a := range w.arrivals {
		all[i] = a.at
	}
	slices.SortFunc(all, time.Time.Compare)
	most, first := 0, 0
	for i := range all {
		for all[i].Sub(all[first]) >= time.Duration(w.pool.Window) {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// used is the part of the limit that was used between two times.
func (w *world) used(from, until time.Time) float64 {
	n := 0
	for _, a := range w.arrivals {
		if !a.at.Before(from) && a.at.Before(until) {
			n++
		}
	}
	return float64(n) / float64(w.pool.Requests) / (float64(until.Sub(from)) / float64(w.pool.Window))
}
