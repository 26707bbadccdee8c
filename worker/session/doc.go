// Package session serves one tenant: one goroutine that takes the tenant's intents
// in ledger order, drives each to its end at the broker, and commits the outcome.
//
// The goroutine owns everything a tenant has in this process: its broker client
// and the connection under it, its place in the ledger, its rate limiter, its breaker.
// Nobody else reads or writes any of it, so there is no lock. The shard owns the inbox's
// sending end, and answers a session's questions ([Ask]).
//
//	            intent in the inbox, or in the backlog
//	   +------+ ------------------------------------> +------------+   429, not sent, broker down
//	   | idle |                                       | submitting | ----------------> +---------+
//	   +------+ <-----------+                         +------------+ <---------------- | waiting |
//	    |    ^              |                          |   |    ^       back-off over  +---------+
//	    |    | shard: stay  |            typed verdict |   |    |                        |   ^
//	    v    |              |                          v   |    | not there, proven      |   |
//	  asks to end           |               +------------+ |    | within a bound         |   |
//	    | shard: end        +-------------- | committing | |    |                        |   |
//	    v                    acknowledged   +------------+ |  +-----------+  lookup       |   |
//	+---------+                                ^   ^       +->| resolving | --------------+   |
//	| evicted |                                |   | found    +-----------+   unanswered -----+
//	+---------+                                |   +-------------+  |  ^
//	                                           |                    |  answer lost, 422,
//	   no request: invalid, duplicate, expired,|                    |  or a worker died here
//	   blocked --------------------------------+                    v
//	                                                       deadline passed: failed
//
// Every request, lookups and cancels too, passes two gates of the session's own, and the one
// of the rate pool that its tenant shares with others, if it does (package pool); it waits
// there at most as long as it is of use; draining, or the end of the context, ends the wait
// at once. So a tenant waits, and nobody else does. After the wait its expiry is checked
// again, as the request is written.
//
// Places are few. Once other tenants wait for one ([Start].Yield), a session waits for nothing
// but an answer, or a moment: where it would wait for its broker it ends, and the tenant is set
// aside until the wait is over. After a window of intents it asks whether to end, too. (For its
// pool it waits a second all the same: who left at once would never be there at its turn.)
//
//	            would wait, others want its place
//	serving ---------------------------------------> set aside: no session, no connection; its
//	   ^                                               |        work waits in the shard
//	   +--- the shard starts a session with the <------+ the wait is over, there is a place
//	        state and the doubts of the last one
//
// The next session begins as the last one left it ([State], [Doubt]): with its limiter and its
// breaker, so that no tenant gets a request more by taking turns; and it looks up what may be
// at the broker.
//
// Before each request that makes an order, the pre-trade checks of the tenant's terms (package
// risk) are made, and again if the request had to wait: after a lookup has shown that an order
// in doubt is not there, and never before. What they have to know, the session folds from the
// ledger when it first needs it, keeps up with its own outcomes, and reads on in the tenant's
// updates when an order would be refused for what may have ended since. It is a part of the
// state that the next session begins with, as long as the ledger's last outcome is the one that
// it was counted up to; otherwise it is folded again.
//
// The limiter is a token bucket of the tenant's own limit, and what the broker's answers say
// of its window: if nothing remains, the session waits for the reset instead of collecting
// refusals. No answer can keep it away for longer than a minute.
//
// Of waits that are worth it the shard is told ([Note]), for operators who ask; outcomes tell
// of all but moments, and of the requests ([order.Course]), unless there is nothing to tell
// but one request.
//
// The breaker keeps it from a broker that fails again and again (no connection, no answer,
// server errors; a refusal or a 429 is no failure):
//
//	+--------+   failures in a row   +------+  pause over, and the watch   +---------+
//	| closed | --------------------> | open |  agrees; or the watch says   | probing |
//	+--------+                       +------+  that the broker is back     +---------+
//	    ^  ^                          |  ^ | ------------------------------> |    |
//	    |  |   long without work, or  |  |                                   |    |
//	    |  |   released from a hold   |  |                                   |    |
//	    |  +--------------------------+  +------ failure: a longer pause ----+    |
//	    +------------------------------- answer ----------------------------------+
//
// The probe is the next request that the tenant's work needs, not an extra one: while an
// answer is missing that is a lookup, since no order is sent before it. So a probe risks
// nothing that was not to be risked anyway, and without work there is none.
// Intents that expire meanwhile end as expired, in time. The watch (package outage) knows
// whether all tenants of the broker fail; then few of them probe for all.
//
// After an outcome that is failed, a tenant whose policy is to hold is held: its session ends
// and gives back what it has not begun.
//
//	           outcome failed, policy hold
//	serving ---------------------------------> held: no session; intents wait on the ledger
//	   ^                                        |
//	   +---- the shard starts a session <-------+ a release (order.Control) behind that
//	         which finds the release              outcome on the ledger
//
// Nothing but the ledger says that a tenant is held, so it is so after a take-over, too.
//
// A tenant trades under terms: limits, and the switch that an operator laid on it. The shard
// sends those that changed, and the session takes them over before its next request, in any
// wait, or when it has nothing to do; from then on it makes no request that they do not
// allow, and says so to the shard ([Note].Obeys). What it had at the broker it finds out all
// the same. Under other settings or keys it dials anew.
//
//	          pause                            halt
//	serving ---------> aside: intents wait     serving: what makes or changes an order ends as
//	   ^                 |                        blocked, cancels pass
//	   +-----------------+ other terms, or the switch is over
//
// Committing overlaps with the next submission: the outcome of intent n is on its
// way while the order of n+1 is being submitted, but the outcome of n+1 is not
// published before that of n is confirmed. After an outcome that a second try might
// change (a rejection, a cancel-all) the session waits for the confirmation first,
// so that a crash in between cannot reorder anything; see pipelined.
//
// The session writes no request and commits nothing while its shard may have another owner
// soon ([Start].Until): it waits until the lease is renewed, or lost, which ends its context.
//
// An earlier owner's outcome may have been on its way for long, in a frozen server say. When
// the shard sees one ([Start].Superseded) the session makes no further request, and ends: the
// next one begins with what the ledger says.
//
// After a crash the first two intents without an outcome may therefore have reached
// the broker. The next session of the tenant looks them up before it submits them. What it
// finds is theirs unless the tenant used the id before the shard's memory begins: that is
// looked up at the ledger.
package session
