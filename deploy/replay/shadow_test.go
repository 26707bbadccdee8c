package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

// TestShadowTwice: the same stretch gives the same report, byte by byte, however many
// tenants go at a time and whatever goes wrong with their brokers; another seed gives
// another one.
func TestShadowTwice(t *testing.T) {
	t.Parallel() // it waits more than it works
	d := newDesk(t)
	for i := range 4 {
		for n := range 6 {
			tenant := fmt.Sprintf("t%d", n)
			d.asked(tenant, buy(fmt.Sprint("buy-", i), "AAPL", "1"), order.Accepted)
			d.filled(tenant, fmt.Sprint("buy-", i), "1", fmt.Sprint(180+i*3+n))
			d.asked(tenant, limit(fmt.Sprint("low-", i), "MSFT", "2", "9.5"), order.Accepted)
			d.asked(tenant, cancel(fmt.Sprint("cancel-", i), fmt.Sprint("low-", i)), order.Accepted)
		}
		d.put(ledger.Intents, "t0", []byte("no JSON"))
	}
	all := read(t, d.Ledger, replay.Selection{})
	c := replay.Conditions{Seed: 1, Faults: []paper.Fault{
		{Operation: paper.Place, Kind: paper.Error, When: paper.After, Probability: 0.3},
		{Account: "t1", Operation: paper.Place, Kind: paper.Reset, Count: 1},
		{Operation: paper.Lookup, Kind: paper.HTML, Probability: 0.3},
		{Operation: paper.Cancel, Kind: paper.Error, When: paper.After, Count: 1},
		{Kind: paper.Latency, Min: time.Microsecond, Max: 2 * time.Millisecond},
	}}
	other := c
	other.Seed = 2
	texts := make([][]byte, 4)
	var runs sync.WaitGroup
	for i := range texts {
		runs.Go(func() {
			under := c
			if i == 3 {
				under = other
			}
			texts[i], _ = shadow(t, shards, all, under)
		})
	}
	first, sum := shadow(t, shards, all, c)
	runs.Wait()
	if sum.Differ == 0 || sum.Same == 0 || sum.Intents != len(all) {
		t.Errorf("%d intents, %d differ:\n%s", sum.Intents, sum.Differ, first)
	}
	for _, diff := range sum.All {
		if len(diff.Fields) > 0 && diff.Reason != replay.GivenFault && (diff.Reason != replay.WasDue || diff.IntentID != "") {
			t.Errorf("%s.%s differs because of %q: %v", diff.Tenant, diff.IntentID, diff.Reason, diff.Fields)
		}
	}
	for _, again := range texts[:3] {
		if !bytes.Equal(first, again) {
			t.Fatalf("this time:\n%s\nthe first time:\n%s", again, first)
		}
	}
	if bytes.Equal(first, texts[3]) {
		t.Error("the seed changes nothing")
	}
}

// reasons runs what a ledger has through a shadow and returns why each differs; "same" if it
// does not, "unexplained" if nothing says why.
func reasons(t *testing.T, all []*replay.Asked, c replay.Conditions) map[string]string {
	t.Helper()
	text, d := shadow(t, shards, all, c)
	found := make(map[string]string)
	for _, diff := range d.All {
		why := string(diff.Reason)
		switch {
		case len(diff.Fields) == 0:
			why = "same"
		case why == "":
			why = "unexplained"
		}
		found[diff.IntentID] = why
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
	return found
}

// TestReasons: what a shadow cannot do as it was done then is said beside the difference,
// and a difference that nothing explains is one.
func TestReasons(t *testing.T) {
	d := newDesk(t)
	const tenant = "acme"
	late := buy("too-late", "AAPL", "1")
	late.ExpiresAt = time.Now().Add(-time.Minute)
	refused := buy("refused-for-nothing", "AAPL", "1")
	closing := order.Intent{ID: "close", Kind: order.KindClosePosition, ExpiresAt: time.Now().Add(time.Minute), Order: &order.Order{Symbol: "TSLA"}}
	foreign := buy("foreign", "PLTR", "1")
	unknown := buy("no-such-symbol", "ZZZZQ", "1")

	d.asked(tenant, buy("before", "AAPL", "1"), order.Accepted)
	target := d.asked(tenant, limit("outside", "AAPL", "1", "9"), order.Accepted)
	d.asked(tenant, buy("same", "AAPL", "1"), order.Accepted)
	d.asked(tenant, late, order.Expired)
	d.asked(tenant, buy("waited", "AAPL", "1"), order.Expired)
	d.asked(tenant, buy("failed", "AAPL", "1"), order.Failed)
	d.asked(tenant, cancel("cancel-outside", "outside"), order.Accepted)
	d.asked(tenant, foreign, order.Accepted)
	d.asked(tenant, closing, order.Accepted) // of what it held before
	seq := d.publish(tenant, unknown)
	d.end(tenant, order.Outcome{IntentID: unknown.ID, IntentSeq: seq, Kind: order.KindOrder, Status: order.Rejected, HTTPStatus: 422, Code: 42210000, ClientOrderID: "acme.no-such-symbol"})
	seq = d.publish(tenant, refused)
	d.end(tenant, order.Outcome{IntentID: refused.ID, IntentSeq: seq, Kind: order.KindOrder, Status: order.Rejected, HTTPStatus: 422, Code: 1, ClientOrderID: "acme.refused-for-nothing"})
	seq = d.publish(tenant, buy("no-keys", "AAPL", "1"))
	d.end(tenant, order.Outcome{IntentID: "no-keys", IntentSeq: seq, Kind: order.KindOrder, Status: order.Blocked, Rule: "no_credentials", ClientOrderID: "acme.no-keys"})
	seq = d.publish(tenant, buy("recovered", "AAPL", "1"))
	d.end(tenant, order.Outcome{IntentID: "recovered", IntentSeq: seq, Kind: order.KindOrder, Status: order.Accepted, Recovered: true, ClientOrderID: "acme.recovered", BrokerOrderID: "x"})
	seq = d.publish(tenant, buy("before", "AAPL", "1"))
	d.end(tenant, order.Outcome{IntentID: "before", IntentSeq: seq, Kind: order.KindOrder, Status: order.Duplicate, DuplicateOf: 1, ClientOrderID: "acme.before"})
	seq = d.publish(tenant, buy("odd", "AAPL", "1"))
	d.end(tenant, order.Outcome{IntentID: "odd", IntentSeq: seq, Kind: order.KindOrder, Status: order.Accepted, ClientOrderID: "acme.other", BrokerOrderID: "y"})
	again, foreign2 := buy("again", "AAPL", "1"), buy("again-outside", "AAPL", "1")
	again.RetryOf, foreign2.RetryOf = "failed", "outside"
	d.asked(tenant, again, order.Accepted)
	d.asked(tenant, foreign2, order.Rejected)
	d.publish(tenant, buy("due", "AAPL", "1"))
	seq = d.publish("beta", buy("no-tenant", "AAPL", "1"))
	d.end("beta", order.Outcome{IntentID: "no-tenant", IntentSeq: seq, Kind: order.KindOrder, Status: order.Blocked, Rule: "unknown_tenant", ClientOrderID: "beta.no-tenant"})

	var s replay.Selection
	all := read(t, d.Ledger, s)
	cut := make([]*replay.Asked, 0, len(all))
	for _, a := range all {
		if a.Tenant != tenant || a.Seq > target {
			cut = append(cut, a)
		}
	}
	want := map[string]string{
		"same": "same", "too-late": "same", "foreign": "same", "no-such-symbol": "same", "no-tenant": "same",
		"waited": "expired", "failed": "failed", "cancel-outside": "target_outside", "close": "account",
		"recovered": "recovered", "before": "first_use_outside", "due": "due", "no-keys": "no_line",
		"refused-for-nothing": "unexplained", "odd": "unexplained", "again": "first_differs", "again-outside": "retry_of_outside",
	}
	got := reasons(t, cut, replay.Conditions{})
	for id, why := range want {
		if got[id] != why {
			t.Errorf("%s: %s, wanted %s", id, got[id], why)
		}
	}
	others := replay.Conditions{Faults: []paper.Fault{{Account: "gamma", Operation: paper.Place, Kind: paper.Error}}}
	if got := reasons(t, cut, others)["again"]; got != "first_differs" {
		t.Errorf("when a fault is another tenant's: %s", got)
	}
}

// TestMarket: orders fill at the prices at which they did, in the order of things: at once,
// or when the market came to them; a price or cash that is given changes that.
func TestMarket(t *testing.T) {
	d := newDesk(t)
	d.asked("acme", buy("now", "AAPL", "10"), order.Accepted)
	d.filled("acme", "now", "10", "212.34")
	d.asked("acme", limit("later", "AAPL", "2", "200"), order.Accepted)
	d.asked("acme", limit("never", "AAPL", "2", "150"), order.Accepted)
	d.asked("acme", buy("pltr", "PLTR", "4"), order.Accepted)
	d.filled("acme", "pltr", "4", "17.25")
	d.filled("acme", "later", "2", "199.9") // behind other intents
	d.asked("beta", limit("rests", "AAPL", "1", "205"), order.Accepted)
	d.asked("beta", cancel("rests-no-more", "rests"), order.Accepted)
	d.update("beta", order.Update{Event: "canceled", BrokerOrderID: "order-of-beta-rests", OrderStatus: "canceled", FilledQty: num("0")})
	d.asked("gamma", buy("twice", "MSFT", "7"), order.Accepted)
	for _, u := range []order.Update{
		{Event: "partial_fill", OrderStatus: "partially_filled", Price: num("400"), Qty: num("3"), FilledQty: num("3")},
		{Event: "fill", OrderStatus: "filled", Price: num("407"), Qty: num("4"), FilledQty: num("7")},
	} {
		u.BrokerOrderID = "order-of-gamma-twice"
		d.update("gamma", u)
	}
	all := read(t, d.Ledger, replay.Selection{})

	got := reasons(t, all, replay.Conditions{})
	for id, why := range map[string]string{"now": "same", "never": "same", "later": "same", "pltr": "same", "twice": "same", "rests": "market", "rests-no-more": "target_differs"} {
		if got[id] != why { // beta's rests above the market that acme saw later
			t.Errorf("%s: %s, wanted %s", id, got[id], why)
		}
	}
	got = reasons(t, all, replay.Conditions{Prices: map[string]decimal.Decimal{"aapl": decimal.NewFromInt(210)}})
	for id, why := range map[string]string{"now": "market_given", "later": "market_given", "pltr": "same", "rests": "same"} {
		if got[id] != why {
			t.Errorf("with a price: %s: %s, wanted %s", id, got[id], why)
		}
	}
	got = reasons(t, all, replay.Conditions{Cash: decimal.NewFromInt(1000)})
	for id, why := range map[string]string{"now": "market_given", "pltr": "same", "twice": "market_given"} {
		if got[id] != why {
			t.Errorf("with little cash: %s: %s, wanted %s", id, got[id], why)
		}
	}
}

// TestLimit: at the original pace, a limit lets expire what has to wait for too long.
func TestLimit(t *testing.T) {
	t.Parallel() // it waits more than it works
	d := newDesk(t)
	for _, id := range []string{"a", "b", "c", "d"} {
		in := buy(id, "F", "1")
		in.ExpiresAt = time.Now().Add(time.Second)
		d.asked("acme", in, order.Accepted)
	}
	all := read(t, d.Ledger, replay.Selection{})
	got := reasons(t, all, replay.Conditions{Pace: replay.Original, PerMinute: 2})
	for id, why := range map[string]string{"a": "same", "b": "same", "c": "limit", "d": "limit"} {
		if got[id] != why {
			t.Errorf("%s: %s, wanted %s", id, got[id], why)
		}
	}
}

// TestTrap: a shadow dials nobody but its own broker, whatever the environment offers.
func TestTrap(t *testing.T) {
	var calls atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer trap.Close()
	for name, value := range map[string]string{
		"APCA_API_BASE_URL": trap.URL, "APCA_API_DATA_URL": trap.URL, "APCA_API_KEY_ID": "real", "APCA_API_SECRET_KEY": "real", "APCA_API_OAUTH": "real",
		"HTTP_PROXY": trap.URL, "HTTPS_PROXY": trap.URL, "ALL_PROXY": trap.URL,
	} {
		t.Setenv(name, value)
	}
	d := newDesk(t)
	d.asked("acme", buy("a", "AAPL", "1"), order.Accepted)
	d.filled("acme", "a", "1", "190")
	text, sum := shadow(t, shards, read(t, d.Ledger, replay.Selection{}), replay.Conditions{})
	if sum.Differ != 0 || calls.Load() != 0 {
		t.Errorf("the trap was called %d times:\n%s", calls.Load(), text)
	}
	trap.Client().CloseIdleConnections()
}

// TestConditions: those that make no sense are said, and nothing is started.
func TestConditions(t *testing.T) {
	d := newDesk(t)
	d.asked("acme", buy("a", "AAPL", "1"), order.Accepted)
	all := read(t, d.Ledger, replay.Selection{})
	for _, c := range []replay.Conditions{
		{Faults: []paper.Fault{{Kind: "none"}}},
		{Faults: []paper.Fault{{Kind: paper.Error, Count: 1}}},
		{Faults: []paper.Fault{{Operation: paper.Stream, Kind: paper.Drop}}},
		{PerMinute: 10},
		{PerMinute: 10, Pace: 2},
	} {
		if _, err := replay.Shadow(t.Context(), shards, all, c, quiet); !errors.Is(err, replay.ErrConditions) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	fates, err := replay.Shadow(t.Context(), shards, nil, replay.Conditions{}, quiet)
	if d := replay.Compare(nil, fates, replay.Conditions{}); err != nil || d.Intents != 0 {
		t.Errorf("%+v: %v", d, err)
	}
}

// TestShadowIsLeft: whoever stops waiting for a shadow gets its error, and nothing of the
// shadow stays behind.
func TestShadowIsLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d := newDesk(t)
	d.asked("acme", buy("a", "AAPL", "1"), order.Accepted)
	all := read(t, d.Ledger, replay.Selection{})
	ctx, cancel := context.WithCancel(t.Context())
	c := replay.Conditions{Log: zerolog.Nop(), Faults: []paper.Fault{{Operation: paper.Place, Kind: paper.Silence}}}
	_, err := replay.Shadow(ctx, shards, all, c, func(string, int, int) { cancel() }) // it has begun
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
