// Package paper is a paper broker that speaks Alpaca's Trading API over HTTP: accounts by
// API key, orders of every class, positions, trade updates, and faults on demand.
// It shares no code with its clients, so that a mistake of theirs cannot cancel out.
//
//	request ── keys ── ledger: arrived ── rate limit ── fault before ┐
//	   ┌──────────────────────────────────────────────────────────────┘
//	   └─ route ── draft ── reserve ── book ── ledger: booked ── match ── fault after ── answer
//
// # States of an order
//
//	              market open                  part                rest
//	pending_new ───────────────> new ──────────────> partially_filled ───> filled
//	     ^                        ^ │                      │
//	 booked                       │ ├─ cancel, ioc, fok,   ├─────────────> canceled
//	     v          opens         │ │  the other of two    │
//	 accepted ────────────────────┘ ├─ its day is over     ├─────────────> expired
//	                                ├─ no money any more   ├─────────────> rejected
//	 held ── entry filled, or       └─ PATCH               └─────────────> replaced
//	         stop reached ──> new
//
// An order is answered as pending_new, or accepted while the market is closed, and moves
// on at once: who looks it up next sees what became of it. The legs of a bracket, OCO
// or OTO order are held until their entry fills; a stop-loss beside a take-profit stays
// held until its stop is reached, and takes its place. Filled, canceled, expired,
// rejected and replaced are final.
//
// # Who owns what
//
//   - account: its mutex guards its cash, positions, orders and events. Nothing of it is
//     touched without, and no two accounts are ever locked at once.
//   - market: assets never change but for their prices, which are read without a lock;
//     ticks and the admin endpoints write them.
//   - Ledger: its own short lock, taken last. It is written beside the orders, never
//     read by the broker.
//   - faultList: its own lock, taken alone.
//   - Run starts all goroutines but those of net/http and of websockets, and waits for
//     them all.
//
// # What it simplifies
//
// Accounts have no margin: buying power is cash, less what is reserved for open orders,
// less twice what short positions were sold for. Orders fill at the last price; there
// is no spread, no fee and no settlement. Cancels and replacements take effect at once;
// pending_cancel and pending_replace do not occur. Times in force follow New York's trading days
// although the market is open day and night unless told otherwise. A day order for an
// auction waits for the market to open or close.
package paper
