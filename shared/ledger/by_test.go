package ledger_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// FuzzBy: whatever a stranger claims to be is one line of bounded length that does nothing
// to a terminal.
func FuzzBy(f *testing.F) {
	for _, seed := range []string{"", "ann@desk7 rebalancer", "\x1b[2J\x07", "a\r\nb", "\xff\xfe", "abc\u202Ecba", "ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, claimed string) {
		by := ledger.Entry{Header: nats.Header{ledger.ByHeader: {claimed}}}.By()
		if n := utf8.RuneCountInString(by); n > ledger.MaxBy+1 {
			t.Errorf("%d characters", n)
		}
		for _, r := range by {
			if !unicode.IsPrint(r) {
				t.Errorf("%q has %q", by, r)
			}
		}
	})
}
