// Package session serves one tenant: one goroutine that takes the tenant's intents
// in ledger order, drives each to its end at the broker, and commits the outcome.
//
// The goroutine owns everything a tenant has in this process: its broker client
// and the connection under it, its place in the ledger, its back-off. Nobody else
// reads or writes any of it, so there is no lock. The shard owns the inbox's
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
// Committing overlaps with the next submission: the outcome of intent n is on its
// way while the order of n+1 is being submitted, but the outcome of n+1 is not
// published before that of n is confirmed. After an outcome that a second try might
// change (a rejection, a cancel-all) the session waits for the confirmation first,
// so that a crash in between cannot reorder anything; see pipelined.
//
// The session writes no request and commits nothing while its shard may have another owner
// soon ([Start].Until): it waits until the lease is renewed, or lost, which ends its context.
//
// After a crash the first two intents without an outcome may therefore have reached
// the broker. The next session of the tenant looks them up before it submits them.
package session
