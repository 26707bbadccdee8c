package risk

import (
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// Refusal says which rule does not let an order go.
type Refusal struct {
	Rule string
	// Limit and Value are for people: what is set, and what this order comes to or why that
	// is not known.
	Limit, Value string
}

func refusal(limit, format string, args ...any) *Refusal {
	return &Refusal{Limit: limit, Value: fmt.Sprintf(format, args...)}
}

// String is the refusal without its rule, which stands beside it.
func (r *Refusal) String() string { return fmt.Sprintf("limit %s, %s", r.Limit, r.Value) }

// Prices are reference prices. Safe for concurrent use.
type Prices interface {
	Quote(symbol string) (price.Quote, bool)
}

// Holding is what an account holds of a symbol.
type Holding struct {
	// Qty is negative for a short position.
	Qty decimal.Decimal
	// Free is the part of Qty, never negative, that no open order would take from it.
	Free decimal.Decimal
}

// Ask is an order that is to be placed.
type Ask struct {
	Kind order.Kind // order, replace or close_position
	ID   string     // client order id
	// Seq is the intent's, and the limits of floods are about it.
	Seq uint64
	// Order is what would be at the broker: of a replace, the order as it would be changed.
	// Nil where that is not known yet; then only early rules can be checked.
	Order *order.Order
	// Target is the order that a replace changes, as it stands at the broker.
	Target *broker.Order
}

// Query is a question whether an order may go, and all that the answer depends on.
type Query struct {
	Ask
	Now    time.Time
	Prices Prices // nil: there are none
	// Book, Flood, Holdings have to be there if [Rules] say that they are needed.
	Book     *Book
	Flood    *Flood
	Holdings map[string]Holding

	rules  *Rules // those that are asked
	limits *tenant.Limits
	count  *order.Counted // see counted
	worth  *worth         // see worthOf
}

// Rules are those of the table that a tenant's terms set. They do not change. Nil is none.
type Rules struct {
	terms *tenant.Terms
	early []*rule
	all   []*rule
	scope Scope
	hours []func(time.Time) bool
	// The canonical symbols of lists.
	allowed, restricted map[string]struct{}
}

// Compile finds the rules that terms set; nil if there are none.
func Compile(t *tenant.Terms) *Rules {
	r := &Rules{terms: t}
	for i := range table {
		one := &table[i]
		if !one.set(t) {
			continue
		}
		r.all = append(r.all, one)
		if one.early {
			r.early = append(r.early, one)
		}
		if one.counts != nil {
			r.scope = r.scope.and(one.counts(&t.Limits))
		}
	}
	if len(r.all) == 0 {
		return nil
	}
	for i := range t.Limits.Hours {
		r.hours = append(r.hours, t.Limits.Hours[i].Opening())
	}
	r.allowed, r.restricted = setOf(t.Limits.Allowed), setOf(t.Limits.Restricted)
	return r
}

func setOf(symbols []string) map[string]struct{} {
	set := make(map[string]struct{}, len(symbols))
	for _, s := range symbols {
		set[order.Canonical(s)] = struct{}{}
	}
	return set
}

// Scope is what a book has to count for the rules; nothing if it needs to be none.
func (r *Rules) Scope() Scope {
	if r == nil {
		return Scope{}
	}
	return r.scope
}

// Floods says that a rule needs [Query].Flood.
func (r *Rules) Floods() bool { return r != nil && len(r.early) > 0 }

// Admit checks what needs no more than to know where an intent stands on the ledger.
func (r *Rules) Admit(q *Query) *Refusal {
	if r == nil {
		return nil
	}
	return r.check(q, r.early)
}

// Check says which rule refuses an order; nil if it may go.
func (r *Rules) Check(q *Query) *Refusal {
	if r == nil {
		return nil
	}
	if q.Book != nil {
		q.Book.advance(q.Now)
	}
	return r.check(q, r.all)
}

func (r *Rules) check(q *Query, rules []*rule) *Refusal {
	q.rules, q.limits = r, &r.terms.Limits
	for _, one := range rules {
		if q.Kind == order.KindClosePosition && !one.closes {
			continue
		}
		if no := one.check(q); no != nil {
			no.Rule = one.name
			return no
		}
	}
	return nil
}

// Holdings are the symbols whose positions the rules have to know.
func (r *Rules) Holdings(q *Query) (symbols []string) {
	if r == nil || q.Kind == order.KindClosePosition {
		return nil
	}
	q.rules, q.limits = r, &r.terms.Limits
	for _, one := range r.all {
		if one.holdings != nil {
			symbols = append(symbols, one.holdings(q)...)
		}
	}
	return symbols
}

// Count is what the order is counted as, once it goes.
func (r *Rules) Count(q *Query) *order.Counted {
	if r == nil || r.scope.Empty() {
		return nil
	}
	q.rules, q.limits = r, &r.terms.Limits
	return q.counted()
}

// Frees says that what is known to have ended since may let an order go that was refused.
func (r *Refusal) Frees() bool { return r.Rule == RuleOpenOrders || r.Rule == RuleCredit }
