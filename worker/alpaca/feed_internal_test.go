package alpaca

import (
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

// FuzzEvent: whatever a stream says is an event of an order, or an error.
func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`{"event":"fill","price":"1.5","qty":"2","timestamp":"2026-05-04T14:30:00Z","order":{"id":"o","client_order_id":"acme.a","filled_qty":"2","legs":[{"id":"l"}]}}`,
		`{"event":"canceled","order":{"id":"o","status":"canceled","canceled_at":"2026-05-04T14:30:00Z"}}`,
		`{"event":"new","order":{"id":""}}`, `{"event":"new"}`, `{}`, `null`, `[]`, `{"event":1}`, `{"event":"fill","qty":"","order":{"id":"o"}}`, `{"order":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := event(data)
		if err == nil && (e.Kind == "" || e.Order.ID == "") {
			t.Errorf("%q is the event %+v", data, e)
		}
		if err == nil && e.Order.Status == order.EventCanceled && e.Order.Over() != true {
			t.Errorf("%q is not over", data)
		}
	})
}
