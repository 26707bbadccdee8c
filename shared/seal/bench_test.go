package seal_test

import (
	"testing"

	"filippo.io/age"

	"github.com/orderfleet/orderfleet/shared/seal"
)

// BenchmarkOpen is what a session pays for its line, beside reading the blob: with one
// identity and recipient, and with two of each, as while they change.
func BenchmarkOpen(b *testing.B) {
	one, alpha := identity(b)
	two, beta := identity(b)
	for name, bench := range map[string]struct {
		to   []string
		with []age.Identity
	}{
		"one":  {[]string{alpha}, []age.Identity{one}},
		"both": {[]string{alpha, beta}, []age.Identity{two, one}},
	} {
		b.Run(name, func(b *testing.B) {
			blob := sealed(b, "acme", pair, bench.to...)
			digest := blob.Digest()
			b.ReportAllocs()
			for b.Loop() {
				c, err := seal.Open("acme", digest, blob, bench.with)
				if err != nil {
					b.Fatal(err)
				}
				c.Wipe()
			}
		})
	}
}
