package reconcile

import (
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// TestSpans compares spans with a plain list of which shares are there.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 12
		num := func(n int) decimal.Decimal { return decimal.NewFromInt(int64(n)) }
		var s spans
		var has [most]bool
		for range rapid.IntRange(0, 12).Draw(t, "spans") {
			from := rapid.IntRange(0, most-1).Draw(t, "from")
			to := rapid.IntRange(from, most).Draw(t, "to")
			fresh := from < to
			for i := from; i < to; i++ {
				fresh = fresh && !has[i]
			}
			if s.add(span{num(from), num(to)}) != fresh {
				t.Fatalf("%d to %d is new to %v: %v", from, to, has, !fresh)
			}
			for i := from; i < to && fresh; i++ {
				has[i] = true
			}
		}
		n, end := 0, 0
		for i, there := range has {
			if there {
				n, end = n+1, i+1
			}
		}
		if !s.sum().Equal(num(n)) || !s.end().Equal(num(end)) {
			t.Fatalf("%v are %s up to %s, wanted %d up to %d", s, s.sum(), s.end(), n, end)
		}
		for _, hole := range s.holes(span{num(0), num(most)}) {
			for i := int(hole.from.IntPart()); i < int(hole.to.IntPart()); i++ {
				if has[i] {
					t.Fatalf("%v has a hole at %d", s, i)
				}
				has[i] = true
			}
		}
		for i, there := range has {
			if !there {
				t.Fatalf("%v has no hole at %d", s, i)
			}
		}
		for i := 1; i < len(s); i++ {
			if !s[i].from.GreaterThan(s[i-1].to) {
				t.Fatalf("%v hang together", s)
			}
		}
	})
}
