package reconcile

import (
	"slices"

	"github.com/shopspring/decimal"
)

// span is a part of what is filled of an order: how much of it was filled before, and after.
type span struct{ from, to decimal.Decimal }

// spans are what the ledger tells of an order's fills, in order, and apart: what follows on
// one another is one span.
type spans []span

// add adds a span and says whether it was not there; one that overlaps with another counts as
// being there.
func (s *spans) add(one span) bool {
	if !one.to.GreaterThan(one.from) {
		return false
	}
	at, _ := slices.BinarySearchFunc(*s, one, func(a, b span) int { return a.from.Cmp(b.from) })
	before, after := at > 0 && !(*s)[at-1].to.LessThan(one.from), at < len(*s) && !one.to.LessThan((*s)[at].from)
	switch {
	case before && (*s)[at-1].to.GreaterThan(one.from), after && one.to.GreaterThan((*s)[at].from):
		return false
	case before && after:
		(*s)[at-1].to = (*s)[at].to
		*s = slices.Delete(*s, at, at+1)
	case before:
		(*s)[at-1].to = one.to
	case after:
		(*s)[at].from = one.from
	default:
		*s = slices.Insert(*s, at, one)
	}
	return true
}

// end is up to where the fills go.
func (s spans) end() decimal.Decimal {
	if len(s) == 0 {
		return decimal.Decimal{}
	}
	return s[len(s)-1].to
}

// sum is how much they are.
func (s spans) sum() decimal.Decimal {
	var sum decimal.Decimal
	for _, one := range s {
		sum = sum.Add(one.to.Sub(one.from))
	}
	return sum
}

// holes are what they lack of a part.
func (s spans) holes(whole span) spans {
	var lack spans
	at := whole.from
	for _, one := range s {
		if to := decimal.Min(one.from, whole.to); to.GreaterThan(at) {
			lack = append(lack, span{at, to})
		}
		at = decimal.Max(at, one.to)
	}
	if whole.to.GreaterThan(at) {
		lack = append(lack, span{at, whole.to})
	}
	return lack
}
