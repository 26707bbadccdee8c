// Package reconcile compares what a tenant's broker shows with what the tenant's ledger says
// that it should show, and writes the updates that are missing. It never places, changes or
// cancels an order: it has no line over which it could (see [broker.Books]).
//
//	ledger --fold--> Book ----+                         missing fills, ends
//	                          +--> Compare --> Stable --------------------> updates.Mender
//	broker --lists-> Account -+    twice, a while apart                        |
//	                                  | the rest                               v
//	                                  v                                     ledger
//	                               reported
//
// A [Runner] does so for the owner of a shard; package shard decides when, and operators ask
// for it (package inquiry).
//
// # What is a difference
//
// Broker and ledger are never read at the same moment. So the ledger is read before the broker
// and after it, and what only one of the readings shows was under way; what is left is looked
// at again a while later ([Config].Settle), and only what is the same then is a difference. An
// intent without an outcome is under way for as long as that lasts.
//
// What the account should hold is the sum of all fills on the ledger, and of those that the
// comparison found missing: so a missing fill is one difference, not two. What somebody traded by
// hand makes the position differ, and is said with it. Of a ledger whose beginning is gone, or
// that was read from a moment on only, nothing follows for positions, nor for older orders.
// A broker may take its fee for coins out of what was bought: that shows as a position a little
// short.
//
// # What is repaired
//
// A missing fill or end is written by the follower's own code (package updates), as the
// follower would have written it: with the same content, by compare-and-set on the tenant's
// last update, in the name of the lease, and not while another worker may own the shard. What
// is missing before something that stands on the ledger is marked as late. Everything else
// needs somebody to look: an order that should not be there is not canceled, and one that
// should be is not placed.
//
// # What it costs a tenant
//
// At most a tenth of its rate limit, in any minute; nothing while less than half of the limit
// remains, as the broker's answers state it; and no more after a 429. Sessions do not notice:
// a run has a goroutine, a line and a pace of its own.
package reconcile
