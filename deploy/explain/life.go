package explain

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Life is all that a ledger tells of what bears one client order id. Its names in JSON are
// part of the contract; texts are for people, and may change.
type Life struct {
	Tenant string `json:"tenant"`
	Shard  int    `json:"shard"`
	// Source is the ledger that was read.
	Source string `json:"source"`
	// ClientOrderID is empty if the intent is too malformed to have one.
	ClientOrderID string `json:"client_order_id,omitempty"`
	// BrokerOrderID is the order's; empty if there is none, or if nobody knows.
	BrokerOrderID string `json:"broker_order_id,omitempty"`
	// Status is that of the last intent: its outcome's, or [Due].
	Status order.Status `json:"status"`
	// OrderStatus is where the order stands by the broker's last word; empty without one.
	OrderStatus string `json:"order_status,omitempty"`
	// Intents are those that bear the id, in their order.
	Intents []Intent `json:"intents"`
	// Steps are what happened, in the order of time.
	Steps []Step `json:"steps"`
	// Waiting is what it waits for; nil if all intents have their outcomes.
	Waiting *Waiting `json:"waiting,omitempty"`
}

// Due is the status of an intent that has no outcome yet.
const Due order.Status = "due"

// Role is what an intent is within a life.
type Role string

// The roles.
const (
	First Role = "first"
	// Retry drives the first one again, on an operator's word.
	Retry Role = "retry"
	// Again uses the id once more; it ends as a duplicate, if the first is known.
	Again Role = "again"
)

// Intent is one of those that bear the id.
type Intent struct {
	Role Role   `json:"role"`
	ID   string `json:"id,omitempty"`
	// Seq is where it stands in its shard.
	Seq       uint64    `json:"seq"`
	Published time.Time `json:"published"` // when the ledger took it
	By        string    `json:"by,omitempty"`
	// Intent is what was asked for; nil if it cannot be read, or is not in the source.
	Intent *order.Intent `json:"intent,omitempty"`
	// Problem says why it cannot be read.
	Problem string `json:"problem,omitempty"`
	// Outcome is nil while it is due. OutcomeSeq is where that stands in the shard.
	Outcome    *order.Outcome `json:"outcome,omitempty"`
	OutcomeSeq uint64         `json:"outcome_seq,omitempty"`
}

// Stage is what a step is.
type Stage string

// The stages.
const (
	Published Stage = "published" // the ledger took the intent
	Waited    Stage = "waited"
	Received  Stage = "received" // a session took it up
	Checked   Stage = "checked"
	Submitted Stage = "submitted" // a request that may change the broker's books
	LookedUp  Stage = "looked_up" // a request that only asks
	Answered  Stage = "answered"  // the answer that decided was read
	Committed Stage = "committed"
	Updated   Stage = "updated" // the broker said more of the order
	Changed   Stage = "changed" // another intent replaces or cancels the order
	Taken     Stage = "taken"   // a worker took the shard
	Said      Stage = "said"    // an operator said something of the tenant
)

// Step is one thing that happened.
type Step struct {
	Stage Stage     `json:"stage"`
	At    time.Time `json:"at"`
	// After is the time since the step before; negative where two clocks differ.
	After time.Duration `json:"after_ns"`
	// Took is how long the step took; 0 if it is but a moment.
	Took time.Duration `json:"took_ns,omitempty"`
	// Seq is the intent that it is a step of; 0 for none.
	Seq  uint64 `json:"intent_seq,omitempty"`
	Text string `json:"text"`
	// Try is set in requests, Wait in waits, Update in updates.
	Try    *order.Try    `json:"try,omitempty"`
	Wait   *order.Wait   `json:"wait,omitempty"`
	Update *order.Update `json:"update,omitempty"`
}

// Waiting is what a life that is not done waits for.
type Waiting struct {
	// Seq is the first intent that has no outcome; Since is when the ledger took it.
	Seq   uint64    `json:"intent_seq"`
	Since time.Time `json:"since"`
	// ExpiresAt is when it ends at the latest, unless an order may be at the broker; zero if
	// the intent cannot be read.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Ahead is how many earlier intents of the tenant have no outcome.
	Ahead int `json:"ahead"`
	// For says what it waits for, the closest cause first.
	For []Reason `json:"for"`
}

// Reason is one of the things that an intent waits for.
type Reason struct {
	Code  Code      `json:"code"`
	Text  string    `json:"text"`
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// LastOf is the last intent that bears the id.
func (l *Life) LastOf() *Intent { return &l.Intents[len(l.Intents)-1] }
