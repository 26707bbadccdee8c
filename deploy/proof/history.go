package proof

import (
	"crypto/sha256"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// History is what is known of a run. What is left out is not judged: without receipts,
// only the ledgers are compared.
type History struct {
	// Receipts are the acknowledgements that producers got.
	Receipts []Receipt
	// Intents and outcomes are the fleet's ledger, in its order within each tenant.
	Intents  []Intent
	Outcomes []Outcome
	Epochs   []Epoch
	// Arrivals and bookings are the broker's ledger, in its order.
	Arrivals []Arrival
	Bookings []Booking
	// Stops are what an operator did to tenants, in the order of time.
	Stops []Stop
	// Limits are what tenants may do, by name; of those that are missing nothing is judged.
	// [Use] names the limits that are. Open is how many orders they had open at the broker at the end.
	Limits map[string]tenant.Limits
	Open   map[string]int
	// Slack is how long a request may be on its way to the broker: one that arrives no
	// later than that after its intent expired may have been written in time.
	Slack time.Duration
	// Expect is what cannot have gone wrong.
	Expect Expect
}

// Expect says what nothing in a run can have caused, so that an outcome that blames it is
// a contradiction. The zero value expects nothing.
type Expect struct {
	// Credentials: every tenant has a line to its broker, and keys that are good.
	Credentials bool
	// Unblocked: no rule of the fleet's own holds an intent back, but for the limits and stops
	// of the history.
	Unblocked bool
}

// Receipt says that the ledger took an intent.
type Receipt struct {
	Tenant, ID string
	Seq        uint64 // in its shard
	// Digest of what was published, see [DigestOf]; it is not judged if it is zero.
	Digest Digest
}

// Digest identifies the content of an intent.
type Digest [sha256.Size]byte

// DigestOf is the digest of an intent, however it is written: on the ledger it bears a
// version, and its times have one zone.
func DigestOf(in order.Intent) Digest {
	in.Version, in.ExpiresAt = order.Version, in.ExpiresAt.Round(0).UTC()
	data, err := order.EncodeIntent(in)
	if err != nil {
		return Digest{} // it could not be published
	}
	return sha256.Sum256(data)
}

// Intent is an intent on the fleet's ledger.
type Intent struct {
	Tenant string
	Seq    uint64 // in its shard
	At     time.Time
	order.Intent
	// Unreadable intents have, at most, an id.
	Unreadable bool
	// Misplaced intents were published to the shard of other tenants.
	Misplaced bool
}

// valid says whether the fleet has to take an intent.
func (in *Intent) valid() bool {
	return !in.Unreadable && !in.Misplaced && in.Validate() == nil && order.ValidTenant(in.Tenant) == nil
}

// Outcome is an outcome on the fleet's ledger.
type Outcome struct {
	Tenant string
	Shard  int // whose stream it is on
	Seq    uint64
	At     time.Time
	order.Outcome
}

// Epoch is the beginning of an ownership on the fleet's ledger.
type Epoch struct {
	Shard int
	Seq   uint64
	ledger.Epoch
}

// Arrival is a request that could book an order, as it reached the broker.
type Arrival struct {
	Account       string    `json:"account"`
	Method        string    `json:"method"`
	Path          string    `json:"path"`
	ClientOrderID string    `json:"client_order_id"`
	Status        int       `json:"status"` // of the answer that was given; 0 without one
	Time          time.Time `json:"time"`   // when it had been read
}

// Booking is an order on the broker's ledger.
type Booking struct {
	Account       string    `json:"account"`
	ClientOrderID string    `json:"client_order_id"`
	OrderID       string    `json:"order_id"`
	Symbol        string    `json:"symbol"` // empty for several legs
	Side          string    `json:"side"`
	Type          string    `json:"type"`
	Qty           string    `json:"qty"`
	Notional      string    `json:"notional"`
	Received      time.Time `json:"received"` // when its request had been read
}

// Books says whether an accepted intent of a kind makes an order at the broker.
func Books(k order.Kind) bool {
	return k == order.KindOrder || k == order.KindReplace || k == order.KindClosePosition
}
