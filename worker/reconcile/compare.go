package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// Account is what a tenant's broker shows.
type Account struct {
	// Orders are those to compare; legs are nested in the orders on which they hang.
	Orders []broker.Record
	// Inherited is what of some replacements was filled before they took their places, if the
	// broker counts that in; by the broker's ids.
	Inherited map[string]decimal.Decimal
	// Absent are the broker's ids of orders that it should know, and does not.
	Absent []string
	// Positions are all that it holds.
	Positions []broker.Position
	// Told is since when the ledger tells everything; zero if it always did. From what was
	// before nothing follows, nor from what the account holds.
	Told time.Time
}

// Compare says in what a tenant's book and its account at the broker differ: what stands in
// one of them alone, or in another way. It does not know what is under way between the two;
// see [Stable].
func Compare(b *Book, a *Account) []inquiry.Difference {
	c := comparison{book: b, account: a, shown: a.index(), foreign: make(map[string]decimal.Decimal), untold: make(map[string]decimal.Decimal)}
	for i := range a.Orders {
		c.order(&a.Orders[i])
	}
	for _, id := range a.Absent {
		c.absent(id)
	}
	if a.Told.IsZero() {
		c.positions(a.Positions)
	}
	slices.SortStableFunc(c.found, func(x, y inquiry.Difference) int {
		return cmp.Or(cmp.Compare(x.IntentSeq, y.IntentSeq), strings.Compare(x.BrokerOrderID, y.BrokerOrderID),
			strings.Compare(x.Symbol, y.Symbol), strings.Compare(string(x.Kind), string(y.Kind)))
	})
	return c.found
}

// comparison is one under way.
type comparison struct {
	book    *Book
	account *Account
	shown   map[string]*broker.Record // all orders of the account, by the broker's ids
	found   []inquiry.Difference
	// foreign and untold are what fills amount to that the ledger does not tell, by the
	// symbols of positions: of orders that nobody asked the fleet for, and of its own.
	foreign, untold map[string]decimal.Decimal
}

// order compares an order at the broker, and what hangs on it.
func (c *comparison) order(r *broker.Record) {
	if r.Submitted.Before(c.account.Told) {
		return
	}
	en, request := c.book.orders[r.ID], c.book.asked[r.ClientOrderID]
	tenant, _, named := order.ParseClientOrderID(r.ClientOrderID)
	ours := named && tenant == c.book.tenant
	if en == nil && !ours {
		en = c.successor(r) // somebody replaced it by hand
	}
	d := about(r)
	switch {
	case en != nil && (en.request != nil || !ours): // the ledger tells why it is there
		c.course(r, en)
		return
	case en != nil && request == nil && !c.account.Told.IsZero() && r.Submitted.Before(c.account.Told.Add(skew)):
		c.course(r, en) // its intent may be older than what was read
		return
	case !ours:
		d.Kind = inquiry.ForeignOrder
		d.Message = fmt.Sprintf("an order that is not the fleet's (%s, %s of it filled)", r.Status, r.FilledQty)
	case request == nil:
		d.Kind = inquiry.UnaskedOrder
		d.Message = fmt.Sprintf("an order under a client order id of ours that no intent on the ledger asked for (%s, %s of it filled)", r.Status, r.FilledQty)
	case request.status == order.Accepted:
		d.Kind = inquiry.SecondOrder
		d.Message = fmt.Sprintf("a second order under one client order id: the outcome tells of order %s", request.order)
	case request.waiting > 0:
		if en != nil {
			c.course(r, en)
		}
		return // it is under way: its outcome comes
	default:
		d.Kind = inquiry.DespiteOutcome
		d.Message = fmt.Sprintf("the outcome is %s, and the broker has the order (%s, %s of it filled)", request.status, r.Status, r.FilledQty)
	}
	if request != nil {
		d.IntentID, d.IntentSeq, d.OutcomeSeq = request.intent, request.seq, request.outcome
	}
	if en == nil {
		c.stray(r)
	} else {
		d.UpdateSeq = en.update
		c.course(r, en) // what it did, a follower wrote all the same
	}
	c.found = append(c.found, d)
}

// maxReplacements bounds how far a chain of replaced orders is followed.
const maxReplacements = 100

// successor is the entry of an order that took the place of one of ours, of which the ledger
// does not tell; nil if it did not.
func (c *comparison) successor(r *broker.Record) *entry {
	for range maxReplacements {
		if r.Replaces == "" {
			return nil
		}
		if old := c.book.orders[r.Replaces]; old != nil {
			en := new(entry)
			en.descend(old)
			return en
		}
		if r = c.shown[r.Replaces]; r == nil {
			return nil
		}
	}
	return nil
}

// about is a difference about an order at the broker.
func about(r *broker.Record) inquiry.Difference {
	return inquiry.Difference{Symbol: r.Symbol, BrokerOrderID: r.ID, ClientOrderID: r.ClientOrderID}
}

// stray counts what an order that the ledger does not tell of changed in the positions.
func (c *comparison) stray(r *broker.Record) {
	if r.Symbol != "" && !r.FilledQty.IsZero() {
		symbol := plain(r.Symbol)
		c.foreign[symbol] = c.foreign[symbol].Add(signed(r.Side, r.FilledQty))
	}
	for i := range r.Nested {
		c.stray(&r.Nested[i])
	}
}

// course compares what became of an order of ours, and of those that hang on it: what the
// ledger tells of it, and what the broker shows.
func (c *comparison) course(r *broker.Record, en *entry) {
	d := about(r)
	d.IntentID, d.UpdateSeq = en.intent, en.update
	if en.request != nil {
		d.IntentSeq, d.OutcomeSeq = en.request.seq, en.request.outcome
	}
	c.filled(d, r, en)
	c.over(d, r, en)
	if r.OrderClass == order.MultiLeg {
		return // it is one order
	}
	for i := range r.Nested {
		leg := &r.Nested[i]
		var known entry
		if told := c.book.orders[leg.ID]; told != nil {
			known = *told
		}
		known.descend(en)
		c.course(leg, &known)
	}
}

// filled compares how much of an order is filled.
func (c *comparison) filled(d inquiry.Difference, r *broker.Record, en *entry) {
	missing, told := c.account.missing(r, en).sum(), en.fills.end()
	switch {
	case missing.IsPositive():
		told = r.FilledQty.Sub(missing)
		d.Kind = inquiry.MissingFill
		d.Message = fmt.Sprintf("fills of %s are not on the ledger", missing)
	case told.GreaterThan(r.FilledQty):
		d.Kind = inquiry.ExcessFill
		d.Message = fmt.Sprintf("the ledger tells of fills of %s that the broker does not show", told.Sub(r.FilledQty))
	default:
		return
	}
	c.book.trade(c.untold, en, r.Symbol, r.Side, r.FilledQty.Sub(told))
	d.Expected, d.Found = &told, &r.FilledQty
	c.found = append(c.found, d)
}

// missing is what the ledger does not tell of an order's fills.
func (a *Account) missing(r *broker.Record, en *entry) spans {
	return en.fills.holes(span{a.Inherited[r.ID], r.FilledQty})
}

// over compares how an order ended.
func (c *comparison) over(d inquiry.Difference, r *broker.Record, en *entry) {
	end := endOf(r)
	switch {
	case end == en.ended:
		return
	case en.ended == "" && end == order.EventFill && len(c.account.missing(r, en)) > 0:
		return // the fill that is missing is the end
	case en.ended == "":
		d.Kind = inquiry.MissingEnd
		d.Message = fmt.Sprintf("the order is %s, and the ledger does not tell", r.Status)
	default:
		d.Kind = inquiry.ContraryEnd
		d.Message = fmt.Sprintf("the ledger tells of the end %q, and the broker says that the order is %s", en.ended, r.Status)
	}
	c.found = append(c.found, d)
}

// endOf is the event that ended an order; empty if it is open.
func endOf(r *broker.Record) string {
	switch {
	case !r.Over():
		return ""
	case r.Status == "filled":
		return order.EventFill
	}
	return r.Status
}

// absent reports an order that the broker does not know.
func (c *comparison) absent(id string) {
	en := c.book.orders[id]
	if en == nil {
		return
	}
	d := inquiry.Difference{
		Kind: inquiry.MissingOrder, BrokerOrderID: id, ClientOrderID: en.client, IntentID: en.intent, UpdateSeq: en.update,
		Message: "the broker accepted the order, as its outcome says, and does not know it",
	}
	if en.request != nil {
		d.IntentSeq, d.OutcomeSeq = en.request.seq, en.request.outcome
	}
	c.found = append(c.found, d)
}

// positions compares what the account holds with what all fills amount to, those included
// that are missing on the ledger and reported as such.
func (c *comparison) positions(held []broker.Position) {
	found := make(map[string]broker.Position, len(held))
	symbols := make(map[string]struct{})
	for _, p := range held {
		found[plain(p.Symbol)] = p
		symbols[plain(p.Symbol)] = struct{}{}
	}
	for symbol := range c.book.held {
		symbols[symbol] = struct{}{}
	}
	for symbol := range c.untold {
		symbols[symbol] = struct{}{}
	}
	for symbol := range symbols {
		expected, qty := c.book.held[symbol].Add(c.untold[symbol]), found[symbol].Qty
		if expected.Equal(qty) {
			continue
		}
		d := inquiry.Difference{Kind: inquiry.PositionOff, Symbol: symbol, Expected: &expected, Found: &qty}
		rest := qty.Sub(expected)
		d.Message = fmt.Sprintf("the account holds %s more than the fleet's orders made", rest)
		if rest.IsNegative() {
			d.Message = fmt.Sprintf("the account holds %s less than the fleet's orders made", rest.Neg())
		}
		if by := c.foreign[symbol]; !by.IsZero() {
			d.Message += fmt.Sprintf("; orders that the ledger does not tell of made %s of it", by)
		}
		c.found = append(c.found, d)
	}
}

// Stable are the differences of two comparisons that both show, alike. What was under way
// during one of them, the other sees done.
func Stable(first, second []inquiry.Difference) []inquiry.Difference {
	seen := make(map[sign]struct{}, len(first))
	for i := range first {
		seen[signOf(&first[i])] = struct{}{}
	}
	var both []inquiry.Difference
	for i := range second {
		if _, ok := seen[signOf(&second[i])]; ok {
			both = append(both, second[i])
		}
	}
	return both
}

// sign is what makes a difference the same at another time.
type sign struct {
	kind            inquiry.DifferenceKind
	order, symbol   string
	expected, found string
}

func signOf(d *inquiry.Difference) sign {
	s := sign{kind: d.Kind, order: d.BrokerOrderID, symbol: d.Symbol}
	if d.Expected != nil {
		s.expected, s.found = d.Expected.String(), d.Found.String()
	}
	return s
}
