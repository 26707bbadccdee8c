// Package inquiry is how an operator asks the owner of a shard something while it serves
// the shard, over NATS request and reply, without touching its work.
//
//	operator                          owner of the shard
//	   | Ask: inquiries.<shard>           |  Serve: subscribed while it serves the shard
//	   |--------------------------------->|
//	   |                                  |-- Call --> the shard's goroutine
//	   |                 under way        |               | Take: it takes longer
//	   |<---------------------------------|  each second  |
//	   |                 answer           |               |
//	   |<---------------------------------|<-- Answer ----+
//
// To its owner, a question is in one of these states:
//
//	                 no room: refused as busy
//	asked --> open --------------------------------------> answered
//	            |  Answer                                      ^  ^
//	            +----------------------------------------------+  |
//	            |  Take                                           |
//	            +--> taken: a sign of life each second -- Answer -+
//	            |
//	            +--> dropped: another worker may own the shard; it answers
//
// Only the owner of the shard's lease answers, and nobody else: there is no queue group. An
// answer says which worker gave it, and under which epoch, so that it can be held against
// the ledger. Nothing is kept: a question whose asker is gone is answered into the void, and
// one whose owner dies is asked again.
package inquiry
