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
//	      intent, room                                   inbox full
//	idle -------------> live: intents go to the inbox  -------------> behind: intents are
//	 ^  \                |        ^                                   counted, the session
//	 |   \ no room       |        +--------------------------------- reads them itself
//	 |    v              | nothing to do,       caught up
//	 |  waiting          | or others wait
//	 |    | room         v
//	 |    +-> live    ending --- its goroutine returned: due? ---> waiting
//	 +---------------------------------------------------- no --/
//
// A shard reads its stream from the low watermark on. The few tenants whose work reaches far
// behind it have a gap there, which their sessions search themselves ([session.Search]).
//
// A session is set aside when its tenant is held, or when it has to wait and others wait for
// its place. It gives back what it did not end; the tenant's intents then wait in the fold,
// and no session starts until a control comes through the tail, or the wait is over.
//
// One goroutine owns the fold, the sessions' states and the sending ends of their
// inboxes. It never waits for a session: a full inbox makes a tenant behind, and a
// question ([session.Ask]) is answered at once. So one tenant cannot hold up another.
//
// An idle tenant is an entry in the fold: no goroutine, no connection.
package shard
