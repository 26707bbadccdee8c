// Package tenant says who the tenants are: their broker's address and their keys.
//
// A [Directory] finds them by name. Two are here: [File], of a YAML file, for development
// and small fleets; and [Map], for tests and embedded use. Neither changes after it was
// made, so both are safe for concurrent use.
//
// Credentials that were opened from a sealed form lie in a [Buffer], which their owner
// overwrites ([Credentials.Wipe]); whoever keeps some makes a copy of its own first
// ([Credentials.Own]).
//
// Credentials never show themselves: printed, logged or marshalled, alone or within
// something else, they are a placeholder. No error of this package holds a key, also not
// one that quotes a file with a mistake in it.
package tenant
