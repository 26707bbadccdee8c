// Package history reads a fleet's ledger after the fact: any stretch of it, from a running
// fleet or from an export. What asks a ledger questions (audit, explain, replay) reads it
// through a [Source], and so works on both alike.
//
//	running ledger ── Live ──┐
//	                         ├── Source ── Read(stretch) ── audit, explain, replay
//	export ────────── Open ──┘      │
//	   ^                            │
//	   └──────────── Export ────────┘
//
// A source only reads. It never disturbs a fleet: no consumer of the fleet's is shared, and
// nothing is written.
//
// An export is a directory, or a zip file of the same files:
//
//	ORDERS_<shard>.jsonl.zst   the shard's messages, one a line, compressed (zstd)
//	manifest.json              what is in the export, and the SHA-256 of each file and its own
//
// The manifest is written last, and put in its place at once: what has none is no export.
// A line has the message's sequence number, class, tenant, time, header, and its body byte
// by byte: as it is if that is a JSON object on one line, else in base64. Of a file nothing
// is delivered before its checksum is found to be right.
package history
