// Package outage tells a broker that is down from tenants that are in trouble of their
// own, and lets few tenants find out when it is back.
//
// Each session has a breaker of its own (package session). What one session cannot know is
// whether the others fail too. One goroutine a worker, the [Watch]'s, knows: sessions tell
// it over a channel when their breaker opens, when they want to probe, and when a probe
// succeeded. While all is well they tell it nothing but that they begin and end. It owns all that is here but the two
// channels that a [Member] looks at, and it never waits for a session.
//
// It sees the tenants of one broker address in one of these states:
//
//	          more than few fail             nobody answers in time
//	+------+ -------------------> +--------+ ----------------------> +--------+
//	| calm |                      | asking |                         | outage | one probe an
//	+------+ <---+                +--------+ <------+                +--------+ interval
//	    ^        |                    | a member    | patience          |
//	    |        | few fail           | succeeds    | is over           | any member
//	    |        |                    v             |                   | succeeds
//	    |        +------------------ +-------+ -----+                   |
//	    |                            | mixed | <------------------------+ many still fail
//	    |                            +-------+                          |
//	    +---------------------------------------------------------------+ few fail, or all left
//
// Calm, asking, mixed: a tenant whose breaker is open probes when its pause is over; its
// trouble is its own. Outage: who wants to probe waits for its turn, first come first served,
// so that a tenant with trouble of its own cannot use up the probes of the others. Members
// queue when their pauses begin, so that in an outage one probes every interval, however long
// the pauses have become. The first success ends it: all are let go, spread over a time that
// grows with their number.
//
// Where places for sessions are scarce, tenants leave while they wait. Then an outage may not
// be seen, and each tenant's own breaker bounds its requests.
//
// To learn that others succeed, the watch asks: it puts a question into a channel with one
// place that all members of the address look into when a request succeeded. The first one
// takes it out and answers. The channel is empty while all is well, and a look into an
// empty channel takes no lock and writes nothing: that is all that tenants share.
package outage
