package pool

import (
	"container/heap"
	"time"
)

// Class is how urgent a request is.
type Class uint8

// The classes.
const (
	// Ordinary: what an intent asks for. The parts of tenants are by their weights.
	Ordinary Class = iota
	// Urgent: cancels, and lookups that resolve a doubt. They come first, up to the
	// pool's reserve; beyond that they are ordinary.
	Urgent
	// Background: what nobody's intent waits for. It comes last, but for a small part.
	Background

	classes = 3
)

// want is what a tenant wants by way of one worker, in a class.
type want struct {
	key    wantKey
	weight uint64
	n      int    // tokens
	tag    uint64 // virtual time at which its turn comes
	index  int    // in its line; -1 outside
}

type wantKey struct {
	client, tenant string
	class          Class
}

// queue says whose turn it is: start-time fair queueing. Each token that a tenant gets moves its
// next turn on by the inverse of its weight, in a virtual time that goes on as turns are
// taken; who wants nothing for a while gains nothing by it.
type queue struct {
	lines  [classes]line
	wants  map[wantKey]*want
	turns  [2]map[string]uint64 // when each tenant's next turn is: of its intents, of the background
	clocks [2]uint64            // virtual times

	urgent, background time.Time // until then their parts are used up

	since int // tokens, since turns were forgotten
}

func newQueue() *queue {
	return &queue{wants: make(map[wantKey]*want), turns: [2]map[string]uint64{make(map[string]uint64), make(map[string]uint64)}}
}

const (
	// unit is what a token costs a tenant of weight 1, in virtual time.
	unit = 1 << 20
	// lead is how many tokens' worth urgent requests may put a tenant's next turn off, at most:
	// they may have been made while nobody else wanted anything.
	lead = 8
)

// books says which turns a class counts for.
func (c Class) books() int {
	if c == Background {
		return 1
	}
	return 0
}

// set makes n what a tenant wants.
func (q *queue) set(k wantKey, weight, n int) {
	w := q.wants[k]
	switch {
	case w == nil && n <= 0:
		return
	case w == nil:
		w = &want{key: k, index: -1}
		q.wants[k] = w
	case n <= 0:
		if w.index >= 0 {
			heap.Remove(&q.lines[k.class], w.index)
		}
		delete(q.wants, k)
		return
	}
	w.n, w.weight = n, uint64(max(weight, 1))
	if w.index < 0 {
		w.tag = q.turn(k)
		heap.Push(&q.lines[k.class], w)
	}
}

// turn is when a tenant's next turn is.
func (q *queue) turn(k wantKey) uint64 {
	b := k.class.books()
	return max(q.turns[b][k.tenant], q.clocks[b])
}

// empty says that nobody wants anything.
func (q *queue) empty() bool { return len(q.wants) == 0 }

// next takes the next token's tenant from the queue; false if nobody wants one.
func (q *queue) next(now time.Time, p *plan) (wantKey, bool) {
	w := q.choose(now, p)
	if w == nil {
		return wantKey{}, false
	}
	q.charge(w)
	if w.n--; w.n == 0 {
		heap.Remove(&q.lines[w.key.class], w.index)
		delete(q.wants, w.key)
		q.prune()
	} else {
		w.tag = q.turn(w.key)
		heap.Fix(&q.lines[w.key.class], w.index)
	}
	return w.key, true
}

// choose says who is next: of each class the one whose turn comes first.
func (q *queue) choose(now time.Time, p *plan) *want {
	urgent, ordinary, background := q.first(Urgent), q.first(Ordinary), q.first(Background)
	if ahead := q.urgent.Sub(now); urgent != nil && ahead <= time.Duration(p.reserved-1)*p.reserve {
		q.urgent = now.Add(max(ahead, 0) + p.reserve)
		return urgent
	}
	if background != nil && !now.Before(q.background) {
		q.background = now.Add(p.background)
		return background
	}
	switch {
	case urgent != nil && (ordinary == nil || urgent.tag <= ordinary.tag):
		return urgent
	case ordinary != nil:
		return ordinary
	}
	return background
}

// first is the head of a line. A tag is older than its tenant's turn if the tenant got
// something in another class, or by way of another worker.
func (q *queue) first(c Class) *want {
	l := &q.lines[c]
	for len(*l) > 0 {
		w := (*l)[0]
		tag := q.turn(w.key)
		if tag == w.tag {
			return w
		}
		w.tag = tag
		heap.Fix(l, 0)
		if (*l)[0] == w {
			return w
		}
	}
	return nil
}

// charge moves a tenant's next turn on.
func (q *queue) charge(w *want) {
	b, cost := w.key.class.books(), unit/w.weight
	turn := w.tag + cost
	if w.key.class == Urgent {
		turn = min(turn, max(q.clocks[b]+lead*cost, w.tag))
	} else {
		q.clocks[b] = max(q.clocks[b], w.tag)
	}
	q.turns[b][w.key.tenant] = turn
}

// prune forgets, now and then, the turns of tenants that are as good as any other's.
func (q *queue) prune() {
	if q.since++; q.since <= len(q.turns[0])+len(q.turns[1]) {
		return
	}
	q.since = 0
	for b := range q.turns {
		for name, turn := range q.turns[b] {
			if turn <= q.clocks[b] {
				delete(q.turns[b], name)
			}
		}
	}
}

// line implements [heap.Interface]: whose turn comes first is on top.
type line []*want

func (l line) Len() int { return len(l) }
func (l line) Less(i, j int) bool {
	if l[i].tag != l[j].tag {
		return l[i].tag < l[j].tag
	}
	return l[i].key.tenant < l[j].key.tenant
}
func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].index, l[j].index = i, j
}

// Push implements [heap.Interface].
func (l *line) Push(x any) {
	w, _ := x.(*want)
	w.index = len(*l)
	*l = append(*l, w)
}

// Pop implements [heap.Interface].
func (l *line) Pop() any {
	last := len(*l) - 1
	w := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	w.index = -1
	return w
}
