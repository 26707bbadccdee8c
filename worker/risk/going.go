package risk

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// went is an order that went out.
type went struct {
	at      time.Time
	dollars decimal.Decimal
	known   bool
	content string // empty: it makes no other one a duplicate
}

// sum is what several of them come to.
type sum struct {
	orders   int
	dollars  decimal.Decimal
	unpriced int // whose dollars nobody knows
}

func (s *sum) add(w *went) {
	s.orders++
	s.dollars = s.dollars.Add(w.dollars)
	if !w.known {
		s.unpriced++
	}
}

func (s *sum) sub(w *went) {
	s.orders--
	s.dollars = s.dollars.Sub(w.dollars)
	if !w.known {
		s.unpriced--
	}
}

// window is what went out in a time that ends now.
type window struct {
	span  time.Duration
	first int // of going.all
	sum   sum
}

// going is what went out of late, the oldest first, and no longer ago than is counted.
type going struct {
	all     []went
	dropped int       // of all, those at its front that count no more
	windows [2]window // a second, a minute
	keeps   time.Duration
	content time.Duration
	latest  map[string]time.Time // of a content
}

func newGoing(s Scope) going {
	return going{
		windows: [2]window{{span: time.Second}, {span: time.Minute}},
		keeps:   max(s.Span, s.Content), content: s.Content, latest: make(map[string]time.Time),
	}
}

func (g *going) add(at time.Time, c *order.Counted, o *order.Outcome) {
	if g.keeps == 0 {
		return
	}
	if n := len(g.all); n > 0 && at.Before(g.all[n-1].at) { // another worker's clock
		at = g.all[n-1].at
	}
	w := went{at: at}
	w.dollars, w.known = dollarsOf(c)
	if g.content > 0 && repeats(o) {
		w.content = contentOf(c)
		g.latest[w.content] = at
	}
	g.all = append(g.all, w)
	for i := range g.windows {
		g.windows[i].sum.add(&w)
	}
}

// repeats says that the same again would be a duplicate: the broker has it, or may.
func repeats(o *order.Outcome) bool {
	return o.Kind != order.KindReplace && (o.Status == order.Accepted || o.Status == order.Failed)
}

// advance moves the windows: what is as old as they are long is out of them.
func (g *going) advance(now time.Time) {
	if len(g.all) == 0 {
		return
	}
	for i := range g.windows {
		w := &g.windows[i]
		for w.first < len(g.all) && now.Sub(g.all[w.first].at) >= w.span {
			w.sum.sub(&g.all[w.first])
			w.first++
		}
	}
	for ; g.dropped < len(g.all) && now.Sub(g.all[g.dropped].at) >= g.keeps; g.dropped++ {
		if w := &g.all[g.dropped]; w.content != "" && g.latest[w.content].Equal(w.at) {
			delete(g.latest, w.content)
		}
	}
	if 2*g.dropped <= len(g.all) { // they are cut off now and then
		return
	}
	for i := range g.windows {
		w := &g.windows[i]
		for w.first < g.dropped { // it is longer than what is kept, and nobody asks for it
			w.sum.sub(&g.all[w.first])
			w.first++
		}
		w.first -= g.dropped
	}
	g.all, g.dropped = append([]went(nil), g.all[g.dropped:]...), 0
}

func (b *Book) orders(span time.Duration) int { return b.notional(span).orders }

// notional is what went out within a span, which is a second or a minute.
func (b *Book) notional(span time.Duration) sum {
	for _, w := range b.going.windows {
		if w.span == span {
			return w.sum
		}
	}
	return sum{}
}

// same is when the same symbol, side and size went out the last time.
func (b *Book) same(c *order.Counted) (time.Time, bool) {
	at, ok := b.going.latest[contentOf(c)]
	return at, ok && b.last.Sub(at) < b.going.content
}

func contentOf(c *order.Counted) string {
	s := order.Canonical(c.Symbol) + " " + string(c.Side) + " "
	switch {
	case c.Qty != nil:
		return s + c.Qty.String()
	case c.Notional != nil:
		return s + "$" + c.Notional.String()
	}
	return s
}

// dollarsOf is what an order is worth; false if nobody knows.
func dollarsOf(c *order.Counted) (decimal.Decimal, bool) {
	switch {
	case c.Notional != nil:
		return *c.Notional, true
	case c.Qty == nil || c.Each == nil:
		return decimal.Decimal{}, false
	}
	return c.Qty.Mul(*c.Each), true
}
