// Package borders says who may do what to a fleet's NATS server, and writes that down as the
// server's configuration: for plain users with nkeys, or as JWTs.
//
//	producer acme ── account PRODUCER_acme ─┐ imports: the requests it may make, and no others
//	producer beta ── account PRODUCER_beta ─┤
//	operator ann  ── account OPERATOR_ann ──┼─> account ORDERS: streams, buckets, and the workers
//	observer bob  ── account OBSERVER_bob ──┤
//	prices feed   ── account PRICES_feed ───┘
//
// Everybody but the workers is alone in an account. A list of permissions in one account for all
// would be shorter, and no border: a NATS server sends the answer to a request to whatever
// subject the request names, without asking whether its sender may publish there. Who may
// publish his own intents could so have the acknowledgement written to another tenant's
// outcomes, or to a switch; and a subject of somebody's inbox is a secret that must not be
// seen. From an account of its own, an answer reaches that account, and an inbox is nobody
// else's.
//
// Beside its imports each user has a list of permissions, of the same subjects. It gives
// nothing; it is what makes a server say, to the user and in its log, that something was
// refused.
//
// A user behind a border reaches the JetStream API at [ledger.BorderAPI], under which its
// consumers bear fixed names, [ledger.ReaderName]; the imports turn them into names of the
// user's own. So nobody can name another's consumer. Package ledger finds out by itself on
// which side of a border it is: programs need their credentials and nothing else.
//
// [User.imports] is the one place that says who may do what. [Folder] owns the files: keys, the
// list of users, and the configuration that follows from it.
package borders
