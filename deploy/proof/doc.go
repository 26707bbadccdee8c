// Package proof compares two ledgers that know nothing of each other: the fleet's and
// the broker's. It shares the message types with the fleet and no code with the worker.
//
//	fleet's ledger:   intents -> outcomes      one each, in order
//	broker's ledger:  orders                   at most one a client order id, in the order
//	                                           of their intents
//
// An intent without an outcome, an accepted one without its order, and an order that
// no accepted outcome answers for are lost; a second outcome or order is duplicated;
// an order or outcome behind one of a later intent of its tenant is reordered.
package proof
