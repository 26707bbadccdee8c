package updates_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// forgotten lets the shard have so much traffic that the next owner does not read what was
// over before.
var forgotten = step{"much happens on the shard", func(d *trader) {
	d.sheet.mu.Lock()
	defer d.sheet.mu.Unlock()
	for range 5000 {
		d.sheet.put(ledger.Intents, nil)
	}
}}

// told tells the feeds of something else that happened to an order than fills and ends.
func told(n int, kind string) step {
	return step{kind, func(d *trader) {
		x := d.exchange
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, b := range x.orders {
			if b.ID != d.of(n) {
				continue
			}
			for f := range x.feeds {
				f.events <- broker.Event{Kind: kind, At: x.at, Order: x.shown(b, false)}
			}
		}
	}}
}

// TestOldOrdersStayOver: whatever else the broker tells of an order that was over long ago,
// its fills are not recorded again.
func TestOldOrdersStayOver(t *testing.T) {
	for _, kind := range []string{"trade_bust", "trade_correct", "order_cancel_rejected"} {
		day := []step{
			place(10, order.Simple, false), later(time.Second),
			trade(0, 4), later(time.Second), trade(0, 6), later(time.Second),
			place(5, order.Simple, false), later(time.Second), trade(1, 5), later(time.Second),
			forgotten, place(5, order.Simple, false), later(time.Second), trade(2, 1), later(time.Second),
			takeOver, later(time.Second),
			told(0, kind), later(3 * time.Second),
		}
		if differs := live(t, newExchange(), nil, day); differs != "" {
			t.Errorf("%s: %s", kind, differs)
		}
	}
}

// TestOldLegsStayOver: an order that hangs on one which is still open, and was over long ago,
// is not recorded again, whatever its tenant did meanwhile.
func TestOldLegsStayOver(t *testing.T) {
	oco := step{"place an OCO order", func(d *trader) {
		x, clientID := d.exchange, "acme.intent-0"
		id := x.book(clientID, 5, order.OCO)
		x.mu.Lock()
		b := x.find(id)
		leg := x.enter("the-brokers-own", 5, order.OCO)
		leg.parent, leg.intentID = b, b.intentID
		b.legs = append(b.legs, leg)
		x.mu.Unlock()
		d.placed(order.KindOrder, clientID, id, false)
	}}
	move := step{"move its leg", func(d *trader) { d.exchange.replace(d.leg(0, 0), "somebody") }}
	day := []step{oco, later(time.Second), move, later(time.Second)}
	for i := range 2100 {
		day = append(day, place(1, order.Simple, false), later(time.Millisecond), trade(i+1, 1), later(time.Millisecond))
	}
	day = append(day, later(time.Minute), takeOver, later(time.Minute))
	if differs := live(t, newExchange(), nil, day); differs != "" {
		t.Error(differs)
	}
}

// locked is an exchange that knows its account by other keys since a while.
type locked struct{ *exchange }

var unauthorized = broker.Verdict{Kind: broker.Rejected, HTTPStatus: 401, Message: "unauthorized."}

func (locked) Orders(context.Context, broker.OrdersQuery) ([]broker.Record, broker.Verdict) {
	return nil, unauthorized
}
func (locked) Follow(context.Context) (broker.Feed, broker.Verdict) { return nil, unauthorized }

// TestNewKeys: a tenant's keys are changed, first here or first at the broker, while its
// orders are open; the follower goes on with the new ones.
func TestNewKeys(t *testing.T) {
	x := newExchange()
	made := 0
	prepare := func(d *desk) {
		d.books = func() broker.Books {
			if made++; made < 4 {
				return locked{x}
			}
			return x
		}
	}
	day := []step{place(10, order.Simple, false), later(time.Second), trade(0, 4), later(time.Second), end(0, order.EventCanceled)}
	if differs := live(t, x, prepare, day); differs != "" {
		t.Error(differs)
	}
}

// held is a line to the exchange, of which it is known whether it is in use.
type held struct {
	*exchange
	lines *lines
	feed  bool
}

// lines are those that were made.
type lines struct {
	mu  sync.Mutex
	all []*held
}

func (h *held) Follow(ctx context.Context) (broker.Feed, broker.Verdict) {
	f, v := h.exchange.Follow(ctx)
	h.lines.mu.Lock()
	defer h.lines.mu.Unlock()
	h.feed = true
	return f, v
}

func (h *held) Close() {
	h.lines.mu.Lock()
	defer h.lines.mu.Unlock()
	h.exchange = nil // whoever uses it later is found out
}

// TestRenewed: when a tenant's keys change, its follower lets go of the line and of the feed
// at once, without trouble in the log, and nothing that happens meanwhile is lost.
func TestRenewed(t *testing.T) {
	x, made := newExchange(), new(lines)
	var log bytes.Buffer
	prepare := func(d *desk) {
		d.log = zerolog.New(&log).Level(zerolog.WarnLevel)
		d.books = func() broker.Books {
			made.mu.Lock()
			defer made.mu.Unlock()
			made.all = append(made.all, &held{exchange: x, lines: made})
			return made.all[len(made.all)-1]
		}
	}
	day := []step{
		place(10, order.Simple, false), later(time.Second), trade(0, 4), later(time.Second),
		renew, trade(0, 1), later(time.Second), trade(0, 2), later(time.Second),
	}
	if differs := live(t, x, prepare, day); differs != "" {
		t.Error(differs)
	}
	if len(made.all) != 2 || !made.all[0].feed || !made.all[1].feed {
		t.Fatalf("%d lines were made", len(made.all))
	}
	for i, h := range made.all {
		if h.exchange != nil {
			t.Errorf("line %d was not closed", i)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log has %s", log.String())
	}
}

// feedless is an exchange that opens no feed, and asks to be left alone for long.
type feedless struct{ *exchange }

func (feedless) Follow(context.Context) (broker.Feed, broker.Verdict) {
	return nil, broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: time.Hour, Message: "no feed for you"}
}

// TestNoFeed: where no feed opens, the lists are looked at all the same, and the log says so
// once.
func TestNoFeed(t *testing.T) {
	x := newExchange()
	var log bytes.Buffer
	prepare := func(d *desk) {
		d.log = zerolog.New(&log)
		d.books = func() broker.Books { return feedless{x} }
	}
	day := []step{place(10, order.Simple, false), later(time.Second), trade(0, 4), later(10 * time.Minute), end(0, order.EventCanceled)}
	if differs := live(t, x, prepare, day); differs != "" {
		t.Error(differs)
	}
	if n := bytes.Count(log.Bytes(), []byte("\n")); n != 1 {
		t.Errorf("%d lines of the log:\n%s", n, &log)
	}
}

// TestFailedButThere: an intent failed because nobody could find out what became of it, and
// its order is at the broker: it is followed as any other.
func TestFailedButThere(t *testing.T) {
	const clientID = "acme.intent-0"
	for name, late := range map[string]time.Duration{"at once": 0, "seconds later": 3 * time.Second} {
		day := []step{
			{"fail to place", func(d *trader) {
				d.outcome(order.Outcome{IntentID: "intent-0", Kind: order.KindOrder, Status: order.Failed, ClientOrderID: clientID})
			}},
			later(late),
			{"the broker has it", func(d *trader) { d.ids = append(d.ids, d.exchange.book(clientID, 5, order.Simple)) }},
			later(time.Second), trade(0, 2), later(10 * time.Minute), trade(0, 3), later(time.Second),
		}
		if differs := live(t, newExchange(), nil, day); differs != "" {
			t.Errorf("%s: %s", name, differs)
		}
	}
}

// TestReplacedAgainAndAgain: a bracket whose price is changed again and again costs no more
// requests each time, and its fill is not late.
func TestReplacedAgainAndAgain(t *testing.T) {
	const times = 40
	for name, change := range map[string]func(*trader){
		"by intents": func(d *trader) { replace(len(d.ids)-1, false).do(d) },
		"by hand":    func(d *trader) { byHand(len(d.ids) - 1).do(d) },
	} {
		day := []step{place(100, order.Bracket, false), later(time.Second)}
		for range times {
			day = append(day, step{"replace", change}, later(3*time.Second))
		}
		day = append(day, step{"fill", func(d *trader) { trade(len(d.ids)-1, 3).do(d) }})
		x := newExchange()
		if differs := live(t, x, nil, day); differs != "" {
			t.Errorf("%s: %.600s", name, differs)
		}
		if n := x.calls["record"]; n > 3*times {
			t.Errorf("%s: %d orders were looked up", name, n)
		}
	}
}
