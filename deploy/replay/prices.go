package replay

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// prices is what the ledger knows of the market: at which prices orders were filled.
type prices struct {
	seen  []trade // by time
	fixed map[string]decimal.Decimal
}

// trade is a fill.
type trade struct {
	at     time.Time
	symbol string
	price  decimal.Decimal
}

// newPrices learns from all fills. Those that are fixed stay what they are.
func newPrices(all []*Asked, fixed map[string]decimal.Decimal) *prices {
	p := &prices{fixed: make(map[string]decimal.Decimal, len(fixed))}
	for symbol, price := range fixed {
		p.fixed[canonical(symbol)] = price
	}
	for _, a := range all {
		for _, u := range a.Updates {
			symbol := cmp.Or(canonical(u.Symbol), a.symbol())
			if _, given := p.fixed[symbol]; given || symbol == "" || u.Price == nil || !u.Price.IsPositive() {
				continue
			}
			p.seen = append(p.seen, trade{u.At, symbol, *u.Price})
		}
	}
	slices.SortStableFunc(p.seen, func(a, b trade) int { return a.at.Compare(b.at) })
	return p
}

// canonical is one way to write a symbol.
func canonical(symbol string) string { return strings.ToUpper(strings.TrimSpace(symbol)) }

// symbol is what its order is of; empty if it does not say.
func (a *Asked) symbol() string {
	if a.Intent == nil || a.Intent.Order == nil {
		return ""
	}
	return canonical(a.Intent.Order.Symbol)
}

// unknownPrice is that of an asset of which nothing is known but that it was traded.
var unknownPrice = decimal.NewFromInt(100)

// listings are the assets of a tenant's market as it begins: at the price of the first fill
// that is known, of anybody. An asset that no paper broker knows is listed if an order of the
// tenant's for it was accepted.
func (p *prices) listings(its []*Asked) []paper.Listing {
	first := maps.Clone(p.fixed)
	for _, t := range slices.Backward(p.seen) {
		first[t.symbol] = t.price
	}
	for _, a := range its {
		symbol := a.symbol()
		if _, known := first[symbol]; known || symbol == "" || a.Status() != order.Accepted || knows(symbol) {
			continue
		}
		first[symbol] = unknownPrice
		if limit := a.Intent.Order.LimitPrice; limit != nil && limit.IsPositive() {
			first[symbol] = *limit
		}
	}
	var all []paper.Listing
	for _, symbol := range slices.Sorted(maps.Keys(first)) {
		if !isOption(symbol) { // its price follows that of what it is on
			all = append(all, paper.Listing{Symbol: symbol, Price: first[symbol]})
		}
	}
	return all
}

// knows says whether every paper broker lists a symbol.
func knows(symbol string) bool { return anyBroker().Lists(symbol) }

var anyBroker = sync.OnceValue(func() *paper.Broker { return paper.New(paper.Config{}) })

// isOption says whether a symbol is an option's: a root, a date, C or P, and eight digits.
func isOption(symbol string) bool {
	n := len(symbol)
	return n > 15 && (symbol[n-9] == 'C' || symbol[n-9] == 'P') && strings.Trim(symbol[n-8:], "0123456789") == ""
}

// market moves the prices of one tenant's broker as they moved then.
type market struct {
	broker *paper.Broker
	prices *prices
	passed int             // trades
	own    map[string]bool // symbols that the tenant is concerned with
}

func (p *prices) market(b *paper.Broker, its []*Asked) *market {
	m := &market{broker: b, prices: p, own: make(map[string]bool)}
	for _, a := range its {
		m.own[a.symbol()] = true
	}
	return m
}

// advance moves the prices on to a moment of then: each to its last one before. Zero is the
// end.
func (m *market) advance(to time.Time) error {
	last := make(map[string]decimal.Decimal)
	for ; m.passed < len(m.prices.seen); m.passed++ {
		t := m.prices.seen[m.passed]
		if !to.IsZero() && !t.at.Before(to) {
			break
		}
		if m.own[t.symbol] {
			last[t.symbol] = t.price
		}
	}
	return m.set(last)
}

// meet sets the price at which an order was filled before its tenant asked for anything
// else (next: when that was; zero if never): so it is filled at once here, too.
func (m *market) meet(a *Asked, next time.Time) error {
	symbol := a.symbol()
	if _, given := m.prices.fixed[symbol]; given || !a.marketable() {
		return nil
	}
	f := a.Filled()
	if f.Status != "filled" || f.AvgPrice == nil || !f.AvgPrice.IsPositive() {
		return nil
	}
	for u := range a.own() {
		if !next.IsZero() && u.At.After(next) {
			return nil
		}
	}
	return m.set(map[string]decimal.Decimal{symbol: *f.AvgPrice})
}

// marketable says that nothing but the market's price stands between it and its fill.
func (a *Asked) marketable() bool {
	if a.Intent == nil || a.Intent.Order == nil {
		return false
	}
	switch a.Intent.Kind {
	case order.KindClosePosition:
		return true
	case order.KindOrder:
		return a.Intent.Order.Type == order.Market || a.Intent.Order.Type == order.Limit
	default:
		return false
	}
}

// set sets those prices whose assets the broker knows. Whatever they make fillable is
// filled, symbol by symbol in their order.
func (m *market) set(prices map[string]decimal.Decimal) error {
	for _, symbol := range slices.Sorted(maps.Keys(prices)) {
		if !m.broker.Lists(symbol) {
			continue
		}
		if err := m.broker.SetPrices(map[string]decimal.Decimal{symbol: prices[symbol]}); err != nil {
			return err
		}
	}
	return nil
}
