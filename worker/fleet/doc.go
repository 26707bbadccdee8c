// Package fleet says which worker serves which shards.
//
// An [Ownership] hands a worker its shards, each as a [Lease] with an epoch that
// grows with every change of owner. Outcomes bear the epoch: who finds a newer one
// than its own on the ledger has lost the shard.
//
//	free --take: epoch+1--> held --draining closed--> draining --Serve returns--> free
//	                         |                            |
//	                         +------ fenced: ErrLost -----+
//
// [Sole] is the ownership of a worker that is alone: it takes every shard.
package fleet
