// Package replay goes through a stretch of a ledger again: what was asked, in its order, at
// once or at its pace.
//
//	history.Source ── Read(selection) ── what was asked, with what became of it
//	                                          |
//	   +---------------+----------------------+--------------------+
//	   | Report        | Export               | Shadow, Compare    | Drive
//	   v               v                      v                    v
//	 rows, at the    lines that             the real sessions,   failed and expired
//	 pace asked for  producer import takes  a broker of paper    intents, again
//
// Nothing here publishes to the ledger that was read but [Drive], and nothing speaks to a
// broker of the outside: [Drive] publishes intents, which the fleet's workers carry out, and
// a shadow knows no broker but the one that it starts.
//
// # The shadow
//
// A shadow is a fleet of its own for as long as it takes: a NATS server on a free port of
// this machine, one worker, and for every tenant a paper broker with one account.
//
//	intent --price as it was then--> ORDERS_<shard> of the shadow --> session --> paper broker
//	   ^                                                                 |
//	   +-------- the tenant's next one <----------- outcome -------------+
//
// A tenant has one intent under way at a time, and shares nothing with the others; the
// faults of a broker depend on the request that they strike; prices move with the fills
// that the ledger knows, never with time. So what becomes of an intent depends on what was
// asked and on the seed, not on when it happens, and the same stretch gives the same
// report, byte by byte. What a shadow cannot know is said beside each difference
// ([Reason]).
package replay
