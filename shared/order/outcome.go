package order

import (
	"time"

	"github.com/shopspring/decimal"
)

// Status is the end of an intent.
type Status string

// The statuses.
const (
	// Accepted: the broker took it. For cancels: the order is or will be cancelled.
	Accepted Status = "accepted"
	// Rejected: the broker refused it and booked nothing.
	Rejected Status = "rejected"
	// Blocked: a rule of ours refused it before any byte went to the broker, or, after requests
	// that surely booked nothing, before the next one; see [Outcome.Rule].
	Blocked Status = "blocked"
	// Expired: its time ran out before a request was written.
	Expired Status = "expired"
	// Duplicate: the tenant used its id before; see [Outcome.DuplicateOf].
	Duplicate Status = "duplicate"
	// Invalid: it is malformed; [Outcome.Message] names the field.
	Invalid Status = "invalid"
	// Failed: what became of it could not be found out, or what the broker has
	// under its id is not what was asked. Somebody must look.
	Failed Status = "failed"
)

// Outcome is what became of an intent. Each intent has exactly one, ever.
type Outcome struct {
	Version int `json:"v,omitzero"`
	// IntentID is empty if the intent was too malformed to have one.
	IntentID string `json:"intent_id,omitzero"`
	// IntentSeq is the intent's sequence number in its shard's stream: with the
	// shard, the identity that even a malformed intent has.
	IntentSeq uint64 `json:"intent_seq"`
	Kind      Kind   `json:"kind,omitzero"`
	Status    Status `json:"status"`

	BrokerOrderID string `json:"broker_order_id,omitzero"`
	ClientOrderID string `json:"client_order_id,omitzero"`

	// HTTPStatus, Code, RequestID: the broker's last answer, 0 or empty without one.
	HTTPStatus int    `json:"http_status,omitzero"`
	Code       int    `json:"code,omitzero"`
	RequestID  string `json:"request_id,omitzero"`
	// Message is for people: the broker's words, or ours where it was not asked.
	Message string `json:"message,omitzero"`
	// Rule is the name of the rule that blocked the intent.
	Rule string `json:"rule,omitzero"`
	// DuplicateOf is the sequence number of the intent that used the id first.
	DuplicateOf uint64 `json:"duplicate_of,omitzero"`
	// Attempts counts the requests that may have reached the broker's books.
	Attempts int `json:"attempts,omitzero"`
	// Recovered: found at the broker after the answer, or the worker, was lost.
	Recovered bool `json:"recovered,omitzero"`

	// Uncanceled counts the open orders of which the broker refused the end, of a cancel-all.
	Uncanceled int `json:"uncanceled,omitzero"`

	// Course is the way to the outcome; nil if the other fields say it all: there was no
	// request, or one that the broker accepted or refused, and no wait worth telling.
	Course *Course `json:"course,omitzero"`

	// Counted is what the pre-trade checks count the order as; nil if none of the tenant's
	// limits needs that.
	Counted *Counted `json:"counted,omitzero"`

	// Worker and Epoch say who committed the outcome, and under which ownership
	// of the shard.
	Worker string `json:"worker"`
	Epoch  uint64 `json:"epoch"`

	Published time.Time `json:"published,omitzero"` // the intent reached the ledger
	Received  time.Time `json:"received,omitzero"`  // the session took it up
	Submitted time.Time `json:"submitted,omitzero"` // the last request was about to be written
	Answered  time.Time `json:"answered,omitzero"`  // its answer was read
	Committed time.Time `json:"committed,omitzero"` // this message was about to be published
}

// Counted is an order as the pre-trade checks counted it when its request was let go, so that
// whoever counts again comes to the same: prices change.
type Counted struct {
	// Symbol lists the legs of a multi-leg order, whose Side is empty.
	Symbol string `json:"symbol,omitzero"`
	Side   Side   `json:"side,omitzero"`
	// Qty is the size in shares or contracts, and Each what one of them was worth, in dollars.
	// Each is nil if nothing told.
	Qty  *decimal.Decimal `json:"qty,omitempty"`
	Each *decimal.Decimal `json:"each,omitempty"`
	// Notional is the size of an order that names no Qty, in dollars.
	Notional *decimal.Decimal `json:"notional,omitempty"`
	// Orders is how many orders it is at the broker, with its legs; 0 is one.
	Orders int `json:"orders,omitzero"`
	// Replaces is the broker's id of the order in whose place it stands.
	Replaces string `json:"replaces,omitzero"`
}
