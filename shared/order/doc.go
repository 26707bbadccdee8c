// Package order holds the three messages of the fleet, and what makes them valid.
//
//	Intent   a producer asks for one thing: an order, a replace, a cancel, ...
//	Outcome  what became of it: one for each intent, ever
//	Update   what the broker said later: fills, cancels, expiries
//
// Messages are JSON. Intents come from strangers and are read strictly: an unknown or
// doubled member is an error that names it. Outcomes and updates come from workers, and a
// reader passes over what a newer worker added. Each message has a JSON Schema; tests hold
// it against the Go types.
//
// Numbers are [decimal.Decimal] from JSON to JSON: read from a string or a number, never
// through a float, written as a string. One that could not be written out in a few bytes
// is refused before anything computes with it.
//
// The package knows no transport: subjects, streams and headers are the ledger's.
//
// [decimal.Decimal]: https://pkg.go.dev/github.com/shopspring/decimal#Decimal
package order
