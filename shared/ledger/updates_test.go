package ledger_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

// appendUpdate appends and waits for the end of it.
func appendUpdate(t testing.TB, l *ledger.Ledger, tenant string, u order.Update, after uint64) (uint64, error) {
	t.Helper()
	f, err := l.AppendUpdate(l.ShardOf(tenant), tenant, &u, after)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		return ack.Sequence, nil
	case err := <-f.Err():
		return 0, err
	case <-t.Context().Done():
		t.Fatal("no answer")
		return 0, nil
	}
}

func fill(id string, openSince uint64) order.Update {
	return order.Update{Event: order.EventFill, BrokerOrderID: id, At: time.Now(), OpenSince: openSince}
}

func TestUpdatesAreAppendedByCompareAndSet(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	if _, _, err := l.LastUpdate(t.Context(), 0, "acme"); !errors.Is(err, ledger.ErrNone) {
		t.Fatalf("the last of none: %v", err)
	}
	first, err := appendUpdate(t, l, "acme", fill("one", 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appendOutcome(t, l, "acme", order.Outcome{IntentSeq: 1, Status: order.Accepted}, 0); err != nil {
		t.Errorf("an outcome, which has its own order: %v", err)
	}
	if _, err := appendUpdate(t, l, "acme", fill("two", 0), 0); !ledger.IsConflict(err) {
		t.Errorf("behind none, and there is one: %v", err)
	}
	second, err := appendUpdate(t, l, "acme", fill("two", 0), first)
	if err != nil {
		t.Fatal(err)
	}
	u, seq, err := l.LastUpdate(t.Context(), 0, "acme")
	if err != nil || seq != second || u.BrokerOrderID != "two" {
		t.Errorf("the last one is %+v at %d: %v", u, seq, err)
	}
}

func TestUnsettled(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	outcomes, updates := make(map[string]uint64), make(map[string]uint64)
	outcome := func(tenant string) (seq uint64) {
		t.Helper()
		seq, err := appendOutcome(t, l, tenant, order.Outcome{IntentSeq: 1, Status: order.Accepted}, outcomes[tenant])
		if err != nil {
			t.Fatal(err)
		}
		outcomes[tenant] = seq
		return seq
	}
	update := func(tenant string, openSince uint64) {
		t.Helper()
		seq, err := appendUpdate(t, l, tenant, fill("x", openSince), updates[tenant])
		if err != nil {
			t.Fatal(err)
		}
		updates[tenant] = seq
	}
	unsettled := func(want ...string) {
		t.Helper()
		got, err := l.Unsettled(t.Context(), 0)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("unsettled are %v, wanted %v: %v", got, want, err)
		}
	}
	unsettled()
	publish(t, nc, "no-outcome", "one")
	outcome("no-update")
	update("settled", outcome("settled")+1)
	update("open", outcome("open"))
	update("newer-outcome", outcome("newer-outcome")+1)
	outcome("newer-outcome")
	update("says-nothing", 0*outcome("says-nothing"))
	outcome("closed-in-the-end")
	update("closed-in-the-end", 1)
	update("closed-in-the-end", outcomes["closed-in-the-end"]+1)
	unsettled("newer-outcome", "no-update", "open", "says-nothing")
}
