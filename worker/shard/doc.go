// Package shard serves one shard of the ledger: it folds the shard's stream, starts a
// session for every tenant that has work, and routes what comes to them.
//
//	          lease                     fold end reached
//	(nothing) -----> folding ------------------------------> routing
//	                    |                                       |
//	                    | draining, ctx, the tail failed        | draining: sessions finish
//	                    v                                       v
//	                 returned <------------------------- last session ended
//
// To its shard, a tenant is in one of these states:
//
//	+------+  intent, room    +------+     inbox full      +--------+
//	| idle | ---------------> | live | ------------------> | behind | its session reads what
//	+------+                  +------+ <------------------ +--------+ comes from the ledger
//	 ^   |                     ^    |      caught up          |
//	 |   | no room             |    |                         |
//	 |   v                room |    +------------+------------+
//	 |  +---------+            |                 | nothing to do, had its turn,
//	 |  | waiting | -----------+                 | would have to wait, held
//	 |  +---------+                              v
//	 |   ^     ^                             +--------+
//	 |   |     +-------- more to do -------- | ending | until its goroutine has returned
//	 |   |                                   +--------+
//	 |   | the wait is over,                  |     |
//	 |   | a control came   +-------+         |     |
//	 |   +----------------- | aside | <-------+     |
//	 |                      +-------+  has to wait, | nothing to do
//	 |                                 or is held   |
//	 +----------------------------------------------+
//
// A session that ends gives back what it was given and did not end: the next one gets that
// before what the fold has, and learns how the last one left its breaker and limiter, and what
// may be at the broker.
//
// A shard reads its stream from the low watermark on. The few tenants whose work reaches far
// behind it have a gap there, which their sessions search themselves ([session.Search]).
//
// One goroutine owns the fold, the tenants' states and the sending ends of the sessions'
// inboxes. It never waits for a session: a full inbox makes a tenant behind, and a
// question ([session.Ask]) is answered at once. So one tenant cannot hold up another.
//
// Operators ask the shard at its desk (package inquiry), which is open while it routes. The
// desk's goroutines speak to them; the shard's answers from what it knows, and never waits.
// It attests that every session obeys the tenants' terms of a revision ([Registry]) when they
// have said so. A shard that was taken over brings the terms up to date before its first session.
// For what a session is waiting it knows because sessions say so ([session.Note]).
//
// Beside it works the shard's clerk, which has the tenants reconciled with their brokers
// (package reconcile): each in turn, soon after a take-over and then on a schedule, and those
// for which an operator asks at once. The schedule's turns also write what is missing on the
// ledger. The clerk's goroutines share nothing with the shard's.
//
// Beside their sessions, tenants that have open orders have followers (package updates), which
// bring what becomes of those to the ledger. The shard starts one when an outcome says that the
// broker took an order, and after a take-over for every tenant whose last update does not say
// that nothing is open. Places are bounded, and taken in turns. A follower is handed its
// tenant's outcomes; one that is behind reads them from the ledger.
//
//	+------------+  order taken, or open from before   +----------+   none open   +------------+
//	| unfollowed | ----------------------------------> | followed | ------------> | unfollowed |
//	+------------+        (no room: queued)            +----------+               +------------+
//	                                                     |     ^
//	                                   others want place |     | its turn, after a pause
//	                                                     v     |
//	                                                    queued
//
// An idle tenant is an entry in the fold: no goroutine, no connection. One that is set aside
// is a few more entries, and an alarm.
package shard
