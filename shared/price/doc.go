// Package price keeps reference prices: what a symbol was last worth, and when.
//
// They stand in the bucket PRICES, a key a symbol, written by whoever has a feed of them
// ([Put], [Feed]) and watched by each worker once ([Board]), in whose memory they are
// read. A price says when it was true: who reads it decides whether that is too long ago.
package price
