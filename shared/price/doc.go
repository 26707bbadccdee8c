// Package price keeps reference prices: what a symbol was last worth, and when.
//
// They stand in the bucket PRICES, a key a symbol, written by whoever has a feed of them
// ([Put], [Feed]) and watched by each worker once ([Board]), in whose memory they are
// read.
//
//	feed --Put, Feed--> PRICES, the last one a symbol --Watch--> Board --Quote--> sessions
//
// A board is empty at first; then it has the last price of each symbol that it was told of, also
// while it is cut off. One that was removed, or makes no sense, is none. A price says when it was true: who reads it decides whether that is too long ago.
package price
