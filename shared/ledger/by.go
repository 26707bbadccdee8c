package ledger

import (
	"strings"
	"unicode"
)

// ByHeader is the header in which who publishes an intent may say who that is. Nobody checks
// it: it is a hint for people, no proof.
const ByHeader = "Orderfleet-By"

// MaxBy bounds what is read of it, in bytes.
const MaxBy = 128

// By is who published a message, by its own account, fit to be printed; empty if it does not
// say, or if the reading left the header out.
func (e Entry) By() string { return Printable(e.Header.Get(ByHeader), MaxBy) }

// Printable is what a stranger wrote, fit to be printed on one line: of at most so many bytes,
// and without anything that steers a terminal or turns text around.
func Printable(s string, most int) string {
	cut := len(s) > most
	if cut {
		s = s[:most]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if cut {
		s += "…"
	}
	return s
}
