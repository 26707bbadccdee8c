// Package pool lets many tenants on many workers share one rate limit, as that of a
// correspondent of the Broker API: never more requests than the limit in any window of its
// length, wherever that begins, as the broker counts arrivals; and at least 95% of it used while
// it is wanted.
//
//	tenant's session          worker's Client: one goroutine        banker: one goroutine
//	(its own goroutine)       owns a till for each pool             owns a bank for each pool
//	   | Wait                     |                                     |
//	   |------------------------->| ask: who wants how many, by weight  |
//	   | other intents of the     | and class; what became of tokens    |
//	   | tenant wait behind it    |------------------------------------>| whose turn it is:
//	   |                          |          pools.<shard>              | start-time fair queueing
//	   |          a Token         |<------------------------------------|
//	   |<-------------------------|   grant: pools.<shard>.<worker>     |
//	   | writes its request, if the token is still good                 |
//	   | Used or Back             |                                     |
//	   |------------------------->| in the next ask                     |
//
// The banker of a pool is the owner of the shard that the pool's name hashes to: leases
// (package fleet) see that there is one, that it is silent while its lease is in doubt, and
// that its successor knows since when. It keeps nothing: its successor begins with nothing but
// that time. Messages may be lost, late and, between workers, in any order; asks tell all that
// is wanted anew, a few times a second. Only tenants that share a pool share anything, and of
// a session's waiting only its own channel is seen by others.
//
// To its worker, a request is in one of these states:
//
//	          asked for              granted                 written
//	waiting ------------> wanted ---------------> token ------------------> used: counts until its
//	   |                    |                       |                             window is over
//	   |     no banker is heard for a second        | its time is over, or nobody
//	   +-------------------+------------------+     | wants it any more
//	                                          |     +---------------------> back: counts no more
//	                                          v
//	                   a token of what no banker hands out, if the worker's share has one
//
// # Why no window has more than the limit
//
// Let N be the limit, W the window. F = N/40, rounded down, is left to the workers; B = N-F is
// the banker's. Tokens are due every W/B (rounded up). A token that is due at g is handed out
// not long after g; its request is written before g+life, or not at all, and has reached the
// broker before g+reach, reach being life and transit, the time that a request may take to get
// there: an eighth of the window, or a second if that is less. (This is all that is assumed of
// the network. A process that is frozen between its last look at the clock and its write may
// break it, as it may break a lease; and so may a feed that takes long to open.) The worker knows until when a token is good by its own clock, without
// any clock of others: the banker says how long after which ask of the worker's the token was
// due, and the worker counts from when it sent that ask, which was before it came.
//
//	         due                    last write           last arrival
//	----------|---------------------------|---------------------|------> time
//	          |<---------- life --------->|<----- transit ----->|
//	          |<--------------------- reach ------------------->|
//
// One banker: each token takes a place, from when it is handed out until W after the latest
// moment at which its request can have arrived: that is g+reach or, once the worker has told
// that the request was answered, when that was. A token is handed out only if fewer than B
// places are taken. Consider any window, and the token that was handed out last of those whose
// requests arrive in it. When it was, all the others had their places: they were handed out
// before, and will arrive, or have, less than W before. So they are B with it, at most. (How
// long ago something was answered, workers tell by their own clocks, as of when they send
// it; when the banker gets it, it was even longer ago.)
//
// Several bankers, one after another: the last one's knows of no place. But a banker hands out
// nothing before reach + W/B after its predecessor can have handed out its last token. Of any
// window, push the arrivals of each banker back by reach for every change of bankers before it
// that the window sees: then all due times lie within a stretch of W, and are W/B apart. So they
// are B, at most.
//
// Without a banker: each worker uses a share of F. It knows the fleet's members from the same
// bucket as all, in the same order of changes, no later than stale: who sees less gives its
// shards up, and makes no requests. A share is the least that follows from any set of
// members that the worker saw in the last W + reach + 2*stale, and nothing if it was in none of
// them. Consider any window, and the set that was true stale before it began. Every worker has
// seen just that set in the time that it looks back to, from wherever in the window. The
// shares of one set sum up to F, so the least of several do, at most. This holds
// beside a banker, too: N = B+F.
//
// # Why 95% of it is used
//
// A place is taken for W and the time from the handing out of a token to the answer of its
// request. So a part of d/W is lost, d being a few milliseconds of the messages and the
// broker's own time to answer; and F/N, which is 2.5% at most. A change of bankers costs reach,
// and what the lease's end costs, of one window.
//
// # Who comes first
//
// Of those that want something, by their weights. Urgent requests, cancels and lookups that
// resolve a doubt, come before all others as long as they are no more than the reserve;
// beyond that they are as others, and they count for their tenant's part. So a reserve keeps
// nothing unused. Followers and reconciliations come last, and get one token in twenty
// whatever others want.
//
// # What the broker says
//
// Answers state how much of the broker's window remains: what is missing beyond our own requests,
// somebody else used with the same key, and it is not handed out until that window ends. A
// refusal (429) stops the pool for as long as the broker asks.
package pool
