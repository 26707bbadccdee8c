package updates_test

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"
)

// step is something that happens on a day, at the broker or to the connection.
type step struct {
	name string
	do   func(*trader)
}

// trader is the tenant's day: it places orders at the exchange and writes their outcomes.
type trader struct {
	*desk
	ids  []string // of its orders, in the order of placing
	late []order.Outcome
}

// of is the broker's id of the n-th order, "" if there is none yet.
func (d *trader) of(n int) string {
	if len(d.ids) == 0 {
		return ""
	}
	return d.ids[n%len(d.ids)]
}

func (d *trader) placed(kind order.Kind, clientID, id string, late bool) {
	d.ids = append(d.ids, id)
	d.late = append(d.late, accepted(kind, clientID, id))
	if !late {
		d.outcomes()
		return
	}
	d.exchange.mu.Lock()
	defer d.exchange.mu.Unlock()
	for _, b := range d.exchange.orders {
		b.loose = b.loose || b.ID == id
	}
}

// outcomes writes the outcomes that are not on the ledger yet.
func (d *trader) outcomes() {
	for _, o := range d.late {
		d.outcome(o)
	}
	d.late = nil
}

func place(qty int64, class order.Class, late bool) step {
	return step{fmt.Sprintf("place %d %s late=%t", qty, class, late), func(d *trader) {
		d.outcomes() // one at a time: an outcome comes before the next order
		clientID := fmt.Sprintf("acme.intent-%d", len(d.ids))
		d.placed(order.KindOrder, clientID, d.exchange.book(clientID, qty, class), late)
	}}
}

func trade(n int, qty int64) step {
	return step{fmt.Sprintf("fill %d of order %d", qty, n), func(d *trader) { d.exchange.trade(d.of(n), qty) }}
}

// tradeLeg fills a leg of a bracket.
func tradeLeg(n, leg int) step {
	return step{fmt.Sprintf("fill leg %d of order %d", leg, n), func(d *trader) {
		d.exchange.trade(d.leg(n, leg), 100)
	}}
}

func (d *trader) leg(n, leg int) string {
	d.exchange.mu.Lock()
	defer d.exchange.mu.Unlock()
	for _, b := range d.exchange.orders {
		if b.ID == d.of(n) && leg < len(b.legs) {
			return b.legs[leg].ID
		}
	}
	return ""
}

func end(n int, event string) step {
	return step{fmt.Sprintf("order %d is %s", n, event), func(d *trader) { d.exchange.end(d.of(n), event) }}
}

func replace(n int, late bool) step {
	return step{fmt.Sprintf("replace order %d late=%t", n, late), func(d *trader) {
		d.outcomes()
		clientID := fmt.Sprintf("acme.intent-%d", len(d.ids))
		if id := d.exchange.replace(d.of(n), clientID); id != "" {
			d.placed(order.KindReplace, clientID, id, late)
		}
	}}
}

func byHand(n int) step {
	return step{fmt.Sprintf("replace order %d by hand", n), func(d *trader) {
		if id := d.exchange.replace(d.of(n), fmt.Sprintf("somebody-%d", n)); id != "" {
			d.ids = append(d.ids, id)
		}
	}}
}

var (
	foreign = step{"an order of somebody else's", func(d *trader) {
		x := d.exchange
		id := x.book("by-hand", 3, order.Simple)
		x.mu.Lock()
		defer x.mu.Unlock()
		b := x.find(id)
		before := len(x.want)
		x.finish(b, order.EventCanceled)
		x.want = x.want[:before]
	}}
	refused  = step{"an order is refused", func(d *trader) { d.outcomes(); d.outcome(order.Outcome{Kind: order.KindOrder, Status: order.Rejected}) }}
	written  = step{"outcomes are written", func(d *trader) { d.outcomes() }}
	cut      = step{"cut", func(d *trader) { d.exchange.cut() }}
	renew    = step{"other keys", func(d *trader) { d.renew() }}
	takeOver = step{"take-over", func(d *trader) { d.takeOver() }}
	drop     = step{"an event is dropped", func(d *trader) {
		d.exchange.mu.Lock()
		defer d.exchange.mu.Unlock()
		d.exchange.mute++
	}}
)

func later(d time.Duration) step {
	return step{"later by " + d.String(), func(t *trader) {
		t.exchange.mu.Lock()
		t.exchange.at = t.exchange.at.Add(d)
		t.exchange.mu.Unlock()
		pass(d)
	}}
}

// live takes a tenant through a day, and says how the ledger is not what happened on it.
func live(t *testing.T, x *exchange, prepare func(*desk), day []step) (differs string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &trader{desk: newDesk(x)}
		if os.Getenv("UPDATES_LOG") != "" {
			d.log = zerolog.New(zerolog.NewTestWriter(t))
		}
		defer d.close()
		if prepare != nil {
			prepare(d.desk)
		}
		for _, s := range day {
			if d.log.GetLevel() != zerolog.Disabled {
				t.Log(s.name)
			}
			s.do(d)
		}
		d.outcomes()
		x.mu.Lock()
		x.mute = 0
		x.mu.Unlock()
		pass(5 * time.Minute) // for the check of what was dropped
		synctest.Wait()
		differs = d.differs(t)
	})
	return differs
}

// theDay has something of everything.
func theDay() []step {
	ms := time.Millisecond
	return []step{
		place(10, order.Simple, false), later(2 * ms),
		trade(0, 4), later(ms),
		place(5, order.Bracket, false), later(ms),
		place(7, order.Simple, true), later(ms),
		trade(2, 3), written, later(ms),
		trade(1, 5), later(ms), // the entry of the bracket: its legs are in the market
		trade(0, 2), foreign, later(ms),
		replace(2, false), later(ms),
		trade(3, 2), later(ms),
		replace(3, true), trade(4, 1), written, later(ms),
		refused,
		tradeLeg(1, 1), later(ms), // and the other leg is canceled
		end(4, order.EventExpired), later(ms),
		place(3, order.Simple, true), trade(5, 3), later(ms), // filled before its outcome
		place(2, order.Bracket, false), later(ms),
		replace(6, false), later(ms), // with its legs
		trade(7, 100), later(ms),
		byHand(0), later(ms),
		trade(8, 3), later(ms),
		end(8, order.EventCanceled), later(ms),
		tradeLeg(7, 0), later(ms),
		place(1, order.Simple, false), end(9, order.EventRejected), later(ms),
	}
}

// kinds of brokers, by what is not the same everywhere.
func kinds() map[string]func() *exchange {
	return map[string]func() *exchange{
		"plain":  newExchange,
		"shows":  func() *exchange { x := newExchange(); x.showsLegs, x.inherits = true, true; return x },
		"hides":  func() *exchange { x := newExchange(); x.hidesHeld, x.inherits = true, true; return x },
		"lags":   func() *exchange { x := newExchange(); x.lag = 800 * time.Millisecond; return x },
		"slowly": func() *exchange { x := newExchange(); x.slow = 400 * time.Millisecond; return x },
	}
}

func TestADay(t *testing.T) {
	for name, broker := range kinds() {
		t.Run(name, func(t *testing.T) {
			if differs := live(t, broker(), nil, theDay()); differs != "" {
				t.Error(differs)
			}
		})
	}
}

// TestCutAtEveryPoint cuts the feed at every point of a day, for no time and for long,
// changes the tenant's keys, and takes the tenant over there.
func TestCutAtEveryPoint(t *testing.T) {
	day := theDay()
	for name, broker := range kinds() {
		for _, what := range []step{cut, renew, takeOver} {
			for i := range day {
				for _, pause := range []time.Duration{0, 3 * time.Second} {
					cutDay := append(append(append([]step{}, day[:i]...), what, later(pause)), day[i:]...)
					if differs := live(t, broker(), nil, cutDay); differs != "" {
						t.Fatalf("%s: %s at %d, then %s: %s", name, what.name, i, pause, differs)
					}
				}
			}
		}
	}
}

// TestAnyDay: any day, with cuts, take-overs, dropped events, lost writes and lost
// acknowledgements at any point of it, is on the ledger as it happened.
func TestAnyDay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := newExchange()
		x.showsLegs, x.hidesHeld, x.inherits = rapid.Bool().Draw(rt, "shows legs"), rapid.Bool().Draw(rt, "hides held"), rapid.Bool().Draw(rt, "inherits")
		x.slow = time.Duration(rapid.SampledFrom([]int{0, 1, 20, 300}).Draw(rt, "slow")) * time.Millisecond
		x.lag = time.Duration(rapid.SampledFrom([]int{0, 0, 500}).Draw(rt, "lag")) * time.Millisecond
		mishaps := rapid.SliceOfN(rapid.SampledFrom([]mishap{none, none, none, lostAck, lostWrite}), 20, 20).Draw(rt, "mishaps")
		day := drawDay(rt)
		prepare := func(d *desk) { d.sheet.mishap = func(n int) mishap { return mishaps[n%len(mishaps)] } }
		if differs := live(t, x, prepare, day); differs != "" {
			for i, s := range day {
				rt.Logf("%2d %s", i, s.name)
			}
			rt.Fatal(differs)
		}
	})
}

// drawDay draws any day.
func drawDay(rt *rapid.T) []step {
	n := rapid.IntRange(0, 9)
	late, qty := rapid.Bool(), rapid.Int64Range(1, 4)
	var day []step
	for range rapid.IntRange(1, 60).Draw(rt, "steps") {
		var s step
		switch rapid.SampledFrom([]string{"place", "place", "bracket", "fill", "fill", "fill", "leg", "end", "replace", "hand", "foreign", "refused", "written", "later", "later", "later", "cut", "cut", "keys", "take-over", "drop"}).Draw(rt, "step") {
		case "place":
			s = place(2*qty.Draw(rt, "qty"), order.Simple, late.Draw(rt, "late"))
		case "bracket":
			s = place(qty.Draw(rt, "qty"), order.Bracket, late.Draw(rt, "late"))
		case "fill":
			s = trade(n.Draw(rt, "order"), qty.Draw(rt, "qty"))
		case "leg":
			s = tradeLeg(n.Draw(rt, "order"), rapid.IntRange(0, 1).Draw(rt, "leg"))
		case "end":
			s = end(n.Draw(rt, "order"), rapid.SampledFrom([]string{order.EventCanceled, order.EventExpired, order.EventRejected}).Draw(rt, "end"))
		case "replace":
			s = replace(n.Draw(rt, "order"), late.Draw(rt, "late"))
		case "hand":
			s = byHand(n.Draw(rt, "order"))
		case "foreign":
			s = foreign
		case "refused":
			s = refused
		case "written":
			s = written
		case "later":
			s = later(time.Duration(rapid.SampledFrom([]int{1, 2, 10, 100, 1000, 20_000}).Draw(rt, "ms")) * time.Millisecond)
		case "cut":
			s = cut
		case "keys":
			s = renew
		case "take-over":
			s = takeOver
		case "drop":
			s = drop
		}
		day = append(day, s)
	}
	return day
}

// TestDerived: fills that the broker's list never shows follow from the order's totals.
func TestDerived(t *testing.T) {
	x := newExchange()
	x.lag = time.Hour
	var d *desk
	day := []step{
		place(10, order.Simple, false), later(time.Second),
		trade(0, 4), later(time.Second), // told by the feed
		{"no feed", func(d *trader) { d.exchange.mu.Lock(); d.exchange.closed = true; d.exchange.mu.Unlock() }}, cut,
		trade(0, 6), later(time.Second),
	}
	live(t, x, func(one *desk) { d = one }, day)
	all := d.sheet.updates(t)
	if len(all) != 2 || all[0].Derived {
		t.Fatalf("the ledger has %+v", all)
	}
	// The exchange shows the last price as the average: 10 at 101, of which 4 were at 100.
	u := all[1]
	if !u.Derived || u.Event != order.EventFill || !u.Qty.Equal(num(6)) || !u.FilledQty.Equal(num(10)) || u.Price.StringFixed(4) != "101.6667" {
		t.Errorf("derived %+v: %s at %s", u, u.Qty, u.Price)
	}
}
