// Package ledger is the only truth of a fleet: what was asked, and what became of
// it, in JetStream streams, one a shard.
//
//	intents.<tenant>                     where producers publish
//	   | account mapping of the NATS server
//	ORDERS_<shard>                       a stream
//	   intents.<shard>.<tenant>          what was asked
//	   outcomes.<shard>.<tenant>         what became of it, one per intent, in their order
//	   updates.<shard>.<tenant>          what the broker said later
//	   controls.<shard>.<tenant>         what an operator wants done to the tenant
//
// Reading a stream from its beginning and keeping what is due is a fold ([Fold]). To it,
// an intent is in one of these states:
//
//	published --> waiting --Take--> taken --> has its outcome
//	                 |                            ^
//	                 +---- outcome of an earlier owner, or of a later intent
//
// An outcome is appended by compare-and-set on the tenant's previous outcome, see
// [Ledger.Append]. So whoever else believes to own the tenant cannot write a
// second one, and a worker needs no lock but the ledger.
//
// Producers own intents, the owner of a shard owns its outcomes and updates, operators own
// controls.
// Nobody changes a message: streams deny deletes.
package ledger
