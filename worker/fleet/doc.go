// Package fleet says which worker serves which shards, with no coordinator: every worker
// reads the same bucket and computes the same assignment from it.
//
// The bucket FLEET holds a key for each member, its heartbeat, which the server removes
// [Config.TTL] after the last one; and a key for each shard, its lease: owner, epoch, low
// watermark. A lease has no time to live of its own. It is worth what its owner's heartbeat
// is worth, so that a worker renews all its leases with one write.
//
//	          heartbeat taken                    drain
//	joining -----------------> member ----------------------------> draining --> left
//	   ^                         |  (gives up every shard in peace)    |
//	   |                         |                                     |
//	   +---- shards dropped <----+-------------------------------------+
//	                 no heartbeat acknowledged until the deadline
//
// To a member, a shard is in one of these states:
//
//	         assigned to us, and                    ours: epoch+1
//	         free or its owner is gone   (taking) -----------------> serving
//	others' -----------------------------> ^  |                       |   |
//	   ^                                      | somebody was faster   |   | assigned to another,
//	   +--------------------------------------+                       |   | or drain
//	   +---------------- lost: deadline passed, or a newer epoch <----+   v
//	   +------------------------------ released: owner cleared <------ draining
//
// The bucket is the authority. Who owns a lease there, and how long a member's heartbeat
// lives, the server decides; a worker stops earlier, by its own monotonic clock: its
// deadline is counted from before the heartbeat was sent, and is shorter by a margin. The
// deadline has one writer, the term's goroutine, and is read by sessions as they are about
// to write a request; it is the only thing that they share.
//
// The window that no lease closes, a process that freezes between that look and its write,
// is closed by the ledger: outcomes bear the epoch and are appended by compare-and-set.
package fleet
