// Package producer publishes order intents and follows what becomes of them.
//
// What is promised: every intent whose publish was acknowledged (a [Receipt]) ends in
// exactly one outcome on the ledger, and at most one broker order bears its client
// order id. A publish that failed with [ErrUnknown] may have been acknowledged without
// us hearing of it: publishing it again, with the same id, is safe and leaves one.
//
//	Publish --ack--> Receipt --Await--> Outcome --AwaitUntil--> Life: filled, or done
//
// A tenant's intents reach the broker in the order in which they were published, one
// after the other's acknowledgement; see [Producer.PublishAll] for many at once.
package producer
