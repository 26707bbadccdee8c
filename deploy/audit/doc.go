// Package audit proves or refutes what a fleet promises, for any stretch of its ledger, from
// the fleet's ledger and the broker's alone. It shares the message types with the fleet, and
// no code with the worker.
//
//	source ── messages, shard by shard ──> audit ──> Report: counts, violations, digest
//	                                         ^
//	broker ── orders, tenant by tenant ──────┘  when a shard is read
//
// It reads each shard once and in order. To it, an intent is in one of these states:
//
//	published ──> waiting ── its outcome ──> forgotten, but for its id, its order, and what its
//	                 │                       order's updates have to follow
//	                 └── none up to the ledger's end: due, held or overdue; passed over if a
//	                     later one of its tenant has an outcome; or unknown, where the source
//	                     ends before the ledger does
//
// An intent is due until its expiry and that of those before it are over, and [Options].Grace
// after: then nothing excuses the fleet any more, and it is overdue, which is a violation.
// Those of a tenant whose last outcome is a failure that no release follows may be held, and
// are not. Outcomes that stand behind the end of the stretch count for its intents; outcomes in
// it of intents before it are held to their order and their owner, and to no more.
//
// [Rules] lists what must hold; rules that package proof has as well bear its names. What
// proof judges and an audit does not needs more than two ledgers: what producers were told,
// and the requests that reached the broker.
//
// The digest is that of the stretch as it was asked for: each shard's [Chain] begins anew with its
// first message. So stretches that are split do not compose: the digests of two halves say nothing
// about that of the whole, and who compares digests must ask for the same stretch.
//
// Memory is of one shard at a time: some 170 bytes for each intent that has its outcome, 420 with
// a broker, more for those that wait.
package audit
