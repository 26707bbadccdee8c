package proof

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// checkIntent holds the outcome of an intent against what the broker has.
func (c *checker) checkIntent(in *Intent) {
	o := c.answered[key{in.Tenant, in.Seq}]
	if o == nil {
		c.find(MissingOutcome, "intent %d of %s (%s) has no outcome", in.Seq, in.Tenant, in.ID)
		return
	}
	c.checkNames(in, o)
	cl := c.claims[in.ClientOrderID(in.Tenant)]
	if cl == nil {
		cl = &claim{} // without an id
	}
	if first := cl.firstUse(in); first != nil && o.Status != order.Duplicate && o.Status != order.Invalid {
		c.find(Repeated, "intent %d of %s has the id of %d, and ended as %s", in.Seq, in.Tenant, first.Seq, o.Status)
	}
	switch o.Status {
	case order.Accepted:
		if Books(in.Kind) {
			c.checkAccepted(in, o, cl)
		}
	case order.Rejected:
		if !c.refused(in, o, cl) {
			c.find(NeverRefused, "intent %d of %s ended as rejected (%d %s), but the broker refused no request so", in.Seq, in.Tenant, o.HTTPStatus, o.Message)
		}
	case order.Blocked, order.Invalid:
		c.checkUntouched(in, o, cl)
	case order.Failed:
		c.checkFailed(in, o, cl)
	case order.Expired:
		if early := in.ExpiresAt.Sub(o.At); early > c.h.Slack && !o.At.IsZero() {
			c.find(Early, "intent %d of %s ended as expired %s before its time", in.Seq, in.Tenant, early)
		}
	case order.Duplicate: // an order of its own is denied, see explain
	}
}

// touched says that the broker got a request for an intent that had none, by its outcome. One
// that is blocked may have had some that came to nothing before a rule refused the next: its
// worker's, of which the outcome tells, or an earlier owner's, written before it was taken up.
func (c *checker) touched(o *Outcome, cl *claim) bool {
	if o.Status != order.Blocked || len(cl.bookings) > 0 {
		return len(cl.arrivals) > 0
	}
	return o.Attempts == 0 && slices.ContainsFunc(cl.arrivals, func(a *Arrival) bool { return a.Time.Sub(o.Received) > c.h.Slack })
}

// checkUntouched: what ended before any request has a reason, and saw none.
func (c *checker) checkUntouched(in *Intent, o *Outcome, cl *claim) {
	if in.Kind == order.KindOrder && len(cl.intents) == 1 && c.touched(o, cl) {
		c.find(Touched, "intent %d of %s ended as %s, but the broker got a request for it", in.Seq, in.Tenant, o.Status)
	}
	switch {
	case o.Status == order.Invalid && in.valid():
		c.find(NeverInvalid, "intent %d of %s ended as invalid (%s), but reads and validates", in.Seq, in.Tenant, o.Message)
	case o.Status == order.Blocked && c.h.Expect.Unblocked && in.Kind != order.KindClosePosition && !c.blocks(in, o): // a close may be blocked by its position
		c.find(NeverBlocked, "intent %d of %s was blocked by %q (%s)", in.Seq, in.Tenant, o.Rule, o.Message)
	}
}

// blocks says that a rule of the fleet's own may have held an intent back.
func (c *checker) blocks(in *Intent, o *Outcome) bool {
	for mode, rule := range refuses {
		if o.Rule == rule {
			return c.switched(mode, in, o)
		}
	}
	return c.limited(in, o)
}

// checkFailed lists an intent that somebody must look at. Two things make one: its time was
// over before the broker could be asked, or the broker has something else under its id.
func (c *checker) checkFailed(in *Intent, o *Outcome, cl *claim) {
	if c.Failed++; len(c.Failures) < maxFindings {
		c.Failures = append(c.Failures, fmt.Sprintf("intent %d of %s (%s %s): %s", in.Seq, in.Tenant, in.Kind, in.ID, o.Message))
	}
	other := len(cl.bookings) > 0 && Differences(&in.Intent, cl.bookings[0]) != ""
	if early := in.ExpiresAt.Sub(o.At); early > c.h.Slack && !o.At.IsZero() && !other && c.h.Expect.Credentials {
		c.find(GaveUp, "intent %d of %s ended as failed %s before it expired: %s", in.Seq, in.Tenant, early, o.Message)
	}
}

// firstUse is the intent that used an intent's id before it; nil if none did.
func (cl *claim) firstUse(in *Intent) *Intent {
	for _, other := range cl.intents {
		if other.ID == in.ID && other.Seq < in.Seq {
			return other
		}
	}
	return nil
}

// checkNames holds the names in an outcome against its intent.
func (c *checker) checkNames(in *Intent, o *Outcome) {
	if o.IntentID != in.ID {
		c.find(Misnamed, "outcome %d of %s names %q; intent %d is %q", o.Seq, o.Tenant, o.IntentID, in.Seq, in.ID)
	}
	if id := in.ClientOrderID(in.Tenant); Books(in.Kind) && o.Status == order.Accepted && o.ClientOrderID != id {
		c.find(Misnamed, "outcome %d of %s names the order %q, not %q", o.Seq, o.Tenant, o.ClientOrderID, id)
	}
	if o.Status == order.Duplicate {
		first := c.published[key{in.Tenant, o.DuplicateOf}]
		if first == nil || first.Seq >= in.Seq || first.ID != in.ID {
			c.find(Misnamed, "outcome %d of %s says that intent %d has the id of %d", o.Seq, o.Tenant, in.Seq, o.DuplicateOf)
		}
	}
}

// checkAccepted: the broker has the order, before the outcome, and it is what was asked.
func (c *checker) checkAccepted(in *Intent, o *Outcome, cl *claim) {
	if len(cl.bookings) == 0 {
		c.find(MissingOrder, "intent %d of %s was accepted, but the broker has no order %s", in.Seq, in.Tenant, in.ClientOrderID(in.Tenant))
		return
	}
	for _, other := range cl.intents {
		before := c.answered[key{other.Tenant, other.Seq}]
		if other.Seq < in.Seq && in.RetryOf == "" && before != nil && before.Status == order.Accepted && Books(other.Kind) {
			c.find(SharedOrder, "intents %d and %d of %s were both accepted for %s", other.Seq, in.Seq, in.Tenant, cl.bookings[0].ClientOrderID)
		}
	}
	b := cl.bookings[0]
	if o.At.Before(b.Received) && !o.At.IsZero() {
		c.find(Premature, "intent %d of %s was accepted %s before its request arrived", in.Seq, in.Tenant, b.Received.Sub(o.At))
	}
	if len(cl.bookings) == 1 && o.BrokerOrderID != b.OrderID {
		c.find(OtherOrder, "intent %d of %s was accepted as order %s, but the broker has %s", in.Seq, in.Tenant, o.BrokerOrderID, b.OrderID)
	}
	if diff := Differences(&in.Intent, b); diff != "" {
		c.find(OtherOrder, "intent %d of %s was accepted, but the broker booked it with another %s", in.Seq, in.Tenant, diff)
	}
}

// Differences names a field in which the broker booked something else than was asked; empty
// if there is none.
func Differences(in *order.Intent, b *Booking) string {
	asked := in.Order
	if asked == nil {
		return ""
	}
	switch {
	case in.Kind != order.KindReplace && b.Symbol != "" && !sameSymbol(asked.Symbol, b.Symbol):
		return "symbol: " + b.Symbol
	case in.Kind == order.KindOrder && asked.Side != "" && string(asked.Side) != b.Side:
		return "side: " + b.Side
	case in.Kind == order.KindOrder && string(asked.Type) != b.Type:
		return "type: " + b.Type
	case asked.Qty != nil && !sameNumber(asked.Qty, b.Qty):
		return "qty: " + b.Qty
	case asked.Notional != nil && !sameNumber(asked.Notional, b.Notional):
		return "notional: " + b.Notional
	}
	return ""
}

// sameSymbol: pairs go with and without a slash, and an asset may be asked for by its id.
func sameSymbol(asked, booked string) bool {
	plain := func(s string) string { return strings.ReplaceAll(s, "/", "") }
	return strings.Count(asked, "-") == 4 || strings.EqualFold(plain(asked), plain(booked))
}

func sameNumber(asked *decimal.Decimal, booked string) bool {
	d, err := decimal.NewFromString(booked)
	return err == nil && asked.Equal(d)
}

// refused says whether the broker refused a request for good, in the way that the outcome
// says. It keeps no record of requests whose keys it does not know, nor of lookups and
// cancels; a replace may be refused by the lookup of its target, and an order that may only
// shrink a position by the lookup of that.
func (c *checker) refused(in *Intent, o *Outcome, cl *claim) bool {
	switch status := o.HTTPStatus; {
	case status == 0: // it could not be put into a request
		return !c.h.Expect.Unblocked
	case !final(status):
		return false
	case in.Kind == order.KindCancel, in.Kind == order.KindCancelAll:
		return true
	case in.Kind != order.KindOrder && status == http.StatusNotFound:
		return true
	case c.switched(tenant.ReduceOnly, in, o): // the lookup of the position that has to shrink is
		return true
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && !c.h.Expect.Credentials:
		return true
	}
	return slices.ContainsFunc(cl.arrivals, func(a *Arrival) bool { return a.Status == o.HTTPStatus })
}

// final says whether a status refuses a request for good: asking again would change nothing.
func final(status int) bool {
	return status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// expires is when the last intent of an id expired; zero if that cannot be read.
func (cl *claim) expires() (last time.Time) {
	for _, in := range cl.intents {
		if in.ExpiresAt.After(last) {
			last = in.ExpiresAt
		}
	}
	return last
}
