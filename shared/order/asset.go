package order

import "strings"

// Canonical is a symbol as lists and prices know it: in capitals, a crypto pair without its
// slash. It says nothing of an asset id, see [IsAssetID].
func Canonical(symbol string) string {
	return strings.ReplaceAll(strings.ToUpper(symbol), "/", "")
}

// IsAssetID says that a symbol is the broker's id of an asset, which may be any.
func IsAssetID(symbol string) bool { return assetID.MatchString(symbol) }

// occTail is the length of an option's expiry, kind and strike, behind its root.
const occTail = 6 + 1 + 8

// Underlying is what an option is on, as its symbol says; false for what is no option.
func Underlying(symbol string) (string, bool) {
	symbol = strings.ToUpper(symbol)
	if !occ.MatchString(symbol) {
		return "", false
	}
	return strings.TrimRight(symbol[:len(symbol)-occTail], "0123456789"), true
}
