// Package updates brings to the ledger what becomes of a tenant's orders at its broker after
// they were accepted: fills, partial fills, cancels, replaces, expiries. Each once, in the
// broker's order.
//
// A [Follower] follows one tenant while it has open orders: one goroutine, with lines to the
// broker of its own, beside the tenant's session and independent of it. The shard starts it,
// tells it of outcomes, and ends it with the lease.
//
//	                      order open            feed open
//	(started) -> loading ------------> dialling ----------> catching up
//	                ^  | none              ^  ^                  | the lists are in
//	  somebody else |  |                   |  | cut, silent      v
//	  wrote         |  |                   |  +-------------- following --+
//	                |  v     order open    |                   |  |  ^     | now and then, or what
//	             lingering ----------------+    none is open   |  |  |     v happened was missed
//	                |  ^---------------------------------------+  |  catching up
//	                v for a while                                 v others want the place
//	              ended                                          ended
//
// # Why a cut loses nothing
//
// The feed tells all that happens from a moment on, and the lists, which are read after that
// moment, all that happened before it. Of the lists it is the open orders, in one request,
// that make the cut between the two: what they show, and what is no longer among them, has
// happened before; the fills behind it are looked up. Whatever came on the feed meanwhile is
// known again by its identity: a fill by its order and the quantity that was filled with it,
// an end by its order.
//
// The feed is not believed blindly: a fill that does not follow on the one before, an end
// that tells of more filled than was recorded, an order of which nothing is heard, are looked
// up, and now and then everything is.
//
// A tenant's other keys ([Start].Renewed) are a cut that the follower makes itself: it lets go
// of the line and the feed, whose keys are overwritten, and goes on over new ones.
//
// # Who is authoritative
//
// The broker, about what happened; the ledger, about what is recorded. What a follower holds
// (book) is folded from the tenant's outcomes and updates, as far back as its last update
// says ([order.Update].OpenSince): so a new owner of the shard begins where the one before
// ended, without reading the whole ledger.
//
// One writer: an update is appended by compare-and-set on the tenant's last one, with the
// epoch of the lease, and only while the lease says that nobody else owns the shard.
//
// # What is recorded
//
// Fills and ends. What a broker says beside that (new, accepted, pending, done for day, a
// replacement refused) is left out: it changes nothing, and the lists do not keep it. Orders
// that the fleet did not place are left out, but for those that took the place of one that it
// placed, and the legs of brackets, OCO and OTO orders, which the broker itself makes: they
// count as the intent's that they came from. A multi-leg order is one order.
package updates
