package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/updates"
	"github.com/rs/zerolog"
)

// followingShard is a shard with places for followers, which end as soon as they may: their
// ledger does not answer.
func followingShard(t *testing.T, places int) (*shard, *following) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &shard{lease: fleet.Lease{}, position: 7}
	s.following = following{
		cfg: &updates.Config{Ledger: mute{}}, most: places, ctx: ctx, stop: stop,
		live: make(map[string]*followed), rests: make(map[string]time.Time),
		paces: make(map[string]updates.Pace), unreadable: make(map[string]struct{}), ended: make(chan unfollowed), asks: make(chan updates.Ask),
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

// placedOne is a ledger with one order of each tenant; its last update is unreadable for the
// tenant odd.
type placedOne struct {
	updates.Ledger
	outcome ledger.Entry
}

func (placedOne) LastUpdate(_ context.Context, _ int, tenant string) (order.Update, uint64, error) {
	if tenant == "odd" {
		return order.Update{}, 0, fmt.Errorf("ledger: %w", &order.FieldError{Field: "qty", Problem: "is no number"})
	}
	return order.Update{}, 0, ledger.ErrNone
}

func (l placedOne) ReadTenant(_ context.Context, _ int, _ string, _, _ uint64, deliver func(ledger.Entry) error, _ ...ledger.Class) error {
	return deliver(l.outcome)
}

// busy is a broker that asks everybody to stay away.
type busy struct {
	broker.Books
	asked *int
}

func (b busy) Orders(context.Context, broker.OrdersQuery) ([]broker.Record, broker.Verdict) {
	*b.asked++
	return nil, broker.Verdict{Kind: broker.RetryAfter, Wait: time.Hour, Message: "later"}
}

func (busy) Follow(context.Context) (broker.Feed, broker.Verdict) {
	return nil, broker.Verdict{Message: "no feed"}
}

func (busy) Hangup() {}
func (busy) Close()  {}

// TestShutOut: a tenant whose broker does not answer gives its place up at once if others
// wait, and is not asked for more because it has it again.
func TestShutOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := followingShard(t, 1)
		asked := make(map[string]*int)
		f.cfg = &updates.Config{
			Ledger: placedOne{outcome: placedAs(t, "acme", 1, order.Accepted, order.KindOrder)},
			Books: func(_ context.Context, tenant string) (broker.Books, error) {
				if asked[tenant] == nil {
					asked[tenant] = new(int)
				}
				return busy{asked: asked[tenant]}, nil
			},
			Turn: time.Hour, Check: time.Minute, Linger: time.Minute,
		}
		f.follow(s, "acme")
		for range 4 {
			synctest.Wait()
			f.follow(s, "other") // in the queue, or there
			f.follow(s, "acme")
			if err := f.retire(s, <-f.ended); err != nil {
				t.Fatal(err)
			}
			<-time.After(pollInterval)
			f.fill(s, time.Now())
		}
		if n := *asked["acme"]; n != 1 {
			t.Errorf("asked %d times within 20 s, and the broker wants to be left alone", n)
		}
		if len(f.paces) == 0 {
			t.Error("no pace is handed on")
		}
		if f.forget(time.Now().Add(time.Hour)); len(f.paces) != 0 {
			t.Errorf("%d paces are kept", len(f.paces))
		}
		if err := f.await(s); err != nil {
			t.Error(err)
		}
	})
}

// TestUnreadableUpdate: a tenant whose last update makes no sense is left alone, and the log
// says so once.
func TestUnreadableUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := followingShard(t, 1)
		var log bytes.Buffer
		s.log = zerolog.New(&log)
		f.cfg = &updates.Config{Ledger: placedOne{}, Log: s.log}
		f.follow(s, "odd")
		if err := f.retire(s, <-f.ended); err != nil {
			t.Fatal(err)
		}
		f.fill(s, time.Now().Add(time.Hour))
		if f.follow(s, "odd"); len(f.live) != 0 || f.queue.len() != 0 {
			t.Error("it is followed again")
		}
		if n := bytes.Count(log.Bytes(), []byte("\n")); n != 1 || !strings.Contains(log.String(), "qty: is no number") {
			t.Errorf("%d lines of the log:\n%s", n, &log)
		}
		f.stop()
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
