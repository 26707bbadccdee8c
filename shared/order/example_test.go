package order_test

import (
	"fmt"

	"github.com/orderfleet/orderfleet/shared/order"
)

func ExampleIntent_Validate() {
	in, err := order.DecodeIntent([]byte(`{
		"id": "rebalance-7",
		"kind": "order",
		"expires_at": "2026-11-24T15:00:00Z",
		"order": {"symbol": "AAPL", "qty": "0", "side": "buy", "type": "limit", "time_in_force": "day"}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(in.Validate())
	// Output: order.qty: 0 is not greater than 0; order.limit_price: is required with type limit
}

func ExampleClientOrderID() {
	fmt.Println(order.ClientOrderID("acme", "rebalance-7"))
	// Output: acme.rebalance-7
}
