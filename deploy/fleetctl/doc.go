// Package fleetctl is what an operator asks of a fleet: who serves what, which intents
// failed, and what of them is to be driven again; who the tenants are, what they may do, and
// who said so. It reads the ledger and the buckets, and changes the registry in the operator's
// name, signed. The owners of shards it asks, and of a switch that was thrown it tells which of
// them have confirmed ([Hand], [Confirm]).
package fleetctl
