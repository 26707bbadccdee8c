package proof

import (
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Intent is an intent on the fleet's ledger.
type Intent struct {
	Tenant string
	Seq    uint64 // in its shard
	At     time.Time
	ID     string     // empty if it cannot be read
	Kind   order.Kind // empty if it cannot be read
}

// Outcome is an outcome on the fleet's ledger, in the order of the ledger.
type Outcome struct {
	Tenant string
	Seq    uint64
	At     time.Time
	order.Outcome
}

// Booking is an order on the broker's ledger, in the order of booking.
type Booking struct {
	ClientOrderID string
	OrderID       string
	Received      time.Time // when its request had been read
}

// Report is the verdict over two ledgers.
type Report struct {
	Intents    int `json:"intents"`
	Outcomes   int `json:"outcomes"`
	Orders     int `json:"orders"` // at the broker, with an id of the fleet's
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	Reordered  int `json:"reordered"`
	// Findings explain the last three, the first hundred of them.
	Findings []string `json:"findings,omitempty"`
}

// OK says whether nothing is lost, duplicated or reordered.
func (r *Report) OK() bool { return r.Lost == 0 && r.Duplicated == 0 && r.Reordered == 0 }

// maxFindings bounds a report's explanations.
const maxFindings = 100

func (r *Report) find(count *int, format string, args ...any) {
	*count++
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
	}
}

// key identifies an intent: its tenant, which has one shard, and its place there.
type key struct {
	tenant string
	seq    uint64
}

// Check compares the ledgers. Intents and outcomes are those of the fleet's ledger in
// its order within each tenant, bookings those of the broker's in its order.
func Check(intents []Intent, outcomes []Outcome, bookings []Booking) Report {
	r := Report{Intents: len(intents), Outcomes: len(outcomes)}
	orders := countOrders(&r, bookings)
	answered, asked := checkOutcomes(&r, intents, outcomes, orders)
	for _, in := range intents {
		if answered[key{in.Tenant, in.Seq}] == 0 {
			r.find(&r.Lost, "intent %d of %s has no outcome", in.Seq, in.Tenant)
		}
	}
	checkBookings(&r, bookings, asked)
	return r
}

// countOrders counts the orders under each of the fleet's ids.
func countOrders(r *Report, bookings []Booking) map[string]int {
	orders := make(map[string]int, len(bookings))
	for _, b := range bookings {
		if _, _, ours := order.ParseClientOrderID(b.ClientOrderID); !ours {
			continue // the broker's own: legs of a bracket
		}
		r.Orders++
		if orders[b.ClientOrderID]++; orders[b.ClientOrderID] > 1 {
			r.find(&r.Duplicated, "the broker has order %d under %s", orders[b.ClientOrderID], b.ClientOrderID)
		}
	}
	return orders
}

// checkOutcomes checks the outcomes and returns how many each intent has, and of which
// intent each order is that an accepted outcome answers for.
func checkOutcomes(r *Report, intents []Intent, outcomes []Outcome, orders map[string]int) (answered map[key]int, asked map[string]uint64) {
	published := make(map[key]Intent, len(intents))
	for _, in := range intents {
		published[key{in.Tenant, in.Seq}] = in
	}
	answered, asked = make(map[key]int, len(outcomes)), make(map[string]uint64, len(outcomes))
	last := make(map[string]uint64)
	for _, o := range outcomes {
		k := key{o.Tenant, o.IntentSeq}
		in, ok := published[k]
		if !ok {
			r.find(&r.Duplicated, "outcome %d of %s is of no intent", o.Seq, o.Tenant)
		}
		if answered[k]++; answered[k] > 1 {
			r.find(&r.Duplicated, "intent %d of %s has outcome %d", o.IntentSeq, o.Tenant, answered[k])
		}
		if o.IntentSeq < last[o.Tenant] {
			r.find(&r.Reordered, "the outcome of intent %d of %s comes behind that of %d", o.IntentSeq, o.Tenant, last[o.Tenant])
		}
		last[o.Tenant] = max(last[o.Tenant], o.IntentSeq)
		if o.Status != order.Accepted || !books(in.Kind) {
			continue
		}
		id := order.ClientOrderID(in.Tenant, in.ID)
		asked[id] = o.IntentSeq
		if orders[id] == 0 {
			r.find(&r.Lost, "intent %d of %s was accepted, but the broker has no order %s", o.IntentSeq, o.Tenant, id)
		}
	}
	return answered, asked
}

// checkBookings checks that each order answers to an accepted intent, and their order.
func checkBookings(r *Report, bookings []Booking, asked map[string]uint64) {
	last := make(map[string]uint64)
	for _, b := range bookings {
		tenant, _, ours := order.ParseClientOrderID(b.ClientOrderID)
		if !ours {
			continue
		}
		seq, ok := asked[b.ClientOrderID]
		if !ok {
			r.find(&r.Lost, "the broker has order %s, and no accepted outcome answers for it", b.ClientOrderID)
			continue
		}
		if seq < last[tenant] {
			r.find(&r.Reordered, "the order of intent %d of %s was booked behind that of %d", seq, tenant, last[tenant])
		}
		last[tenant] = max(last[tenant], seq)
	}
}

// books says whether an accepted intent of a kind makes an order at the broker.
func books(k order.Kind) bool {
	return k == order.KindOrder || k == order.KindReplace || k == order.KindClosePosition
}
