package inquiry

import (
	"time"

	"github.com/shopspring/decimal"
)

// Reconciliation is what a comparison of a tenant's account at its broker with its ledger
// found. It answers [Reconcile].
type Reconciliation struct {
	// Since bounds what was compared: orders submitted from then on, those that are open, and
	// what the account holds. Zero is everything.
	Since time.Time `json:"since,omitzero"`
	// Read is the last message of the shard that was compared.
	Read uint64 `json:"read"`
	// Orders is how many orders of the account were compared, Requests how many requests that
	// took.
	Orders   int `json:"orders"`
	Requests int `json:"requests"`
	// Differences that lasted; of too many only the first are told, and More is how many there
	// are beside them.
	Differences []Difference `json:"differences"`
	More        int          `json:"more,omitzero"`
	// Repaired is how many updates were written, in this or in the worker's own time, to tell
	// what was missing.
	Repaired int `json:"repaired,omitzero"`
	// Unheld says why what the account holds was not compared, if it was not.
	Unheld string `json:"unheld,omitzero"`
}

// Left are the differences that were told and not repaired.
func (r *Reconciliation) Left() []Difference {
	var left []Difference
	for _, d := range r.Differences {
		if !d.Repaired {
			left = append(left, d)
		}
	}
	return left
}

// Difference is one thing in which broker and ledger do not agree.
type Difference struct {
	Kind DifferenceKind `json:"kind"`
	// Symbol is the order's or the position's; empty for an order of several.
	Symbol        string `json:"symbol,omitzero"`
	BrokerOrderID string `json:"broker_order_id,omitzero"`
	ClientOrderID string `json:"client_order_id,omitzero"`
	IntentID      string `json:"intent_id,omitzero"`
	// Sequence numbers in the tenant's shard of the intent, its outcome, and the last update
	// of the order; 0 if there is none.
	IntentSeq  uint64 `json:"intent_seq,omitzero"`
	OutcomeSeq uint64 `json:"outcome_seq,omitzero"`
	UpdateSeq  uint64 `json:"update_seq,omitzero"`
	// Expected is the quantity that the ledger tells, Found the broker's; nil where the
	// difference is none of quantity. Those of positions have a sign.
	Expected *decimal.Decimal `json:"expected,omitempty"`
	Found    *decimal.Decimal `json:"found,omitempty"`
	// Message is for people.
	Message string `json:"message"`
	// Repaired: the update that was missing is written.
	Repaired bool `json:"repaired,omitzero"`
}

// DifferenceKind is in what broker and ledger do not agree.
type DifferenceKind string

// The kinds of differences.
const (
	// ForeignOrder: an order of the account that bears no client order id of the fleet's.
	ForeignOrder DifferenceKind = "foreign_order"
	// UnaskedOrder: an order bears a client order id of the tenant's, and no intent on the
	// ledger asked for it.
	UnaskedOrder DifferenceKind = "unasked_order"
	// SecondOrder: the outcome tells of another order under the same client order id.
	SecondOrder DifferenceKind = "second_order"
	// DespiteOutcome: the outcome says that there is no such order.
	DespiteOutcome DifferenceKind = "order_despite_outcome"
	// MissingOrder: an outcome says that the broker accepted it, and the broker knows none.
	MissingOrder DifferenceKind = "missing_order"
	// MissingFill: more of the order is filled than the ledger tells. It can be repaired.
	MissingFill DifferenceKind = "missing_fill"
	// ExcessFill: less of the order is filled than the ledger tells.
	ExcessFill DifferenceKind = "excess_fill"
	// MissingEnd: the order is over, and the ledger does not tell. It can be repaired.
	MissingEnd DifferenceKind = "missing_end"
	// ContraryEnd: the ledger tells another end of the order than the broker.
	ContraryEnd DifferenceKind = "contrary_end"
	// PositionOff: the account holds another quantity than all fills make.
	PositionOff DifferenceKind = "position_off"
)

// Repairable says that an update is missing, which a repair writes.
func (k DifferenceKind) Repairable() bool { return k == MissingFill || k == MissingEnd }
