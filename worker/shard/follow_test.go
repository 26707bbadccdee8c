package shard

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/updates"
	"github.com/rs/zerolog"
)

// blank is a ledger without any update.
type blank struct{}

func (blank) AppendUpdate(int, string, *order.Update, uint64) (jetstream.PubAckFuture, error) {
	panic("there is nothing to write")
}

func (blank) LastUpdate(context.Context, int, string) (order.Update, uint64, error) {
	return order.Update{}, 0, ledger.ErrNone
}

func (blank) ReadTenant(context.Context, int, string, uint64, uint64, func(ledger.Entry) error, ...ledger.Class) error {
	return nil
}

// followingShard has places for so many followers, which end at once: nobody has open orders.
func followingShard(t *testing.T, places int) *shard {
	cfg := updates.Config{Worker: "w", Ledger: blank{}, Log: zerolog.Nop(), Linger: time.Millisecond}.WithDefaults()
	s := &shard{cfg: &Config{}, log: zerolog.Nop()}
	f := &s.following
	f.cfg, f.most = &cfg, places
	f.live, f.rests = make(map[string]*followed), make(map[string]time.Time)
	f.asks, f.ended, f.found = make(chan updates.Ask), make(chan unfollowed), make(chan string)
	f.ctx, f.stop = context.WithCancel(t.Context())
	t.Cleanup(func() {
		if err := f.await(s); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestRoomForAll: while there is room for every tenant, none is asked to give up its place,
// whatever brings another one into the queue for a moment.
func TestRoomForAll(t *testing.T) {
	s := followingShard(t, 3)
	f := &s.following
	f.follow(s, "acme")
	e := <-f.ended
	f.follow(s, "globex")
	f.live["acme"].inbox <- ledger.Entry{} // it came when the follower had just ended
	if err := f.retire(s, e); err != nil {
		t.Fatal(err)
	}
	if f.live["acme"] == nil || f.live["acme"].yielded || f.live["globex"].yielded {
		t.Errorf("acme: %+v, globex: %+v", f.live["acme"], f.live["globex"])
	}
	e = <-f.ended
	e.open = true // it is to have a rest
	if err := f.retire(s, e); err != nil {
		t.Fatal(err)
	}
	for name, one := range f.live {
		if one.yielded {
			t.Errorf("%s gives way, and there is room", name)
		}
	}
	f.fill(s, time.Now().Add(pollInterval))
	f.follow(s, "initech")
	f.follow(s, "umbrella")
	for name, one := range f.live {
		if !one.yielded {
			t.Errorf("%s keeps its place, and others wait", name)
		}
	}
}

// TestWhoIsFollowed: a follower is started for every order that the broker took or, when an
// intent failed, may have taken.
func TestWhoIsFollowed(t *testing.T) {
	for want, all := range map[bool][]order.Outcome{
		true: {
			{Kind: order.KindOrder, Status: order.Accepted}, {Kind: order.KindReplace, Status: order.Accepted},
			{Kind: order.KindClosePosition, Status: order.Accepted}, {Kind: order.KindOrder, Status: order.Failed},
		},
		false: {{Kind: order.KindOrder, Status: order.Rejected}, {Kind: order.KindCancel, Status: order.Accepted}, {Kind: order.KindCancel, Status: order.Failed}},
	} {
		for _, o := range all {
			data, err := order.EncodeOutcome(o)
			if err != nil {
				t.Fatal(err)
			}
			if placed(data) != want {
				t.Errorf("%s %s: followed is %t", o.Kind, o.Status, !want)
			}
		}
	}
}
