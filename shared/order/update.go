package order

import (
	"time"

	"github.com/shopspring/decimal"
)

// The events of an [Update].
const (
	// EventPartialFill: a part of the order was traded, and more may be.
	EventPartialFill = "partial_fill"
	// EventFill: the rest was traded, and the order is over.
	EventFill = "fill"
	// The ends of an order that is not filled.
	EventCanceled = "canceled"
	EventExpired  = "expired"
	EventRejected = "rejected" // by the exchange, after the broker had accepted it
	EventReplaced = "replaced" // by the order in ReplacedBy
)

// Update is what became of an order after the broker had accepted it: a fill, or its end.
// Each is on the ledger once, and looks the same whether the broker's stream told of it or
// its lists did, later: so it holds nothing that only one of them knows. A fill is known by
// its order and FilledQty, an end by its order alone.
//
// A tenant's updates stand in the broker's order: each order's exactly so, those of
// different orders by At.
type Update struct {
	Version int    `json:"v,omitzero"`
	Event   string `json:"event"`
	// IntentID is of the intent that the order came from: its own or, for an order that the
	// broker made itself (the leg of a bracket, say), of the order that it hangs on.
	IntentID      string `json:"intent_id,omitzero"`
	ClientOrderID string `json:"client_order_id,omitzero"` // made up by the broker, for a leg
	BrokerOrderID string `json:"broker_order_id"`
	// Symbol and Side are the order's; empty where it has none, as a multi-leg order.
	Symbol string `json:"symbol,omitzero"`
	Side   Side   `json:"side,omitzero"`
	// OrderStatus is the order's state after the event.
	OrderStatus string           `json:"order_status,omitzero"`
	Price       *decimal.Decimal `json:"price,omitempty"`      // of this fill
	Qty         *decimal.Decimal `json:"qty,omitempty"`        // of this fill
	FilledQty   *decimal.Decimal `json:"filled_qty,omitempty"` // in all
	// Derived: the broker's list of fills did not show this one in time. Its Qty and Price
	// are what the order's totals leave over, perhaps for several fills.
	Derived bool `json:"derived,omitzero"`
	// Late: it was missing on the ledger, and was written behind what came after it.
	Late       bool   `json:"late,omitzero"`
	ReplacedBy string `json:"replaced_by,omitzero"` // broker order id
	// Legs are the broker's ids of the orders that hang on this one, where it is over.
	Legs []string `json:"legs,omitempty"`
	// At is the broker's time of the event.
	At time.Time `json:"at"`

	// Worker and Epoch say who wrote the update, and under which ownership of the shard.
	Worker string `json:"worker,omitzero"`
	Epoch  uint64 `json:"epoch,omitzero"`
	// OpenSince is the sequence number in the shard's stream from which on the tenant's
	// outcomes and updates tell which of its orders are open after this update. If the
	// tenant's last outcome stands before it, none is. 0 says nothing.
	OpenSince uint64 `json:"open_since,omitzero"`
}

// Ends says that the order is over with the update.
func (u *Update) Ends() bool { return u.Event != EventPartialFill }

// Fills says that something was traded.
func (u *Update) Fills() bool { return u.Event == EventFill || u.Event == EventPartialFill }
