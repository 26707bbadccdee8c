// Package plant names the bugs that the proof must find. A worker that is built with the
// tag planted has the one that its environment names; every other worker has none: there
// [Is] is false at compile time, and what it guards is left out of the program. A bug that
// can be had between a session and its broker is in a client of its own; see [Connect].
//
// Each bug breaks one rule that the rest of the worker keeps. They are for
// deploy/cmd/chaos, which shows that the judge sees every one.
package plant

// Bug is a bug that can be planted.
type Bug string

// Variable of the environment that names the bug.
const Variable = "ORDERFLEET_PLANTED"

// The bugs.
const (
	Fence       Bug = "fence"        // a lost lease stops nobody; a conflicting outcome is written behind the one that stands
	Lookup      Bug = "lookup"       // after a lost answer the order is sent again at once
	Settle      Bug = "settle"       // the first 404 is proof
	Unknown     Bug = "unknown"      // a lost answer is a refusal
	Suspects    Bug = "suspects"     // what the owner before may have sent is not looked up
	RandomID    Bug = "random-id"    // the client order id is made up
	Overtake    Bug = "overtake"     // the last one waiting goes first
	Skip        Bug = "skip"         // now and then an intent is passed over
	EarlyCommit Bug = "early-commit" // the outcome is written before the request
	TwiceCommit Bug = "twice-commit" // an outcome is written twice
	Accept      Bug = "accept"       // a refusal is reported as accepted
	Expiry      Bug = "expiry"       // the expiry is not looked at
	Quantity    Bug = "quantity"     // one more is ordered than was asked for
	Account     Bug = "account"      // all trade on one tenant's account
	Halt        Bug = "halt"         // a session says that it obeys other terms, and goes on under those that it had
	Switch      Bug = "switch"       // a session begins as if no switch lay on its tenant
	Limits      Bug = "limits"       // what the owner before counted is forgotten
)

// Bugs are all of them.
var Bugs = []Bug{Fence, Lookup, Settle, Unknown, Suspects, RandomID, Overtake, Skip, EarlyCommit, TwiceCommit, Accept, Expiry, Quantity, Account, Halt, Switch, Limits}
