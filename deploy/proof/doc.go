// Package proof judges a run of the system by its history: what producers were told, what
// the fleet's ledger holds, and what the broker's own ledger holds. It has a model of its
// own of what may happen, and shares the message types with the fleet and no code with the
// worker.
//
//	producers:        receipts                  each is on the ledger
//	fleet's ledger:   intents -> outcomes       one each, in order, of growing epochs
//	broker's ledger:  arrivals -> orders        at most one order a client order id, in the
//	                                            order of their intents; none that no outcome
//	                                            answers for, none that one denies
//	operators:        stops, limits             once a stop is confirmed nothing arrives that it
//	                                            stops, and never more than is allowed
//
// [Rules] lists what must hold. A violation is of one of four classes: lost, duplicated,
// reordered, contradicted.
//
// What it cannot judge: whether a cancel took effect (the broker's ledger has orders, not
// what became of them), and the prices of an order (it does not record them).
package proof
