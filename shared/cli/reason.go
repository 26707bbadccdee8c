package cli

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckReason says what is wrong with the reason of a change (--reason), which is to be kept in
// so many bytes at most, and to be printed.
func CheckReason(reason string, most int) error {
	unfit := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case strings.TrimSpace(reason) == "":
		return Usagef("--reason: say why; it is kept with the change")
	case len(reason) > most:
		return Usagef("--reason: it has %d bytes, more than %d", len(reason), most)
	case !utf8.ValidString(reason) || strings.ContainsFunc(reason, unfit):
		return Usagef("--reason: it has characters that cannot be printed")
	}
	return nil
}
