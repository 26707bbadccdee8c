package order

import (
	"time"

	"github.com/shopspring/decimal"
)

// Update is what the broker said about an order after it had accepted it: a
// fill, a cancel, a replace, an expiry.
type Update struct {
	Version       int    `json:"v,omitzero"`
	Event         string `json:"event"` // the broker's word: fill, partial_fill, canceled, ...
	IntentID      string `json:"intent_id,omitzero"`
	ClientOrderID string `json:"client_order_id,omitzero"`
	BrokerOrderID string `json:"broker_order_id"`
	// ExecutionID identifies the event at the broker; empty where it gives none.
	ExecutionID string `json:"execution_id,omitzero"`
	// OrderStatus is the order's state after the event.
	OrderStatus string           `json:"order_status,omitzero"`
	Price       *decimal.Decimal `json:"price,omitempty"` // of this fill
	Qty         *decimal.Decimal `json:"qty,omitempty"`   // of this fill
	PositionQty *decimal.Decimal `json:"position_qty,omitempty"`
	FilledQty   *decimal.Decimal `json:"filled_qty,omitempty"` // in all
	// FilledAvgPrice is the average over all fills.
	FilledAvgPrice *decimal.Decimal `json:"filled_avg_price,omitempty"`
	ReplacedBy     string           `json:"replaced_by,omitzero"` // broker order id
	// At is the broker's time of the event.
	At time.Time `json:"at"`
}
