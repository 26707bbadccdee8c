// Package fleetctl is what an operator asks of a fleet: who serves what, which intents
// failed, and what of them is to be driven again; who the tenants are, what they may do, and
// who said so. It reads the ledger and the buckets, changes the registry in the operator's
// name, signed, and never disturbs the owners of shards.
package fleetctl
