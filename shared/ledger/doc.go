// Package ledger is the only truth of a fleet: what was asked, and what became of
// it, in JetStream streams, one a shard.
//
//	intents.<tenant>                     where producers publish
//	   | account mapping of the NATS server
//	ORDERS_<shard>                       a stream
//	   intents.<shard>.<tenant>          what was asked
//	   outcomes.<shard>.<tenant>         what became of it, one per intent, in their order
//	   updates.<shard>.<tenant>          what the broker said later
//
// Reading a stream from its beginning and keeping one [Standing] per tenant is a
// fold. A tenant stands in one of two ways:
//
//	         intent: Last grows
//	  done ----------------------> due
//	(Last = Done) <-------------- (Last > Done)
//	         outcome of Last: Done = Last
//
// An outcome is appended by compare-and-set on the tenant's previous outcome, see
// [Ledger.Append]. So whoever else believes to own the tenant cannot write a
// second one, and a worker needs no lock but the ledger.
//
// Producers own intents, the owner of a shard owns its outcomes and updates.
// Nobody changes a message: streams deny deletes.
package ledger
