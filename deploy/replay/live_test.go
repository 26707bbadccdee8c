package replay_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/local"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/rs/zerolog"
)

// TestUnsettled: those are driven again that ended as failed or expired and that nobody has
// settled since; of several about one order, the last.
func TestUnsettled(t *testing.T) {
	d := newDesk(t)
	retry := func(id, of string) order.Intent {
		in := buy(id, "AAPL", "1")
		in.RetryOf = of
		return in
	}
	d.asked("acme", buy("fine", "AAPL", "1"), order.Accepted)
	d.asked("acme", buy("failed", "AAPL", "1"), order.Failed)
	d.asked("acme", buy("expired", "AAPL", "1"), order.Expired)
	d.asked("acme", buy("settled", "AAPL", "1"), order.Failed)
	d.asked("acme", retry("settled-2", "settled"), order.Failed)
	d.asked("acme", retry("settled-3", "settled"), order.Rejected)
	d.asked("acme", buy("twice", "AAPL", "1"), order.Failed)
	d.asked("acme", retry("twice-2", "twice"), order.Expired)
	d.asked("acme", buy("waits", "AAPL", "1"), order.Failed)
	d.publish("acme", retry("waits-2", "waits"))
	d.asked("acme", buy("dropped", "AAPL", "1"), order.Failed)
	drop := func(id string) {
		if _, err := d.Control(t.Context(), "acme", order.Control{Verb: order.Drop, IntentID: id, By: "ann", Reason: "no", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	drop("dropped")
	d.asked("acme", buy("retried", "AAPL", "1"), order.Failed)
	d.asked("acme", retry("retried-2", "retried"), order.Failed)
	drop("retried")
	d.asked("acme", buy("named", "AAPL", "1"), order.Failed)
	d.asked("acme", retry("named-2", "named"), order.Failed)
	drop("named-2") // by its last name
	d.asked("beta", cancel("cancel", "x"), order.Expired)
	found := replay.Unsettled(read(t, d.Ledger, replay.Selection{}))
	if got := ids(found); !slices.Equal(got, []string{"acme.failed", "acme.expired", "acme.twice-2", "beta.cancel"}) {
		t.Errorf("%v", got)
	}
	again, err := found[2].Again(fleetctl.Why{By: "ann", Reason: "back", Lifetime: time.Minute})
	if err != nil || again.RetryOf != "twice" || again.ClientOrderID("acme") != "acme.twice" {
		t.Errorf("%+v: %v", again, err)
	}
}

// TestDrive: an expired intent is driven again through the fleet, in its tenant's order, with
// who did it and why on the ledger; it is settled then. What expires again is not.
func TestDrive(t *testing.T) {
	t.Parallel() // it waits more than it works
	s, err := local.Start(t.Context(), local.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	late := func(tenant, id string) {
		t.Helper()
		in := buy(id, "F", "1")
		in.ExpiresAt = time.Now().Add(-time.Minute)
		r, err := s.Producer.Publish(t.Context(), tenant, in)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := s.Producer.Await(t.Context(), r); err != nil || o.Status != order.Expired {
			t.Fatalf("%s, %v", o.Status, err)
		}
	}
	for _, id := range []string{"a", "b"} {
		late("acme", id)
		late("beta", id)
	}
	found := replay.Unsettled(read(t, s.Producer.Ledger(), replay.Selection{}))
	if len(found) != 4 {
		t.Fatalf("%v", ids(found))
	}
	why := fleetctl.Why{By: "ann", Reason: "the broker is back", Lifetime: time.Minute}
	var results []fleetctl.Result
	err = replay.Drive(t.Context(), s.Producer, found, why, 1000, func(r fleetctl.Result) error {
		results = append(results, r)
		return nil
	})
	if err != nil || len(results) != 4 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	turns := make(map[string][]string)
	for _, r := range results {
		if r.Outcome.Status != order.Accepted || r.Outcome.ClientOrderID != r.Tenant+"."+r.RetryOf {
			t.Errorf("%+v", r)
		}
		turns[r.Tenant] = append(turns[r.Tenant], r.RetryOf)
	}
	for tenant, got := range turns {
		if !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%s: %v", tenant, got)
		}
	}
	all := read(t, s.Producer.Ledger(), replay.Selection{Labels: map[string]string{fleetctl.LabelRetryBy: "ann", fleetctl.LabelRetryReason: why.Reason}})
	if len(all) != 4 {
		t.Errorf("%d intents say who drove them", len(all))
	}
	if left := replay.Unsettled(read(t, s.Producer.Ledger(), replay.Selection{})); len(left) != 0 {
		t.Errorf("not settled: %v", ids(left))
	}

	late("acme", "c")
	found = replay.Unsettled(read(t, s.Producer.Ledger(), replay.Selection{}))
	why.Lifetime = time.Nanosecond
	n := 0
	err = replay.Drive(t.Context(), s.Producer, found, why, 0, func(fleetctl.Result) error { n++; return nil })
	if !errors.Is(err, fleetctl.ErrNotSettled) || n != 1 {
		t.Errorf("%d results, %v", n, err)
	}
}

// TestDriveIsLeft: what is behind an intent that came to no end is not published.
func TestDriveIsLeft(t *testing.T) {
	d := newDesk(t) // no worker
	d.asked("acme", buy("a", "AAPL", "1"), order.Failed)
	d.asked("acme", buy("b", "AAPL", "1"), order.Failed)
	found := replay.Unsettled(read(t, d.Ledger, replay.Selection{}))
	p, err := producer.New(t.Context(), d.nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var driving sync.WaitGroup
	driving.Go(func() {
		err = replay.Drive(ctx, p, found, fleetctl.Why{By: "ann", Reason: "back", Lifetime: time.Minute}, 0, func(fleetctl.Result) error { return nil })
	})
	for len(read(t, d.Ledger, replay.Selection{})) < 3 { // until it is published
		<-time.After(5 * time.Millisecond)
	}
	cancel()
	driving.Wait()
	if !errors.Is(err, context.Canceled) || !errors.Is(err, fleetctl.ErrNotSettled) {
		t.Errorf("%v", err)
	}
	if all := read(t, d.Ledger, replay.Selection{}); len(all) != 3 {
		t.Errorf("published: %v", ids(all))
	}
}
