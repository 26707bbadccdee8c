package risk_test

import (
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/risk"
)

// BenchmarkCheck is the check of one order, and its count: without limits, with one of a few
// that firms set first, and with all rules at once.
func BenchmarkCheck(b *testing.B) {
	some := tenant.Limits{MaxQty: num("1000"), OrdersPerMinute: 1e9, Restricted: []string{"GME"}}
	all := tenant.Limits{
		MaxQty: num("1000"), MaxNotional: num("1000000"), OrdersPerSecond: 1e9, OrdersPerMinute: 1e9, OrdersPerDay: 1e9,
		NotionalPerSecond: num("1e15"), NotionalPerMinute: num("1e15"), NotionalPerDay: num("1e15"), OpenOrders: 1e9, Credit: num("1e15"),
		CollarPercent: num("5"), Allowed: []string{"AAPL", "MSFT"}, Restricted: []string{"GME"}, Types: []order.Type{order.Limit}, NoShort: true,
		Hours:      []tenant.Hours{{Zone: "America/New_York", Days: "mon-fri", From: "09:30", Until: "16:00"}},
		MaxBacklog: 1000, PublishesPerMinute: 1e6,
	}
	for name, limits := range map[string]tenant.Limits{"none": {}, "three": some, "all": all} {
		b.Run(name, func(b *testing.B) {
			d := newDesk(b, limits)
			d.price("AAPL", "100")
			rules := d.rules()
			ask := plain(of(order.Buy, "10", "100"))
			ask.Kind, ask.ID, ask.Seq = order.KindOrder, "acme.x", 1
			b.ReportAllocs()
			for b.Loop() {
				if rules == nil { // which is all that a session asks
					continue
				}
				q := d.query(ask)
				if no := rules.Check(q); no != nil || rules.Scope() != (risk.Scope{}) && rules.Count(q) == nil {
					b.Fatal(no)
				}
			}
		})
	}
}
