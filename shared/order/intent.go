package order

import (
	"cmp"
	"time"

	"github.com/shopspring/decimal"
)

// Version is the version of every message that this package writes. A message
// without a version is read as version 1.
const Version = 1

// Kind says what an intent asks for.
type Kind string

// The kinds. Replace and Cancel name an earlier intent in [Intent.Target];
// ClosePosition names a symbol, and optionally a quantity, in [Intent.Order].
const (
	KindOrder         Kind = "order"
	KindReplace       Kind = "replace"
	KindCancel        Kind = "cancel"
	KindCancelAll     Kind = "cancel_all"
	KindClosePosition Kind = "close_position"
)

// Intent is what a producer asks for: one order, or one change to what it asked
// for before. It ends in exactly one [Outcome].
type Intent struct {
	// Version of the message; 0 is read as 1.
	Version int `json:"v,omitzero"`
	// ID is unique within its tenant: 1 to 64 of [A-Za-z0-9_-].
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// ExpiresAt ends the intent as expired if no request was written before it.
	ExpiresAt time.Time `json:"expires_at"`
	// Order is what to place (order), what to change (replace) or what to close
	// (close_position); nil for the others.
	Order *Order `json:"order,omitzero"`
	// Target is the intent id whose order is to be replaced or cancelled; of an order that
	// was driven again ([Intent.RetryOf]), the first one's.
	Target string `json:"target,omitzero"`
	// RetryOf is the id of an earlier intent that an operator drives again with this one. The
	// order bears the client order id of that one: if the broker has it after all, there is
	// no second.
	RetryOf string `json:"retry_of,omitzero"`
	// Labels are the producer's own: kept, never read by the fleet.
	Labels map[string]string `json:"labels,omitempty"`
}

// ClientOrderID is the id that the intent's order bears at the broker.
func (in *Intent) ClientOrderID(tenant string) string {
	return ClientOrderID(tenant, cmp.Or(in.RetryOf, in.ID))
}

// Order is an Alpaca order request, field by field; see
// https://docs.alpaca.markets/reference/postorder. The client order id is
// missing on purpose: it is derived, see [ClientOrderID]. Numbers are omitempty, not
// omitzero: a decimal that is 0 is not absent.
type Order struct {
	Symbol        string           `json:"symbol,omitzero"`
	Qty           *decimal.Decimal `json:"qty,omitempty"`
	Notional      *decimal.Decimal `json:"notional,omitempty"` // US dollars
	Side          Side             `json:"side,omitzero"`
	Type          Type             `json:"type,omitzero"`
	TimeInForce   TimeInForce      `json:"time_in_force,omitzero"`
	LimitPrice    *decimal.Decimal `json:"limit_price,omitempty"`
	StopPrice     *decimal.Decimal `json:"stop_price,omitempty"`
	TrailPrice    *decimal.Decimal `json:"trail_price,omitempty"`
	TrailPercent  *decimal.Decimal `json:"trail_percent,omitempty"`
	ExtendedHours bool             `json:"extended_hours,omitzero"`
	OrderClass    Class            `json:"order_class,omitzero"`
	TakeProfit    *TakeProfit      `json:"take_profit,omitzero"`
	StopLoss      *StopLoss        `json:"stop_loss,omitzero"`
	// PositionIntent belongs to options orders.
	PositionIntent PositionIntent `json:"position_intent,omitzero"`
	// Legs belong to multi-leg (mleg) options orders: two to four.
	Legs                 []Leg                 `json:"legs,omitempty"`
	AdvancedInstructions *AdvancedInstructions `json:"advanced_instructions,omitzero"`
	// Trail is a replace's new trail price or percent, whichever the order had.
	Trail *decimal.Decimal `json:"trail,omitempty"`
}

// TakeProfit is the profit leg of a bracket, OCO or OTO order.
type TakeProfit struct {
	LimitPrice *decimal.Decimal `json:"limit_price,omitempty"`
}

// StopLoss is the protective leg of a bracket, OCO or OTO order; with a limit
// price it is a stop-limit order.
type StopLoss struct {
	StopPrice  *decimal.Decimal `json:"stop_price,omitempty"`
	LimitPrice *decimal.Decimal `json:"limit_price,omitempty"`
}

// Leg is one leg of a multi-leg options order.
type Leg struct {
	Symbol         string           `json:"symbol"`
	RatioQty       *decimal.Decimal `json:"ratio_qty,omitempty"`
	Side           Side             `json:"side,omitzero"`
	PositionIntent PositionIntent   `json:"position_intent,omitzero"`
}

// AdvancedInstructions steer the broker's Elite Smart Router.
type AdvancedInstructions struct {
	Algorithm     string           `json:"algorithm,omitzero"`    // DMA, TWAP or VWAP
	Destination   string           `json:"destination,omitzero"`  // NYSE, NASDAQ or ARCA; DMA only
	DisplayQty    *decimal.Decimal `json:"display_qty,omitempty"` // a multiple of 100
	StartTime     *time.Time       `json:"start_time,omitempty"`
	EndTime       *time.Time       `json:"end_time,omitempty"`
	MaxPercentage *decimal.Decimal `json:"max_percentage,omitempty"` // 0 < p < 1, three decimals
}

// Side of an order.
type Side string

// The sides.
const (
	Buy  Side = "buy"
	Sell Side = "sell"
)

// Type of an order.
type Type string

// The order types.
const (
	Market       Type = "market"
	Limit        Type = "limit"
	Stop         Type = "stop"
	StopLimit    Type = "stop_limit"
	TrailingStop Type = "trailing_stop"
)

// Types are all of them.
var Types = []Type{Market, Limit, Stop, StopLimit, TrailingStop}

// TimeInForce says how long an order stands at the broker.
type TimeInForce string

// The times in force.
const (
	Day TimeInForce = "day"
	GTC TimeInForce = "gtc"
	OPG TimeInForce = "opg"
	CLS TimeInForce = "cls"
	IOC TimeInForce = "ioc"
	FOK TimeInForce = "fok"
)

// Class of an order: how many orders it is, and how they hang together.
type Class string

// The order classes. The broker writes simple as the empty string.
const (
	Simple   Class = "simple"
	Bracket  Class = "bracket"
	OCO      Class = "oco"
	OTO      Class = "oto"
	MultiLeg Class = "mleg"
)

// PositionIntent says whether an options order opens or closes a position.
type PositionIntent string

// The position intents.
const (
	BuyToOpen   PositionIntent = "buy_to_open"
	BuyToClose  PositionIntent = "buy_to_close"
	SellToOpen  PositionIntent = "sell_to_open"
	SellToClose PositionIntent = "sell_to_close"
)
