// Package fleet says which worker serves which shards, with no coordinator: every worker
// reads the same bucket and computes the same assignment from it.
//
// The bucket FLEET holds a key for each member, its heartbeat, which the server removes
// [Config.TTL] after the last one; and a key for each shard, its lease: owner, epoch, low
// watermark, and what the last owner left behind. A lease has no time to live of its own. It
// is worth what its owner's heartbeat is worth, so that a worker renews all its leases with
// one write.
//
// A member counts from before it sent the last heartbeat that was acknowledged, in tenths of
// the time to live; the server counts from when it took it, so it is later:
//
//	0          5                8           10
//	| writes   | quiet:         | over:     | the server removes the member,
//	| requests | writes none,   | drops its | its shards are free
//	|          | is not ready   | shards    |
//
// So whoever takes over knows that the one before wrote nothing for half that time. (The
// clocks that count are the server's, and each worker's monotonic one. If the server's steps
// forward, members are removed too early; a machine that was suspended as a whole has not
// counted the time. Both are as the freeze below.)
//
//	          heartbeat taken, view current              drain
//	joining -------------------------------> member -----------------> draining --> left
//	   ^                                      |    (gives up every       |
//	   |                                      |     shard in peace)      |
//	   +----------- all shards dropped <------+--------------------------+
//	                        over, removed, or blind: its own heartbeats do not come back
//	                        through the bucket
//
// To a member, a shard is in one of these states:
//
//	         assigned to us, and               epoch+1 is ours
//	         free or its owner is gone  taking ----------------> serving
//	others' ----------------------------> |                       |   |
//	   ^                                  | somebody was faster   |   | assigned to another,
//	   +----------------------------------+                       |   | or we drain
//	   +----------- lost: we are over, or a newer epoch <---------+   v
//	   +--------------------------- released: owner cleared <----- draining
//
// A member takes nothing, and is given nothing, before its view of the bucket has been
// current: a lease may stand there before its owner's last heartbeat. What became of a write
// whose acknowledgement was lost, the view tells: a lease that bears our name and that we do
// not serve is taken again or released.
//
// The bucket is the authority. The term's goroutine owns a membership, a holding's
// goroutine one shard from its taking to its release; they talk over channels. The deadline
// has one writer, the term's goroutine, and is read by sessions as they are about to write
// a request; it is the only thing that they share.
//
// The window that no lease closes, a process that freezes between that look and its write,
// is closed by the ledger: outcomes bear the epoch and are appended by compare-and-set. A
// bucket that was lost begins at epoch 1 again; the outcomes' epochs tell, and the lease is
// taken anew with a greater one.
package fleet
