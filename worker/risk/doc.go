// Package risk has the pre-trade checks: what may not go to the broker, by a tenant's limits
// and an operator's switch, and why.
//
// The rules are one table, in rules.go; each is a line with its name, what sets it, what it
// has to know, and its check. [Compile] finds those that a tenant's terms set: none costs
// nothing. A [Query] is an order with all that the answer depends on; the first rule that
// refuses it is told ([Refusal]).
//
// Everything here is pure, is told the time, and belongs to one goroutine, the session's.
//
//	intents, outcomes ──> Flood   where the last ones stand on the ledger
//	outcomes, updates ──> Book    what went out, what is open, what was traded
//	prices, positions ──> Query ──> Rules.Check ──> go, or Refusal
//
// # What a book counts
//
// A [Book] is folded from one tenant's outcomes and updates and nothing else, so whoever folds
// them again has the same one: a crash resets no limit. What an order was counted as, when
// its price was another one, is in its outcome ([order.Counted]).
//
//	               accepted                        its end
//	(asked) ──┬──────────────────────────> open ───────────────> past
//	          │ what became of it is       ^   │ partial fills: it may take less,
//	          │ not known: failed          │   └ and the day took more
//	          └───> unknown ───────────────┘ the broker told of it after all
//	                   └──> past: driven again and decided, or a day later
//
// An order counts as gone out once, however often it was tried, whether the broker accepted or
// refused it, and from the moment on at which its answer was there: it reached the broker before.
// So no second, no minute, wherever it begins, has more orders at the broker than the limit,
// by any clock that runs as fast as the worker's. Trading days are calendar days in New York.
//
// Open is what the broker accepted and did not say the end of: an order, with the legs of a
// bracket (three), OCO or OTO (two). Only updates of the ledger say so: limits of open orders
// and of credit need them followed. A replacement is no order more than the one in whose place it
// comes; until the broker says that that one is replaced, both may take what they may.
//
// Credit is what open orders may still take, their remaining size at the price that they were
// counted at, and what the trading day's fills took: bought, less sold, and not below 0. A sale
// counts as a purchase, since it may be short, unless the tenant may not sell short: then it
// only gives back. The legs of an order take nothing by themselves, since they undo it. So
// fills below the limit price, cancels and other ends free credit.
//
// # What an order is worth
//
// Its size at its limit price; without one, at the reference price, of a stop order at its stop
// if that is higher. A sale with a limit is worth the reference price if that is known and
// higher. An option's contract is 100 times its price. A multi-leg order is worth its net
// limit, paid or received, or else what its legs come to. What cannot be valued is refused by
// the rules that ask for its worth.
//
// # What is never refused
//
// Cancels. And a close of a position, which only takes from what is at risk, is not held to
// what bounds risk (sizes, dollars, collar, short sales), but to the rest: symbols, hours,
// types, order rates, open orders, duplicates, floods.
package risk
