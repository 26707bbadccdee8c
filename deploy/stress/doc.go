// Package stress is the stress test that this project began with: many tenants publish
// many orders at once, through a NATS server, a worker and a paper broker that are
// processes of their own; at the end the broker's ledger is compared with the fleet's.
//
//	stress ── publishes ──> nats <── worker ── orders ──> paper <── orders ── bare
//	   └──────────── reads both ledgers at the end ────────┘
//
// The bare loop is the yardstick: the official SDK, 256 goroutines with a client each,
// the same broker, no queue at all. Both run in one go on one machine, so that their
// ratio means something where their figures do not.
//
// A part is this same program, started again with its role; it lives until its standard
// input ends, so that none outlives the test.
package stress
