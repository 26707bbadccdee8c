// Package brokertest is the contract of [broker.Client] and [broker.Books] as tests:
// [Run] and [RunBooks] pass for every adapter, or the adapter is wrong. It brings its own broker, [Server]:
// scripted answers in the shape of Alpaca's, over a real listener, with the faults
// that real connections have. Adapters use it for tests of their own too.
package brokertest
