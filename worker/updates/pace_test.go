package updates_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/updates"
	"github.com/rs/zerolog"
)

// TestPaceIsHandedOn: a follower that takes its turn goes on at the pace of the one before;
// when its tenant was left alone for long enough, it need not.
func TestPaceIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange()
		d := newDesk(x)
		for n := range 8 { // each looked up by itself
			clientID := fmt.Sprintf("acme.intent-%d", n)
			o := accepted(order.KindOrder, clientID, x.book(clientID, 5, order.Bracket))
			o.IntentSeq, o.Worker, o.Epoch = uint64(n+1), "w", 1
			data, err := order.EncodeOutcome(o)
			if err != nil {
				t.Fatal(err)
			}
			d.sheet.put(ledger.Outcomes, data)
		}
		cfg := updates.Config{
			Ledger: d.sheet, Log: zerolog.Nop(), Turn: time.Hour,
			Books: func(context.Context, string) (broker.Books, error) { return x, nil },
		}.WithDefaults()
		yield := make(chan struct{})
		close(yield)
		turn := func(p updates.Pace) (updates.Pace, time.Duration) {
			f := updates.New(&cfg, updates.Start{
				Tenant: "acme", Epoch: 1, Yield: yield, Pace: p, Inbox: updates.Inbox{Position: 8},
				Until: func() time.Time { return time.Time{} },
			})
			began := time.Now()
			if err := f.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			return f.Pace(), time.Since(began)
		}
		p, took := turn(updates.Pace{})
		if took > 2*time.Second {
			t.Errorf("the first turn took %s", took)
		}
		again, took := turn(p)
		if took < 6*time.Second || took > 10*time.Second { // 5 requests at once, 4 at a pace of 2 s
			t.Errorf("the next one took %s", took)
		}
		if now := time.Now(); again.Calm(now) || !again.Calm(now.Add(20*time.Second)) {
			t.Error("when it is calm again")
		}
	})
}
