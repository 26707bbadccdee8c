package risk

import (
	"fmt"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// rule is one pre-trade check. To add one, add a line to the table below, and to the limits
// ([tenant.Limits]) what sets it.
type rule struct {
	// name is the outcome's rule.
	name string
	// set says that the terms have such a limit.
	set func(t *tenant.Terms) bool
	// counts is what the tenant's book has to count for it.
	counts func(l *tenant.Limits) Scope
	// holdings are the symbols whose position at the broker it has to know.
	holdings func(q *Query) []string
	// early: it needs to know no more than where the intent stands on the ledger.
	early bool
	// closes: it binds closes of a position as well. What bounds how much risk is taken does
	// not: a close only takes from it.
	closes bool
	// check says what is wrong, by the limit and the value; nil if nothing is. Both are texts
	// for people: 60, and "this would be 61".
	check func(q *Query) *Refusal
}

// The names of the rules, as outcomes have them.
const (
	RuleBacklog           = "backlog"
	RulePublishRate       = "publish_rate"
	RuleReduceOnly        = "reduce_only"
	RuleAllowedSymbols    = "allowed_symbols"
	RuleRestrictedSymbols = "restricted_symbols"
	RuleOrderTypes        = "order_types"
	RuleTradingHours      = "trading_hours"
	RuleMaxQty            = "max_qty"
	RuleMaxNotional       = "max_notional"
	RulePriceCollar       = "price_collar"
	RuleNoShort           = "no_short"
	RuleDuplicateContent  = "duplicate_content"
	RuleOrdersPerSecond   = "orders_per_second"
	RuleOrdersPerMinute   = "orders_per_minute"
	RuleOrdersPerDay      = "orders_per_day"
	RuleNotionalPerSecond = "notional_per_second"
	RuleNotionalPerMinute = "notional_per_minute"
	RuleNotionalPerDay    = "notional_per_day"
	RuleOpenOrders        = "open_orders"
	RuleCredit            = "credit"
)

// table is all of them, in the order in which they are checked: the first that refuses is told.
var table = []rule{
	{
		name: RuleBacklog, early: true, closes: true,
		set:   func(t *tenant.Terms) bool { return t.Limits.MaxBacklog > 0 },
		check: func(q *Query) *Refusal { return q.Flood.backlog(q.Seq, q.limits.MaxBacklog) },
	},
	{
		name: RulePublishRate, early: true, closes: true,
		set:   func(t *tenant.Terms) bool { return t.Limits.PublishesPerMinute > 0 },
		check: func(q *Query) *Refusal { return q.Flood.rate(q.Seq, q.limits.PublishesPerMinute) },
	},
	{ // The switch: only what shrinks a position, by what no open order shrinks it by already.
		name:     RuleReduceOnly,
		set:      func(t *tenant.Terms) bool { return slices.ContainsFunc(t.Switches, reduces) },
		holdings: func(q *Query) []string { return q.reduceSymbols() },
		check:    func(q *Query) *Refusal { return q.shrinks() },
	},
	{ // An option is allowed by its own symbol only.
		name: RuleAllowedSymbols, closes: true,
		set:   func(t *tenant.Terms) bool { return t.Limits.Allowed != nil },
		check: func(q *Query) *Refusal { return q.eachSymbol(q.allowed) },
	},
	{ // A symbol that is restricted restricts the options on it.
		name: RuleRestrictedSymbols, closes: true,
		set:   func(t *tenant.Terms) bool { return len(t.Limits.Restricted) > 0 },
		check: func(q *Query) *Refusal { return q.eachSymbol(q.restricted) },
	},
	{ // A close is a market order. The legs of brackets are not looked at.
		name: RuleOrderTypes, closes: true,
		set: func(t *tenant.Terms) bool { return t.Limits.Types != nil },
		check: func(q *Query) *Refusal {
			if typ := q.Order.Type; !slices.Contains(q.limits.Types, typ) {
				return refusal(fmt.Sprint(q.limits.Types), "this is %s", typ)
			}
			return nil
		},
	},
	{
		name: RuleTradingHours, closes: true,
		set: func(t *tenant.Terms) bool { return len(t.Limits.Hours) > 0 },
		check: func(q *Query) *Refusal {
			for i := range q.limits.Hours {
				if h := &q.limits.Hours[i]; !q.rules.hours[i](q.Now) {
					return refusal(fmt.Sprintf("%s %s-%s %s", h.Days, h.From, h.Until, h.Zone), "it is %s", q.Now.UTC().Format(time.RFC3339))
				}
			}
			return nil
		},
	},
	{ // Of a multi-leg order, contracts of its largest leg; of a notional one, what that buys.
		name: RuleMaxQty,
		set:  func(t *tenant.Terms) bool { return t.Limits.MaxQty != nil },
		check: func(q *Query) *Refusal {
			qty, unknown := q.size()
			return q.atMost(*q.limits.MaxQty, qty, unknown, "this is %s")
		},
	},
	{
		name: RuleMaxNotional,
		set:  func(t *tenant.Terms) bool { return t.Limits.MaxNotional != nil },
		check: func(q *Query) *Refusal {
			return q.atMost(*q.limits.MaxNotional, q.dollars(), q.unpriced(), "this is %s")
		},
	},
	{ // Also for a market order: it trades at what nobody has stated.
		name:  RulePriceCollar,
		set:   func(t *tenant.Terms) bool { return t.Limits.CollarPercent != nil },
		check: func(q *Query) *Refusal { return q.collar() },
	},
	{
		name:     RuleNoShort,
		set:      func(t *tenant.Terms) bool { return t.Limits.NoShort },
		holdings: func(q *Query) []string { return q.sold() },
		check:    func(q *Query) *Refusal { return q.covered() },
	},
	{
		name: RuleDuplicateContent, closes: true,
		set:    func(t *tenant.Terms) bool { return t.Limits.DuplicateWindow > 0 },
		counts: func(l *tenant.Limits) Scope { return Scope{Content: time.Duration(l.DuplicateWindow)} },
		check: func(q *Query) *Refusal {
			if q.Kind == order.KindReplace { // which has the content of what it replaces
				return nil
			}
			if at, ok := q.Book.same(q.counted()); ok {
				return refusal("one in "+time.Duration(q.limits.DuplicateWindow).String(), "the same symbol, side and size went out %s ago", q.Now.Sub(at).Round(time.Millisecond))
			}
			return nil
		},
	},
	{
		name: RuleOrdersPerSecond, closes: true,
		set:    func(t *tenant.Terms) bool { return t.Limits.OrdersPerSecond > 0 },
		counts: func(*tenant.Limits) Scope { return Scope{Span: time.Second} },
		check:  func(q *Query) *Refusal { return q.oneMore(q.limits.OrdersPerSecond, q.Book.orders(time.Second)) },
	},
	{
		name: RuleOrdersPerMinute, closes: true,
		set:    func(t *tenant.Terms) bool { return t.Limits.OrdersPerMinute > 0 },
		counts: func(*tenant.Limits) Scope { return Scope{Span: time.Minute} },
		check:  func(q *Query) *Refusal { return q.oneMore(q.limits.OrdersPerMinute, q.Book.orders(time.Minute)) },
	},
	{
		name: RuleOrdersPerDay, closes: true,
		set:    func(t *tenant.Terms) bool { return t.Limits.OrdersPerDay > 0 },
		counts: func(*tenant.Limits) Scope { return Scope{Day: true} },
		check:  func(q *Query) *Refusal { return q.oneMore(q.limits.OrdersPerDay, q.Book.ordersToday()) },
	},
	{
		name:   RuleNotionalPerSecond,
		set:    func(t *tenant.Terms) bool { return t.Limits.NotionalPerSecond != nil },
		counts: func(*tenant.Limits) Scope { return Scope{Span: time.Second} },
		check: func(q *Query) *Refusal {
			return q.more(*q.limits.NotionalPerSecond, q.dollars(), q.Book.notional(time.Second))
		},
	},
	{
		name:   RuleNotionalPerMinute,
		set:    func(t *tenant.Terms) bool { return t.Limits.NotionalPerMinute != nil },
		counts: func(*tenant.Limits) Scope { return Scope{Span: time.Minute} },
		check: func(q *Query) *Refusal {
			return q.more(*q.limits.NotionalPerMinute, q.dollars(), q.Book.notional(time.Minute))
		},
	},
	{
		name:   RuleNotionalPerDay,
		set:    func(t *tenant.Terms) bool { return t.Limits.NotionalPerDay != nil },
		counts: func(*tenant.Limits) Scope { return Scope{Day: true} },
		check: func(q *Query) *Refusal {
			return q.more(*q.limits.NotionalPerDay, q.dollars(), q.Book.notionalToday())
		},
	},
	{ // A bracket is three orders, OCO and OTO two. A replacement takes the place of another.
		name: RuleOpenOrders, closes: true,
		set:    func(t *tenant.Terms) bool { return t.Limits.OpenOrders > 0 },
		counts: func(*tenant.Limits) Scope { return Scope{Open: true} },
		check: func(q *Query) *Refusal {
			adds, would := q.Book.openWith(q.ID, q.counted())
			if adds > 0 && would > q.limits.OpenOrders {
				return refusal(fmt.Sprint(q.limits.OpenOrders), "this would be %d", would)
			}
			return nil
		},
	},
	{ // What adds nothing passes, also where there is too much.
		name: RuleCredit,
		set:  func(t *tenant.Terms) bool { return t.Limits.Credit != nil },
		counts: func(*tenant.Limits) Scope {
			return Scope{Day: true, Open: true}
		},
		check: func(q *Query) *Refusal {
			adds, would, unknown := q.Book.creditWith(q.ID, q.counted(), q.Target, q.limits.NoShort)
			switch {
			case adds.unknown > 0 && q.unpriced() != "":
				unknown = q.unpriced()
			case adds.unknown <= 0 && !adds.dollars.IsPositive():
				return nil
			}
			return q.atMost(*q.limits.Credit, would, unknown, "this would be %s")
		},
	},
}

func reduces(s tenant.Switch) bool { return s.Mode == tenant.ReduceOnly }

// atMost refuses what is above a limit, or not known: then unknown says why.
func (q *Query) atMost(limit, value decimal.Decimal, unknown, says string) *Refusal {
	switch {
	case unknown != "":
		return refusal(limit.String(), "%s", unknown)
	case value.GreaterThan(limit):
		return refusal(limit.String(), says, value)
	}
	return nil
}

// oneMore refuses one more order than a limit.
func (q *Query) oneMore(limit, have int) *Refusal {
	if have >= limit {
		return refusal(fmt.Sprint(limit), "this would be %d", have+1)
	}
	return nil
}

// more refuses more dollars than a limit.
func (q *Query) more(limit, dollars decimal.Decimal, have sum) *Refusal {
	unknown := q.unpriced()
	if unknown == "" && have.unpriced > 0 {
		unknown = fmt.Sprintf("what %d of the orders before were worth is not known", have.unpriced)
	}
	return q.atMost(limit, have.dollars.Add(dollars), unknown, "this would be %s")
}
