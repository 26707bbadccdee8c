package updates_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/updates"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk stands in for the shard of one tenant: it writes outcomes, starts followers, and
// hands them on to new owners.
type desk struct {
	exchange *exchange
	sheet    *sheet
	log      zerolog.Logger
	linger   time.Duration
	books    func() broker.Books // of exchange

	mu      sync.Mutex
	epoch   uint64
	live    *staffed
	running sync.WaitGroup
	closed  bool
	errs    []error
	intents int
}

// staffed is a follower at work.
type staffed struct {
	inbox   chan ledger.Entry
	behind  bool
	renewed chan struct{}
	stop    context.CancelFunc
}

func newDesk(x *exchange) *desk {
	return &desk{
		exchange: x, sheet: new(sheet), epoch: 1, log: zerolog.Nop(), linger: 10 * time.Second,
		books: func() broker.Books { return x },
	}
}

// outcome writes the outcome of an order and tells the follower.
func (d *desk) outcome(o order.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.intents++
	o.IntentSeq, o.Worker, o.Epoch = uint64(d.intents), "w", d.epoch
	data, err := order.EncodeOutcome(o)
	if err != nil {
		panic(err)
	}
	d.sheet.mu.Lock()
	e := d.sheet.put(ledger.Outcomes, data)
	d.sheet.mu.Unlock()
	switch t := d.live; {
	case t == nil:
		d.start()
	case t.behind:
	case len(t.inbox) < cap(t.inbox):
		t.inbox <- e
	default:
		t.behind = true
		close(t.inbox)
	}
}

// accepted is the outcome of an order that the broker took.
func accepted(kind order.Kind, clientID, brokerID string) order.Outcome {
	_, intentID, _ := order.ParseClientOrderID(clientID)
	return order.Outcome{IntentID: intentID, Kind: kind, Status: order.Accepted, ClientOrderID: clientID, BrokerOrderID: brokerID}
}

func (d *desk) start() {
	if d.closed || d.live != nil {
		return
	}
	cfg := updates.Config{
		Worker: fmt.Sprint("worker-", d.epoch), Ledger: d.sheet, Log: d.log, Linger: d.linger,
		Books: func(context.Context, string) (broker.Books, error) { return d.books(), nil },
	}.WithDefaults()
	ctx, stop := context.WithCancel(context.Background())
	t := &staffed{inbox: make(chan ledger.Entry, 2), renewed: make(chan struct{}, 1), stop: stop}
	d.live = t
	epoch := d.epoch
	asks := make(chan updates.Ask)
	d.sheet.mu.Lock()
	position := uint64(len(d.sheet.entries))
	d.sheet.mu.Unlock()
	f := updates.New(&cfg, updates.Start{
		Tenant: "acme", Epoch: d.epoch, Asks: asks, Yield: make(chan struct{}), Renewed: t.renewed,
		Inbox: updates.Inbox{Position: position, Outcomes: t.inbox},
		Until: func() time.Time { return time.Time{} },
	})
	d.running.Go(func() {
		for {
			select {
			case q := <-asks:
				d.mu.Lock()
				t.inbox, t.behind = make(chan ledger.Entry, 2), false
				d.sheet.mu.Lock()
				q.Reply <- updates.Inbox{Position: uint64(len(d.sheet.entries)), Outcomes: t.inbox}
				d.sheet.mu.Unlock()
				d.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	})
	d.running.Go(func() {
		err := f.Run(ctx)
		d.mu.Lock()
		defer d.mu.Unlock()
		defer stop()
		fenced, ok := errors.AsType[*updates.FencedError](err)
		if ok = ok && epoch < fenced.Epoch && fenced.Epoch <= d.epoch; err != nil && !ok && !errors.Is(err, context.Canceled) {
			d.errs = append(d.errs, err)
		}
		if d.live == t {
			d.live = nil
			if t.behind || len(t.inbox) > 0 {
				d.start()
			}
		}
	})
}

// renew tells the follower that its line to the broker is another one.
func (d *desk) renew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live == nil {
		return
	}
	select {
	case d.live.renewed <- struct{}{}:
	default:
	}
}

// takeOver ends the follower and starts one of the next owner, before the old one is gone.
func (d *desk) takeOver() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live != nil {
		d.live.stop()
		d.live = nil
	}
	d.epoch++
	d.start()
}

// close ends everything.
func (d *desk) close() {
	d.mu.Lock()
	d.closed = true
	if d.live != nil {
		d.live.stop()
	}
	d.mu.Unlock()
	d.running.Wait()
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

// bare is an update without what depends on who wrote it and when.
func bare(t interface{ Fatal(...any) }, u order.Update) string {
	u.Worker, u.Epoch, u.OpenSince = "", 0, 0
	data, err := order.EncodeUpdate(u)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// differs says how the ledger is not what happened: each order's updates have to be there,
// all, once and in their order, and the times of all must not go back.
func (d *desk) differs(t interface{ Fatal(...any) }) string {
	perOrder := func(all []order.Update) map[string][]string {
		m := make(map[string][]string)
		for _, u := range all {
			m[u.BrokerOrderID] = append(m[u.BrokerOrderID], bare(t, u))
		}
		return m
	}
	all := d.sheet.updates(t)
	got, want := perOrder(all), perOrder(d.exchange.want)
	for id := range want {
		if !slices.Equal(got[id], want[id]) {
			return fmt.Sprintf("of %s the ledger has\n%v\nand what happened is\n%v", id, got[id], want[id])
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("the ledger tells of %d orders, and there are %d", len(got), len(want))
	}
	// An order that was over before its outcome was there, or of which the feed left out
	// something, is found later than others.
	loose := d.exchange.loose()
	timely := slices.DeleteFunc(slices.Clone(all), func(u order.Update) bool { return loose[u.BrokerOrderID] })
	for i := 1; i < len(timely); i++ {
		if all := timely; all[i].At.Before(all[i-1].At) {
			return fmt.Sprintf("update %d is of %s, and the one before it of %s", i, all[i].At, all[i-1].At)
		}
	}
	for i := 1; i < len(all); i++ {
		if all[i].Epoch < all[i-1].Epoch {
			return fmt.Sprintf("update %d was written by owner %d, and the one before it by %d", i, all[i].Epoch, all[i-1].Epoch)
		}
	}
	if len(d.errs) > 0 {
		return fmt.Sprintf("followers ended with %v", d.errs)
	}
	return ""
}
