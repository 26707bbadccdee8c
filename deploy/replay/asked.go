package replay

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// Asked is an intent as it was published, and what became of it.
type Asked struct {
	Tenant string
	Shard  int
	Seq    uint64    // in its shard
	At     time.Time // when the ledger took it
	Data   []byte    // as it was published
	ID     string    // empty if it has none that could be one
	// Intent is nil if it cannot be read.
	Intent *order.Intent

	// Outcome is nil as long as it is due.
	Outcome    *order.Outcome
	OutcomeSeq uint64
	// Updates are what the broker said later of its order, and of those that hang on it, in the
	// order of the ledger.
	Updates []order.Update
	// Retries are the intents that drove it again; Dropped is an operator's word that it is
	// not to be.
	Retries []*fleetctl.Retry
	Dropped *order.Control

	// turn is At, but never before that of an earlier intent of its shard: a stream's next
	// leader may have a clock that is behind.
	turn time.Time
}

// Status is what became of it; empty if it is due.
func (a *Asked) Status() order.Status {
	if a.Outcome == nil {
		return ""
	}
	return a.Outcome.Status
}

// valid says whether it makes sense.
func (a *Asked) valid() bool { return a.Intent != nil && a.Intent.Validate() == nil }

// books says whether it asks for an order of its own.
func (a *Asked) books() bool {
	return a.Intent != nil && a.Intent.Kind != order.KindCancel && a.Intent.Kind != order.KindCancelAll
}

// clientOrderID is the id that its order bears, or would if it were to have one; empty if
// it cannot be read.
func (a *Asked) clientOrderID() string {
	if a.Intent == nil {
		return ""
	}
	return a.Intent.ClientOrderID(a.Tenant)
}

// orderID is the broker's id of its order; empty if it has none of its own.
func (a *Asked) orderID() string {
	if a.Outcome == nil || !a.books() {
		return ""
	}
	return a.Outcome.BrokerOrderID
}

// lifetime is how long it might still wait when it was published; negative if it came too
// late.
func (a *Asked) lifetime() time.Duration { return a.Intent.ExpiresAt.Sub(a.At) }

// Fill is how far an order was filled, and how it stands.
type Fill struct {
	Status   string           `json:"order_status,omitzero"` // the broker's word
	Qty      *decimal.Decimal `json:"filled_qty,omitempty"`
	AvgPrice *decimal.Decimal `json:"filled_avg_price,omitempty"`
}

// own are the updates of its order, without those of the legs that hang on it.
func (a *Asked) own() iter.Seq[*order.Update] {
	return func(yield func(*order.Update) bool) {
		for i := range a.Updates {
			if u := &a.Updates[i]; (a.orderID() == "" || u.BrokerOrderID == a.orderID()) && !yield(u) {
				return
			}
		}
	}
}

// told says whether the ledger has an update of its order. It has none of one that is open
// and was not filled.
func (a *Asked) told() bool {
	for range a.own() {
		return true
	}
	return false
}

// Filled is what the updates say of its order; zero without any.
func (a *Asked) Filled() Fill {
	var f Fill
	var paid, traded decimal.Decimal
	for u := range a.own() {
		if u.OrderStatus != "" {
			f.Status = u.OrderStatus
		}
		if u.FilledQty != nil {
			f.Qty = u.FilledQty
		}
		if u.Fills() && u.Price != nil && u.Qty != nil {
			paid, traded = paid.Add(u.Price.Mul(*u.Qty)), traded.Add(*u.Qty)
		}
	}
	if f.Qty != nil && f.Qty.IsPositive() && traded.Equal(*f.Qty) { // else there is a fill without a price
		average := paid.DivRound(traded, pricePlaces)
		f.AvgPrice = &average
	}
	return f
}

// pricePlaces is how fine an average price is.
const pricePlaces = 9

// What was asked, in a few words.
func (a *Asked) What() string {
	in := a.Intent
	switch {
	case in == nil:
		return "malformed"
	case in.Kind == order.KindOrder && in.Order != nil:
		return describe(in.Order)
	case in.Kind == order.KindClosePosition && in.Order != nil:
		return strings.Join(words("close", number(in.Order.Qty), in.Order.Symbol), " ")
	case in.Target != "":
		return fmt.Sprintf("%s %s", in.Kind, in.Target)
	}
	return string(in.Kind)
}

func describe(o *order.Order) string {
	amount := number(o.Qty)
	if o.Notional != nil {
		amount = "$" + o.Notional.String()
	}
	class := string(o.OrderClass)
	if o.OrderClass == order.Simple {
		class = ""
	}
	return strings.Join(words(string(o.Side), amount, o.Symbol, string(o.Type), number(o.LimitPrice), class), " ")
}

// words leaves out those that are empty.
func words(all ...string) []string {
	some := all[:0]
	for _, w := range all {
		if w != "" {
			some = append(some, w)
		}
	}
	return some
}

func number(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String()
}
