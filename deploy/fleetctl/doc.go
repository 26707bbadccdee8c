// Package fleetctl is what an operator asks of a fleet: who serves what, which intents
// failed, and what of them is to be driven again. It reads the ledger and the fleet's
// bucket, and never disturbs their owners.
package fleetctl
