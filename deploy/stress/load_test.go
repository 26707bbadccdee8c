package stress

import (
	"testing"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestIdleTenantsHaveTheirOutcomes: nothing of them is under way any more when the worker
// starts whose cost is measured.
func TestIdleTenantsHaveTheirOutcomes(t *testing.T) {
	l, nc := ledgertest.Open(t, 2)
	s := &system{nc: nc, ledger: l}
	o := Options{IdleTenants: 2500}
	if err := s.introduce(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	h, err := proof.Read(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Intents) != o.IdleTenants || len(h.Outcomes) != o.IdleTenants {
		t.Errorf("%d intents and %d outcomes of %d tenants", len(h.Intents), len(h.Outcomes), o.IdleTenants)
	}
	if err := s.introduce(t.Context(), Options{IdleTenants: 1}); err == nil {
		t.Error("a tenant has its outcome twice, and nobody minds")
	}
}
