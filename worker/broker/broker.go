// Package broker says what a session needs of a broker, in the session's own
// words: a few calls, and typed verdicts instead of errors; and what those need who
// read the broker's books beside the session ([Books]). Adapters live elsewhere
// (worker/alpaca); every adapter passes the suites in brokertest.
package broker

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// Client is one tenant's line to its broker. It belongs to one goroutine: no
// method may be called while another runs.
//
// Calls that change something take notAfter: if that moment has passed when the
// request is about to be written, nothing is written and the verdict is Expired.
// A zero notAfter never passes. A cancelled ctx abandons the call: the verdict is
// then Unknown, or Unsent if no byte had left.
//
// A ctx of [WrittenBefore] holds for every call, be it one that changes nothing.
type Client interface {
	// Place submits an order under clientOrderID.
	Place(ctx context.Context, clientOrderID string, o *order.Order, notAfter time.Time) Verdict
	// Replace asks for a changed order in the place of brokerOrderID, under a new clientOrderID.
	Replace(ctx context.Context, brokerOrderID, clientOrderID string, o *order.Order, notAfter time.Time) Verdict
	// Cancel requests the end of one order. Accepted means requested, not done.
	Cancel(ctx context.Context, brokerOrderID string, notAfter time.Time) Verdict
	// CancelAll requests the end of every open order of the account;
	// [Verdict.Canceled] lists what the broker said of each.
	CancelAll(ctx context.Context, notAfter time.Time) Verdict

	// ByClientID looks an order up: Found with Verdict.Order, or NotFound.
	ByClientID(ctx context.Context, clientOrderID string) Verdict
	// ByID looks an order up by the broker's id.
	ByID(ctx context.Context, brokerOrderID string) Verdict
	// Position looks up what the account holds: Found with Verdict.Position, or NotFound.
	Position(ctx context.Context, symbol string) Verdict

	// Close ends the line for good: its connection is closed, and its copy of the tenant's
	// keys is overwritten. A later call sends nothing. Closing twice is harmless.
	Close()
}

type writtenBefore struct{}

// WrittenBefore returns a context whose calls have their requests written before a time, or not
// at all: then the verdict is Expired.
func WrittenBefore(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, writtenBefore{}, t)
}

// NotAfter is the earlier one of a call's notAfter and what its ctx says; zero never passes.
func NotAfter(ctx context.Context, notAfter time.Time) time.Time {
	t, ok := ctx.Value(writtenBefore{}).(time.Time)
	if ok && (notAfter.IsZero() || t.Before(notAfter)) {
		return t
	}
	return notAfter
}

// VerdictKind is what an answer, or the lack of one, proves.
type VerdictKind uint8

// The verdicts. The zero value is Unknown: what was not understood proves nothing.
const (
	// Unknown: the request may have been booked. Look it up; never guess.
	Unknown VerdictKind = iota
	// Accepted: the broker booked the request. Verdict.Order is what it booked; its
	// status may already be an end.
	Accepted
	// Found: the lookup found it.
	Found
	// NotFound: the broker itself, not a gateway before it, says that it has no such
	// thing. Lookups and Cancel only.
	NotFound
	// Rejected: the broker refused and booked nothing. Without an HTTPStatus the call
	// itself was malformed (an empty id, say) and was not sent.
	Rejected
	// RetryAfter: the broker refused for now (429) and booked nothing; see Verdict.Wait.
	RetryAfter
	// Unsent: not one byte of the request left; sending it again is safe.
	Unsent
	// Expired: notAfter had passed; not one byte left.
	Expired
)

// Verdict is an answer of the broker, understood.
type Verdict struct {
	Kind VerdictKind

	HTTPStatus int    // 0 without an answer
	Code       int    // the broker's code, 0 without one
	Message    string // the broker's words, or what went wrong, without secrets
	RequestID  string // the broker's X-Request-ID

	// Wait is how long the broker asks us to stay away; 0 if it did not say.
	Wait time.Duration

	Submitted time.Time // when the request was about to be written; zero if it was not
	Answered  time.Time // when the answer had been read; zero without one

	Order    *Order          // Place, Replace, ByClientID, ByID
	Position *Position       // Position
	Canceled []CanceledOrder // CancelAll
	Limits   Limits          // what the answer said of the rate limit
}

// Order is an order as the broker shows it.
type Order struct {
	ID            string
	ClientOrderID string
	AssetID       string
	AssetClass    string // us_equity, us_option, crypto
	Status        string
	ReplacedBy    string // broker order id, empty if not replaced
	Replaces      string
	FilledQty     decimal.Decimal
	Created       time.Time // by the broker's clock; zero if it did not say
	// Order holds the fields that were asked for, as the broker booked them.
	order.Order
}

// Position is what an account holds of one asset. Qty is negative for a short one.
type Position struct {
	Symbol     string
	AssetClass string
	Qty        decimal.Decimal
	// Available is the part of Qty that no open order holds.
	Available decimal.Decimal
}

// CanceledOrder is one line of a cancel-all answer.
type CanceledOrder struct {
	ID     string
	Status int // HTTP status for this order
}

// Limits is the rate limit as an answer's headers state it: so many requests of so many
// remain, until all are there again. Zero if the headers do not say all three.
type Limits struct {
	Limit, Remaining int
	// Reset counts from the answer, by the broker's own clock; never negative.
	Reset time.Duration
}
