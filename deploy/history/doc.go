// Package history reads a fleet's ledger after the fact: any stretch of it, from a running
// fleet or from an export. What asks a ledger questions (audit, explain, replay) reads it
// through a [Source], and so works on both alike.
//
//	running ledger ── Live ──┐
//	                         ├── Source ── Read(stretch) ── audit, explain, replay, export
//	export ────────── Open ──┘
//
// A source only reads. It never disturbs a fleet: no consumer of the fleet's is shared, and
// nothing is written.
package history
