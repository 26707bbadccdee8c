// Package paper is a paper broker that speaks Alpaca's Trading API over HTTP: accounts by
// API key, orders of every class, positions, trade updates, and faults on demand. It also
// speaks as much of the Broker API as trading takes: correspondents with many accounts each.
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
//   - correspondent: its mutex, taken behind an account's, guards the window of its rate
//     limit and what its stream tells. Which account is whose never changes.
//   - market: assets never change but for their prices, which are read without a lock;
//     ticks and the admin endpoints write them.
//   - Ledger: its own short lock, taken last. It is written beside the orders, never
//     read by the broker.
//   - faultList: its own lock, taken alone.
//   - Run starts all goroutines but those of net/http and of websockets, and waits for
//     them all.
//
// # Correspondents
//
//	Basic authentication ── correspondent ──┬─ /v1/trading/accounts/{id}/… ── account ── as above
//	                                        ├─ /v1/accounts/activities?account_id=
//	                                        └─ /v2/events/trades: events of all its accounts
//
// Any key opens a correspondent, and the first one to name an account owns it; to others it is
// not found. What a correspondent asks counts against one limit over all its accounts, and is
// on the ledger ([Ledger.Requested]): whether it kept to it, [Broker.Usage] computes from there.
// Of its stream there are two forms: today's, whose ids are ULIDs, and the legacy one of
// version 1, whose ids are numbers. A reader that falls behind what is kept is told so in a
// comment, as the real one does.
//
// # What it simplifies
//
// Accounts have no margin: buying power is cash, less what is reserved for open orders,
// less twice what short positions were sold for. Orders fill at the last price; there
// is no spread, no fee and no settlement. Cancels and replacements take effect at once;
// pending_cancel and pending_replace do not occur. Times in force follow New York's trading days
// although the market is open day and night unless told otherwise. A day order for an
// auction waits for the market to open or close. There are no calls that open accounts or move
// money, and activities are listed of one account at a time.
package paper
