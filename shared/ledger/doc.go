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
//	   epochs.<shard>.<epoch>            who owns the shard from here on
//
// Reading a stream, from its beginning or from where nothing before is due, and keeping what
// is due is a fold ([Fold]). To it, an intent is in one of these states:
//
//	published --> waiting --Take--> taken --> has its outcome
//	                 |                            ^
//	                 +---- outcome of an earlier owner, or of a later intent
//
// An outcome is appended by compare-and-set on the tenant's previous outcome, see
// [Ledger.Append]. So whoever else believes to own the tenant cannot write a
// second one: that is what makes an outcome final. Who works on a shard is settled before,
// by the leases in the bucket FLEET ([FleetBucket]), which is a stream too, KV_FLEET; what
// is in it is package worker/fleet's, here is how it is written and read ([Bucket]).
//
// A new owner folds up to the epoch that it writes itself ([Ledger.Begin]): so it misses
// nothing of the one before that was still on its way into the stream.
//
// Producers own intents, the owner of a shard owns its outcomes, updates and epochs, operators own
// controls, members of the fleet own its bucket. Nobody changes a message: the streams deny
// deletes. Of a bucket, the last change of each key is kept; of that of the tenants every one,
// for it is the record of who changed what (package registry).
//
// Without a retention the streams deny purges, too, and keep everything. With one, what is older
// leaves from the front ([Ledger.Trim]), up to the first intent that has no outcome and no
// further. So no intent leaves before its outcome is written, however long its expiry, an
// outage of the fleet's or the hold of its tenant: while nobody serves a shard, nothing of it
// leaves. Nor does the outcome that holds a tenant, or what tells of an order that is open at
// the broker. The server's own age limit is not used: it does not ask what is done.
//
// Reading what comes ([Ledger.Tail], [Ledger.FollowTenant], [Bucket.Watch]) goes on through cuts,
// restarts and changes of leaders. Everything else ends within seconds; [Transient] and
// [IsFull] say which failures may pass.
package ledger
