package broker

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// Books is a tenant's second line to its broker, beside its session's: it reads what stands
// in the broker's books and follows what happens there, and can change nothing. It belongs
// to one goroutine, as a [Client] does, with a connection of its own.
//
// Every call makes one request, which counts against the tenant's rate limit; whoever calls
// leaves that to the tenant's orders. The verdict is Found if the broker answered, be the
// list empty, and otherwise as for the lookups of a [Client]; a list without Found is nil.
type Books interface {
	// Orders lists a page of orders, by the time of their submission.
	Orders(ctx context.Context, q OrdersQuery) ([]Record, Verdict)
	// Record looks up one order by the broker's id, with those nested in it: Found, or NotFound.
	Record(ctx context.Context, brokerOrderID string) (Record, Verdict)
	// Fills lists a page of what was traded, the latest first. What a broker lists may lag
	// behind what its orders say.
	Fills(ctx context.Context, q FillsQuery) ([]Fill, Verdict)
	// Positions lists all that the account holds.
	Positions(ctx context.Context) ([]Position, Verdict)

	// Follow opens the feed of what happens to the account's orders: Found with a feed,
	// which its caller closes. From then on nothing is left out until the feed ends; what
	// happened before is in the lists alone. Rejected says that the broker does not know
	// the tenant's keys, RetryAfter that too many connect.
	Follow(ctx context.Context) (Feed, Verdict)

	// Hangup closes the connection of the lists; the next call dials again. It leaves an
	// open feed alone.
	Hangup()
	// Close ends the line for good, as a [Client]'s; its feeds were closed before.
	Close()
}

// The most that a page lists. A page that is shorter than its limit is the last one.
const (
	MaxOrders = 500
	MaxFills  = 100
)

// OrdersState is which orders a list has.
type OrdersState string

// The states.
const (
	OpenOrders   OrdersState = "open"
	ClosedOrders OrdersState = "closed"
	AllOrders    OrdersState = "all"
)

// OrdersQuery asks for orders.
type OrdersQuery struct {
	State OrdersState
	// Nested lists legs in the orders that they hang on, and only there: those of an entry
	// that is filled are then not on a list of open orders. Otherwise legs are orders as
	// all others; only a multi-leg order has its legs nested always.
	Nested bool
	// Ascending lists the oldest first; otherwise it is the latest.
	Ascending bool
	// Before and After continue a list behind an order, by the broker's id: Before one that
	// descends, After one that ascends. Neither is to be had together with the times.
	Before, After string
	// Since and Until bound the time of submission, both exclusive; zero is no bound.
	Since, Until time.Time
	// Limit is 1 to MaxOrders; 0 is MaxOrders.
	Limit int
}

// FillsQuery asks for what was traded.
type FillsQuery struct {
	// Before continues a list behind a fill, by its ID.
	Before string
	// Since and Until bound the time of the trade; zero is no bound.
	Since, Until time.Time
	// Limit is 1 to MaxFills; 0 is MaxFills.
	Limit int
}

// Record is an order as it stands in the broker's books.
type Record struct {
	Order
	// FilledAvgPrice is the price of a share over all fills; nil before the first.
	FilledAvgPrice *decimal.Decimal
	Submitted      time.Time
	// Ended is when the order came to the end that its status names; zero for one that is
	// open, or if the broker did not say.
	Ended time.Time
	// Nested are the orders that hang on it: of a bracket, OCO or OTO order, or the legs of
	// a multi-leg one.
	Nested []Record
}

// Over says that nothing more can happen to the order.
func (r *Record) Over() bool {
	switch r.Status {
	case "filled", "canceled", "expired", "rejected", "replaced":
		return true
	}
	return false
}

// Fill is one trade of an order.
type Fill struct {
	ID      string // the broker's, in its list of fills
	OrderID string // broker order id
	Symbol  string
	Side    order.Side
	// Partial says that the order was not filled to its end with it.
	Partial    bool
	Price, Qty decimal.Decimal
	// Cum is what of the order was filled then, this trade included.
	Cum decimal.Decimal
	At  time.Time
}

// Feed is an open stream of what happens to an account's orders, in the broker's order.
type Feed interface {
	// Next waits for the next event. An error ends the feed: it was cut, it is silent, the
	// broker sent what cannot be read, or ctx ended. It says nothing of what was missed.
	Next(ctx context.Context) (Event, error)
	// Close ends the feed at once; Next, which may be waiting in another goroutine, then
	// fails. Closing twice is harmless.
	Close()
}

// Event is something that happened to an order.
type Event struct {
	Kind string // the broker's word: new, fill, partial_fill, canceled, ...
	At   time.Time
	// Price and Qty are of a fill.
	Price, Qty decimal.Decimal
	// Order is how it stood after the event.
	Order Record
}
