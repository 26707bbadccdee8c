package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/updates"
)

// followingShard is a shard with places for followers, which end as soon as they may: their
// ledger does not answer.
func followingShard(t *testing.T, places int) (*shard, *following) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &shard{lease: fleet.Lease{}, position: 7}
	s.following = following{
		cfg: &updates.Config{Ledger: mute{}}, most: places, ctx: ctx, stop: stop,
		live: make(map[string]*followed), rests: make(map[string]time.Time), ended: make(chan unfollowed), asks: make(chan updates.Ask),
	}
	return s, &s.following
}

// mute is a ledger that does not answer.
type mute struct{ updates.Ledger }

func (mute) LastUpdate(ctx context.Context, _ int, _ string) (order.Update, uint64, error) {
	<-ctx.Done()
	return order.Update{}, 0, ctx.Err()
}

func placedAs(t *testing.T, tenant string, seq uint64, status order.Status, kind order.Kind) ledger.Entry {
	t.Helper()
	data, err := order.EncodeOutcome(order.Outcome{IntentSeq: seq, Kind: kind, Status: status, BrokerOrderID: "b", Worker: "w", Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Entry{Class: ledger.Outcomes, Tenant: tenant, Seq: seq, Data: data}
}

// TestWhoIsFollowed: an outcome starts a follower if it is of an order that may be open.
func TestWhoIsFollowed(t *testing.T) {
	for _, tc := range []struct {
		status order.Status
		kind   order.Kind
		want   bool
	}{
		{order.Accepted, order.KindOrder, true},
		{order.Accepted, order.KindReplace, true},
		{order.Accepted, order.KindClosePosition, true},
		{order.Accepted, order.KindCancel, false},
		{order.Accepted, order.KindCancelAll, false},
		{order.Rejected, order.KindOrder, false},
		{order.Failed, order.KindOrder, true}, // it may be at the broker
		{order.Failed, order.KindCancel, false},
	} {
		if got := placed(placedAs(t, "acme", 1, tc.status, tc.kind).Data); got != tc.want {
			t.Errorf("%s %s: %t", tc.status, tc.kind, got)
		}
	}
	if placed([]byte("nonsense")) {
		t.Error("nonsense is an order")
	}
}

// TestFullInbox: a follower that is behind is told so, once, and what comes then is left to
// the ledger until it asks.
func TestFullInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := followingShard(t, 1)
		for seq := range uint64(followerInbox + 5) {
			f.heard(s, placedAs(t, "acme", seq+1, order.Accepted, order.KindOrder))
		}
		old := f.live["acme"]
		if !old.behind {
			t.Fatal("it is not behind")
		}
		inbox := old.inbox
		reply := make(chan updates.Inbox, 1)
		f.answer(s, updates.Ask{Tenant: "acme", Reply: reply})
		f.heard(s, placedAs(t, "acme", 100, order.Accepted, order.KindOrder))
		fresh := <-reply
		if fresh.Position != s.position || len(fresh.Outcomes) != 1 {
			t.Errorf("the new inbox begins at %d, with %d", fresh.Position, len(fresh.Outcomes))
		}
		n := 0
		for range inbox {
			n++
		}
		if n != followerInbox {
			t.Errorf("the old one had %d", n)
		}
		if err := f.await(s); err != nil {
			t.Error(err)
		}
	})
}

// TestFollowersPlaces: places are bounded; who waits gets one when it is free, and those that
// have one learn that others wait only while there is none.
func TestFollowersPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := followingShard(t, 2)
		f.follow(s, "a")
		f.follow(s, "a")
		f.follow(s, "b")
		if len(f.live) != 2 || f.live["a"].yielded {
			t.Fatalf("%d have a place", len(f.live))
		}
		f.follow(s, "c")
		f.follow(s, "c")
		if !slices.Equal(f.queue.names, []string{"c"}) || !f.live["a"].yielded || f.live["b"].yielded {
			t.Fatalf("in the queue are %v", f.queue.names)
		}
		if err := f.retire(s, unfollowed{tenant: "a", open: true}); err != nil {
			t.Fatal(err)
		}
		if f.live["c"] == nil || !slices.Equal(f.queue.names, []string{"a"}) || f.live["b"].yielded {
			t.Fatalf("in the queue are %v", f.queue.names)
		}
		if err := f.retire(s, unfollowed{tenant: "b"}); err != nil { // it has no open order
			t.Fatal(err)
		}
		if f.fill(s, time.Now()); f.live["a"] != nil {
			t.Error("it does not rest")
		}
		f.follow(s, "d")
		if f.live["d"] == nil {
			t.Error("one that rests keeps others from a place")
		}
		if err := f.retire(s, unfollowed{tenant: "c"}); err != nil {
			t.Fatal(err)
		}
		if f.fill(s, time.Now().Add(pollInterval)); f.live["a"] == nil || f.live["a"].yielded {
			t.Error("it still rests, or believes that others wait")
		}
		fenced := &updates.FencedError{Epoch: 9}
		if err := f.retire(s, unfollowed{tenant: "d", err: fenced}); !errors.Is(lost(err), fleet.ErrLost) {
			t.Errorf("fenced: %v", err)
		}
		f.stop()
		for range 5 { // a, b, c, a again, d
			<-f.ended
		}
	})
}

// TestFewWait: of many that have a place, only as many give way as others wait, those first
// that have had theirs for longest; and nobody for those that rest.
func TestFewWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places, more = 100, 10
		s, f := followingShard(t, places)
		name := func(n int) string { return fmt.Sprintf("t%03d", n) }
		told := func() (names []string) {
			for name, one := range f.live {
				if one.yielded {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			return names
		}
		var oldest []string
		for n := range places + more {
			f.follow(s, name(n))
			if n < more {
				oldest = append(oldest, name(n))
			}
		}
		if got := told(); !slices.Equal(got, oldest) {
			t.Fatalf("told are %v", got)
		}
		for _, name := range oldest {
			if err := f.retire(s, unfollowed{tenant: name, open: true}); err != nil {
				t.Fatal(err)
			}
		}
		if got := told(); len(f.live) != places || len(got) != 0 {
			t.Fatalf("%d have a place, and for those that rest are told %v", len(f.live), got)
		}
		f.fill(s, time.Now().Add(pollInterval))
		if got := told(); len(f.live) != places || len(got) != more || got[0] != name(more) {
			t.Errorf("%d have a place, and told are %v", len(f.live), got)
		}
		f.stop()
		for range places + more {
			<-f.ended
		}
	})
}

// TestFollowerLeftSomething: what came while a follower ended starts another one.
func TestFollowerLeftSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := followingShard(t, 1)
		f.follow(s, "acme")
		f.heard(s, placedAs(t, "acme", 8, order.Accepted, order.KindOrder))
		first := f.live["acme"]
		if err := f.retire(s, unfollowed{tenant: "acme"}); err != nil {
			t.Fatal(err)
		}
		if f.live["acme"] == nil || f.live["acme"] == first {
			t.Error("nobody follows it")
		}
		f.stop()
		<-f.ended
		<-f.ended
	})
}
