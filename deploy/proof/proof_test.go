package proof

import (
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

// history is a clean one: three accepted orders and a rejected one of two tenants, and
// an order leg of the broker's own.
func history() ([]Intent, []Outcome, []Booking) {
	intent := func(seq uint64, tenant, id string) Intent {
		return Intent{Tenant: tenant, Seq: seq, ID: id, Kind: order.KindOrder}
	}
	outcome := func(seq uint64, tenant string, intent uint64, s order.Status) Outcome {
		return Outcome{Tenant: tenant, Seq: seq, Outcome: order.Outcome{IntentSeq: intent, Status: s}}
	}
	return []Intent{intent(1, "a", "x"), intent(2, "b", "x"), intent(3, "a", "y"), intent(4, "a", "z")},
		[]Outcome{outcome(5, "a", 1, order.Accepted), outcome(6, "b", 2, order.Accepted), outcome(7, "a", 3, order.Rejected), outcome(8, "a", 4, order.Accepted)},
		[]Booking{{ClientOrderID: "a.x"}, {ClientOrderID: "b.x"}, {ClientOrderID: "904837e3-3b76-47ec-b432-046db621571b"}, {ClientOrderID: "a.z"}}
}

func TestACleanHistory(t *testing.T) {
	if r := Check(history()); !r.OK() || r.Intents != 4 || r.Outcomes != 4 || r.Orders != 3 || len(r.Findings) != 0 {
		t.Errorf("%+v", r)
	}
}

// TestEveryFaultIsFound plants one fault at a time.
func TestEveryFaultIsFound(t *testing.T) {
	for _, tc := range []struct {
		name                        string
		plant                       func(in *[]Intent, out *[]Outcome, b *[]Booking)
		lost, duplicated, reordered int
		finding                     string
	}{
		{"an outcome is missing", func(_ *[]Intent, out *[]Outcome, _ *[]Booking) { *out = append((*out)[:2], (*out)[3:]...) },
			1, 0, 0, "intent 3 of a has no outcome"},
		{"an order is missing", func(_ *[]Intent, _ *[]Outcome, b *[]Booking) { *b = (*b)[:3] },
			1, 0, 0, "the broker has no order a.z"},
		{"an order that was said to be rejected", func(_ *[]Intent, _ *[]Outcome, b *[]Booking) { *b = append(*b, Booking{ClientOrderID: "a.y"}) },
			1, 0, 0, "no accepted outcome answers for it"},
		{"an order twice", func(_ *[]Intent, _ *[]Outcome, b *[]Booking) { *b = append(*b, (*b)[3]) },
			0, 1, 0, "the broker has order 2 under a.z"},
		{"an outcome twice", func(_ *[]Intent, out *[]Outcome, _ *[]Booking) { *out = append(*out, (*out)[3]) },
			0, 1, 0, "intent 4 of a has outcome 2"},
		{"an outcome of nothing", func(in *[]Intent, _ *[]Outcome, _ *[]Booking) { *in = append((*in)[:2], (*in)[3:]...) },
			0, 1, 0, "is of no intent"},
		{"orders out of order", func(_ *[]Intent, _ *[]Outcome, b *[]Booking) { (*b)[0], (*b)[3] = (*b)[3], (*b)[0] },
			0, 0, 1, "the order of intent 1 of a was booked behind that of 4"},
		{"outcomes out of order", func(_ *[]Intent, out *[]Outcome, _ *[]Booking) { (*out)[2], (*out)[3] = (*out)[3], (*out)[2] },
			0, 0, 1, "the outcome of intent 3 of a comes behind that of 4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in, out, b := history()
			tc.plant(&in, &out, &b)
			r := Check(in, out, b)
			if r.Lost != tc.lost || r.Duplicated != tc.duplicated || r.Reordered != tc.reordered || r.OK() {
				t.Errorf("%+v", r)
			}
			if !strings.Contains(strings.Join(r.Findings, "\n"), tc.finding) {
				t.Errorf("findings %q do not say %q", r.Findings, tc.finding)
			}
		})
	}
}
