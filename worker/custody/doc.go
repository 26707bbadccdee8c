// Package custody takes in what tenants change of their own keys, for users who may write
// neither bucket themselves.
//
//	a tenant's user                     the ledger's account
//	$KV.CREDENTIALS.acme.<digest> --border--> custody.acme.blob.<digest> --+
//	$KV.TENANTS.credential.acme   --border--> custody.acme.record ---------+--> any worker --> CREDENTIALS, TENANTS
//	                                                                             | refused: what would not count,
//	                                                                             | too much, too often
//
// The border (deploy/nats) turns the one subject into the other, so that a user writes and is
// answered as if it wrote the buckets. TENANTS keeps for ever what is written to it, every worker
// reads it before it serves anybody, and CREDENTIALS keeps every blob: a user who wrote them
// itself could fill the servers' disks, and make everybody's start slow, with what counts for
// nothing. So a worker looks first: a record has to be signed by who may, for its place; a blob has
// to be what its name says, and no bigger than one; and both may come so often. What counts is
// still settled by the record's signature and its place, and not by who wrote it down.
//
// All workers serve, and any one answers. None remembers anything but how often each tenant came.
package custody
