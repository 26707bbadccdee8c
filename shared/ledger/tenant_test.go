package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestReadTenant: of a tenant's messages, those of the classes and within the bounds that
// were asked for, in order, few or many, and the reading ends also where others go on.
func TestReadTenant(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	var outcome, update uint64
	accept := func(intent uint64) {
		t.Helper()
		var err error
		if outcome, err = appendOutcome(t, l, "acme", order.Outcome{IntentSeq: intent, Status: order.Accepted}, outcome); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(10) { // a round is two intents, the outcome and the update
		for _, tenant := range []string{"acme", "zeta"} {
			publish(t, nc, tenant, fmt.Sprint("intent-", i))
		}
		accept(i + 1)
		var err error
		if update, err = appendUpdate(t, l, "acme", fill(fmt.Sprint(i), 0), update); err != nil {
			t.Fatal(err)
		}
	}
	read := func(from, end uint64, classes ...ledger.Class) (seqs []uint64) {
		t.Helper()
		err := l.ReadTenant(t.Context(), 0, "acme", from, end, func(e ledger.Entry) error {
			if e.Tenant != "acme" || !slices.Contains(classes, e.Class) {
				t.Errorf("read a message of %s of %s", e.Class, e.Tenant)
			}
			seqs = append(seqs, e.Seq)
			return nil
		}, classes...)
		if err != nil {
			t.Fatal(err)
		}
		return seqs
	}
	if got := read(0, 40, ledger.Outcomes, ledger.Updates); len(got) != 20 || got[0] != 3 || got[1] != 4 || got[19] != 40 {
		t.Errorf("all are %v", got)
	}
	if got := read(4, 8, ledger.Outcomes, ledger.Updates); !slices.Equal(got, []uint64{4, 7, 8}) {
		t.Errorf("4 to 8 are %v", got)
	}
	for name, got := range map[string][]uint64{
		"4 to 6":           read(4, 6, ledger.Outcomes),
		"behind the end":   read(41, 40, ledger.Outcomes),
		"behind the last":  read(40, 40, ledger.Outcomes),
		"of another class": read(1, 40, ledger.Controls),
	} {
		if len(got) != 0 {
			t.Errorf("%s are %v", name, got)
		}
	}
	for i := range uint64(600) { // more than are asked for at once
		accept(100 + i)
	}
	if got := read(0, 640, ledger.Outcomes, ledger.Updates); len(got) != 620 || !slices.IsSorted(got) || got[619] != 640 {
		t.Errorf("%d of many", len(got))
	}
	if got := read(400, 639, ledger.Updates, ledger.Outcomes); len(got) != 240 || got[0] != 400 || got[239] != 639 {
		t.Errorf("%d from 400 to 639", len(got))
	}
	if got := read(1, 50, ledger.Updates, ledger.Outcomes); len(got) != 30 || got[29] != 50 {
		t.Errorf("%d of the first 50", len(got))
	}
}
