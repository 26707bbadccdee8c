// Package explain tells the life of one intent from the ledger: who asked, what it waited
// for, what was said to the broker and by it, what became of it, and where the time went. Of
// one that is not done it tells what that waits for.
//
//	history.Source ── Read ── tale (a fold of one tenant's messages) ── Life ── Print, JSON
//	running fleet  ── Look ── Scene (owner of the shard, its word on the tenant) ──┘
//
// What bears one client order id is one life: the intent that used the id first, the intents
// that drove it again, and those that used the id once more; with the replaces and cancels
// that name it, and what the broker said of its order later.
//
// Nothing here disturbs a fleet. The ledger is read through a [history.Source], so that an
// export will do; of a running fleet the bucket is read, and the owner of the shard is asked.
//
// Times are those of whoever wrote them down: the NATS server (published), a worker (received
// to committed), the broker (updates). Where two clocks differ, a step may seem to come before
// the one that it follows.
package explain
