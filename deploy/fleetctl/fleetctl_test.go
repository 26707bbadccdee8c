package fleetctl_test

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// desk writes a ledger by hand.
type desk struct {
	testing.TB
	*ledger.Ledger
	js   jetstream.JetStream
	tips map[string]uint64
}

func newDesk(t *testing.T) *desk {
	l, _ := ledgertest.Open(t, 2)
	return &desk{t, l, l.JetStream(), make(map[string]uint64)}
}

func (d *desk) publish(tenant string, in order.Intent) uint64 {
	d.Helper()
	data, err := order.EncodeIntent(in)
	if err != nil {
		d.Fatal(err)
	}
	ack, err := d.js.Publish(d.Context(), ledger.PublishSubject(tenant), data)
	if err != nil {
		d.Fatal(err)
	}
	return ack.Sequence
}

func (d *desk) end(tenant, id string, seq uint64, status order.Status) {
	d.Helper()
	f, err := d.Append(d.ShardOf(tenant), tenant, &order.Outcome{
		IntentID: id, IntentSeq: seq, Kind: order.KindOrder, Status: status, Worker: "w", Epoch: 1, Attempts: 2,
		Message: "it may have been booked", Committed: time.Now(),
	}, d.tips[tenant])
	if err != nil {
		d.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		d.tips[tenant] = ack.Sequence
	case err := <-f.Err():
		d.Fatal(err)
	}
}

func (d *desk) list(f fleetctl.Filter) []fleetctl.Failed {
	d.Helper()
	found, err := fleetctl.ListFailed(d.Context(), d.Ledger, f, func(string, int, int) {})
	if err != nil {
		d.Fatal(err)
	}
	return found
}

func buy(id string) order.Intent {
	qty := decimal.RequireFromString("3")
	return order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Minute), Labels: map[string]string{"desk": "7"}, Order: &order.Order{
		Symbol: "AAPL", Qty: &qty, Side: order.Buy, Type: order.Market, TimeInForce: order.Day,
	}}
}

// TestFailedIntents: they are listed until a retry has settled them, and a retry bears the
// client order id of what it drives again, however often that is.
func TestFailedIntents(t *testing.T) {
	d := newDesk(t)
	for _, tenant := range []string{"acme", "beta", "gamma"} {
		d.end(tenant, "fine", d.publish(tenant, buy("fine")), order.Accepted)
		d.end(tenant, "bad", d.publish(tenant, buy("bad")), order.Failed)
	}
	if found := d.list(fleetctl.Filter{}); len(found) != 3 {
		t.Fatalf("%d failed intents of 3 tenants: %+v", len(found), found)
	}
	found := d.list(fleetctl.Filter{Tenant: "acme"})
	if len(found) != 1 || found[0].Outcome.IntentID != "bad" || found[0].Intent == nil || found[0].Intent.Order.Symbol != "AAPL" {
		t.Fatalf("of acme: %+v", found)
	}
	if later := d.list(fleetctl.Filter{Since: time.Now().Add(time.Hour)}); len(later) != 0 {
		t.Errorf("failed in the future: %+v", later)
	}

	why := fleetctl.Why{By: "ann", Reason: "the broker is back", Lifetime: time.Minute}
	first, err := found[0].Again(why)
	if err != nil {
		t.Fatal(err)
	}
	if first.RetryOf != "bad" || first.ID == "bad" || first.ClientOrderID("acme") != "acme.bad" ||
		first.Labels["desk"] != "7" || first.Labels[fleetctl.LabelRetryBy] != "ann" || first.Labels[fleetctl.LabelRetryReason] != why.Reason {
		t.Errorf("driven again: %+v", first)
	}
	seq := d.publish("acme", first)
	if due := d.list(fleetctl.Filter{Tenant: "acme"}); len(due) != 0 {
		t.Errorf("listed although a retry is due: %+v", due)
	}
	d.end("acme", first.ID, seq, order.Failed)
	found = d.list(fleetctl.Filter{Tenant: "acme"})
	if len(found) != 1 || len(found[0].Retries) != 1 || found[0].Retries[0].Status != order.Failed {
		t.Fatalf("after a retry that failed too: %+v", found)
	}
	second, err := found[0].Again(why)
	if err != nil || second.RetryOf != "bad" {
		t.Fatalf("driven again: %+v: %v", second, err)
	}
	d.end("acme", second.ID, d.publish("acme", second), order.Accepted)
	if left := d.list(fleetctl.Filter{}); len(left) != 2 {
		t.Errorf("%d are left of the other two tenants: %+v", len(left), left)
	}
	if all := d.list(fleetctl.Filter{Tenant: "acme", All: true}); len(all) != 1 || len(all[0].Retries) != 2 {
		t.Errorf("with those that are settled: %+v", all)
	}
}

// TestFilters: each filter leaves out what it says, and what is dropped is settled.
func TestFilters(t *testing.T) {
	d := newDesk(t)
	for _, tenant := range []string{"acme", "beta"} {
		d.end(tenant, "one", d.publish(tenant, buy("one")), order.Failed)
		other := buy("two")
		other.Labels, other.Order.Symbol = map[string]string{"desk": "8"}, "MSFT"
		d.end(tenant, "two", d.publish(tenant, other), order.Failed)
	}
	drop := func(tenant string) {
		found := d.list(fleetctl.Filter{Tenant: tenant, IDs: []string{"two"}})
		if len(found) != 1 {
			t.Fatalf("%d found to drop: %+v", len(found), found)
		}
		if _, _, err := found[0].Drop(t.Context(), d.Ledger, fleetctl.Why{By: "ann", Reason: "too late"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		filter fleetctl.Filter
		want   int
	}{
		{"all", fleetctl.Filter{}, 4},
		{"a tenant's", fleetctl.Filter{Tenant: "acme"}, 2},
		{"named", fleetctl.Filter{Tenant: "acme", IDs: []string{"one", "none"}}, 1},
		{"with a label", fleetctl.Filter{Labels: map[string]string{"desk": "8"}}, 2},
		{"with two labels", fleetctl.Filter{Labels: map[string]string{"desk": "8", "floor": "2"}}, 0},
		{"of a symbol", fleetctl.Filter{Symbol: "msft", Tenant: "beta"}, 1},
		{"before today", fleetctl.Filter{Until: time.Now().Add(-time.Hour)}, 0},
		{"of the last hour", fleetctl.Filter{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if found := d.list(tc.filter); len(found) != tc.want {
				t.Errorf("%d found, not %d: %+v", len(found), tc.want, found)
			}
			if narrow := tc.name != "all"; tc.filter.Narrow() != narrow {
				t.Errorf("narrow: %t", !narrow)
			}
		})
	}
	drop("acme")
	if left := d.list(fleetctl.Filter{}); len(left) != 3 {
		t.Errorf("%d are left when one was dropped: %+v", len(left), left)
	}
	all := d.list(fleetctl.Filter{Tenant: "acme", All: true})
	if len(all) != 2 || all[1].Dropped == nil || all[1].Dropped.By != "ann" || all[1].Dropped.Reason != "too late" {
		t.Errorf("with those that are settled: %+v", all)
	}
	var text bytes.Buffer
	fleetctl.PrintFailed(&text, all)
	if !strings.Contains(text.String(), "dropped") {
		t.Errorf("nothing says that it was dropped:\n%s", text.String())
	}
}

// TestRetriesAlone: a retry whose first intent the filter leaves out is settled by what settles
// the first one: a later retry, or a drop of any of them.
func TestRetriesAlone(t *testing.T) {
	d := newDesk(t)
	retry := func(id, of string) order.Intent {
		in := buy(id)
		in.RetryOf = of
		return in
	}
	for _, id := range []string{"retried", "dropped", "dropped-as-retry", "open"} {
		d.end("acme", id, d.publish("acme", buy(id)), order.Failed)
		d.end("acme", id+"-2", d.publish("acme", retry(id+"-2", id)), order.Failed)
	}
	d.end("acme", "retried-3", d.publish("acme", retry("retried-3", "retried")), order.Accepted)
	for _, id := range []string{"dropped", "dropped-as-retry-2"} {
		said := order.Control{Verb: order.Drop, IntentID: id, By: "ann", Reason: "no", At: time.Now()}
		if _, err := d.Control(t.Context(), "acme", said); err != nil {
			t.Fatal(err)
		}
	}
	retries := []string{"retried-2", "dropped-2", "dropped-as-retry-2", "open-2"}
	if found := d.list(fleetctl.Filter{Tenant: "acme", IDs: retries}); len(found) != 1 || found[0].Outcome.IntentID != "open-2" {
		t.Errorf("%+v", found)
	}
	if found := d.list(fleetctl.Filter{Tenant: "acme"}); len(found) != 1 || found[0].Outcome.IntentID != "open" {
		t.Errorf("of the first ones: %+v", found)
	}
}

// TestNothingBehindWhatWaits: behind an intent that has no outcome in time, nothing of its
// tenant is driven; others are.
func TestNothingBehindWhatWaits(t *testing.T) {
	d := newDesk(t) // no worker
	for _, id := range []string{"a", "b"} {
		d.end("acme", id, d.publish("acme", buy(id)), order.Failed)
	}
	d.end("beta", "a", d.publish("beta", buy("a")), order.Failed)
	p, err := producer.New(t.Context(), d.JetStream().Conn())
	if err != nil {
		t.Fatal(err)
	}
	why := fleetctl.Why{By: "ann", Reason: "back", Lifetime: 100*time.Millisecond - time.Minute} // a minute beyond that is soon
	err = fleetctl.Drive(t.Context(), p, d.list(fleetctl.Filter{}), why, 0, func(r fleetctl.Result) error {
		t.Errorf("%s", r)
		return nil
	})
	if !errors.Is(err, fleetctl.ErrWaits) || !errors.Is(err, fleetctl.ErrNotSettled) || !strings.Contains(err.Error(), "b of acme: not settled: nothing was published") {
		t.Errorf("%v", err)
	}
	driven := make(map[string]int)
	for _, f := range d.list(fleetctl.Filter{All: true}) {
		driven[f.Tenant+"."+f.Outcome.IntentID] = len(f.Retries)
	}
	if want := map[string]int{"acme.a": 1, "acme.b": 0, "beta.a": 1}; !maps.Equal(driven, want) {
		t.Errorf("driven again: %v, wanted %v", driven, want)
	}
}

// TestStrangers: what the broker said, and what else strangers wrote, cannot steer a
// terminal, nor break the table.
func TestStrangers(t *testing.T) {
	const evil = "no\x1b]0;owned\a\tsuch\nthing\u202e"
	outcome := order.Outcome{IntentID: "a", Status: order.Failed, Message: evil, BrokerOrderID: "b"}
	var text bytes.Buffer
	fleetctl.PrintFailed(&text, []fleetctl.Failed{{Tenant: "acme" + evil, Outcome: outcome}})
	if lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n"); len(lines) != 2 || strings.ContainsFunc(text.String(), steers) {
		t.Errorf("%q", text.String())
	}
	r := fleetctl.Result{Tenant: "acme", RetryOf: "a", ID: "c", Outcome: outcome}
	if said := r.String(); strings.ContainsFunc(said, steers) || !strings.HasPrefix(said, "acme a, driven again as c: failed b no") {
		t.Errorf("%q", said)
	}
	r.Outcome = order.Outcome{Status: order.Accepted}
	if said := r.String(); said != "acme a, driven again as c: accepted" {
		t.Errorf("%q", said)
	}
}

func steers(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// TestGone: what retention has removed cannot be driven again, and the error says so.
func TestGone(t *testing.T) {
	f := fleetctl.Failed{Tenant: "acme", Outcome: order.Outcome{IntentID: "bad"}}
	if _, err := f.Again(fleetctl.Why{Lifetime: time.Minute}); !errors.Is(err, fleetctl.ErrGone) {
		t.Errorf("%v", err)
	}
}

// TestTables: what people read names tenants, intents, owners, and the lack of them.
func TestTables(t *testing.T) {
	d := newDesk(t)
	d.end("acme", "bad", d.publish("acme", buy("bad")), order.Failed)
	var text bytes.Buffer
	fleetctl.PrintFailed(&text, d.list(fleetctl.Filter{}))
	for _, want := range []string{"acme", "bad", "buy 3 AAPL market", "it may have been booked", "none"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	s, err := fleetctl.ReadStatus(t.Context(), d.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	text.Reset()
	s.Print(&text)
	if s.Unowned() != 2 || !strings.Contains(text.String(), "NOBODY") || !strings.Contains(text.String(), "0 workers, 2 shards, 2 of them without an owner") {
		t.Errorf("%d unowned:\n%s", s.Unowned(), text.String())
	}
}
