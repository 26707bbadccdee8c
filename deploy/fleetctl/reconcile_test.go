package fleetctl_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/shopspring/decimal"
)

// TestReconciled: what was found is told, with what is left of it counted, and who was not
// reached is said loudly.
func TestReconciled(t *testing.T) {
	four, ten := decimal.NewFromInt(4), decimal.NewFromInt(10)
	all := []fleetctl.Reconciled{
		{Tenant: "clean", Shard: 1, Worker: "w1", Epoch: 3, Found: &inquiry.Reconciliation{Orders: 7}},
		{Tenant: "lost", Shard: 1, Worker: "w1", Epoch: 3, Found: &inquiry.Reconciliation{Orders: 7, Repaired: 1, Differences: []inquiry.Difference{
			{Kind: inquiry.MissingFill, Symbol: "AAPL", BrokerOrderID: "b1", IntentID: "one", IntentSeq: 5, Expected: &four, Found: &ten, Message: "fills of 6 are not on the ledger", Repaired: true},
		}}},
		{Tenant: "hand", Shard: 2, Worker: "w2", Epoch: 1, Found: &inquiry.Reconciliation{Orders: 3, More: 8, Unheld: "the ledger is short", Differences: []inquiry.Difference{
			{Kind: inquiry.ForeignOrder, Symbol: "AAPL", BrokerOrderID: "b9", ClientOrderID: "somebody", Message: "an order that is not the fleet's"},
		}}},
		{Tenant: "away", Shard: 3, Problem: "nobody answers"},
	}
	var out bytes.Buffer
	var tally fleetctl.Tally
	for i := range all {
		tally.Add(&all[i])
		all[i].Print(&out)
	}
	for _, want := range []string{
		"lost (shard 1, worker w1, epoch 3): 7 orders compared\n", "missing_fill", "intent one at 5", "expected 4, found 10", "(written now)",
		"foreign_order", "somebody", "and 8 more", "positions are not compared: the ledger is short", "away (shard 3): NOT RECONCILED: nobody answers",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "clean") {
		t.Errorf("it tells of a tenant of whom there is nothing to tell:\n%s", out.String())
	}
	if tally.Reconciled != 3 || tally.Differing != 1 || tally.Differences != 9 || tally.Repaired != 1 {
		t.Errorf("counted %+v", tally)
	}
	err := tally.Err()
	if err == nil || !strings.Contains(err.Error(), "differ for 1 of 3 tenants, in 9 things") || !strings.Contains(err.Error(), "SHARD 3: 1 tenants were not reconciled: away") {
		t.Errorf("in the end: %v", err)
	}
	var fine fleetctl.Tally
	fine.Add(&all[0])
	if fine.Add(&all[1]); fine.Err() != nil {
		t.Errorf("everything agrees by now, and %v", fine.Err())
	}
}
