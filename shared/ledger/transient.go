package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// passing are the server's error codes for a state that ends without anybody's help: a
// server that starts or stops, a stream between two leaders, a write that is still on its
// way through the cluster.
var passing = []jetstream.ErrorCode{
	10004, // incomplete results
	10007, // not assigned to this server
	10008, // JetStream temporarily unavailable: no leader
	10009, // not the leader
	10063, // the leader's sequence is another one than expected
	10076, // JetStream not enabled: shutting down
	10118, // stream is offline
	10158, // the same message id is on its way
	10163, // the last sequence of the subject is not known yet
	10164, // another write to the subject is on its way
	10167, // too many requests
}

// wanting are the codes for a lack of room, which lasts until somebody makes some.
var wanting = []jetstream.ErrorCode{
	10002, // the account's limit
	10023, // the server's limit
	10028, // its memory
	10047, // its storage
	10077, // the stream's limit; a server that stops says the same
}

// Transient says that an error is of a state that passes: the server or a stream's leader
// is away, starts, stops, or has too much to do. Trying again may work. Whether a write was
// done in spite of it, only the ledger knows.
func Transient(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return slices.Contains(passing, api.ErrorCode)
	}
	for _, e := range []error{
		nats.ErrTimeout, nats.ErrDisconnected, nats.ErrReconnectBufExceeded, nats.ErrStaleConnection,
		jetstream.ErrAsyncPublishTimeout, jetstream.ErrTooManyStalledMsgs, context.DeadlineExceeded, errUnled,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// ErrFull says what to do about a write for which [IsFull] is true. The server does not say by
// a code whether a tenant has used up its share or the stream is full: who else is refused
// tells.
var ErrFull = errors.New("there is no room: if only this tenant is refused, it has used up its share of the ledger (ORDERFLEET_LEDGER_MAX_PER_TENANT); " +
	"else raise ORDERFLEET_LEDGER_MAX_BYTES, or give the NATS server more storage; worker provision applies both")

// IsFull says that a stream, its account, or the server has no room for a message. Nothing
// was written.
func IsFull(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && slices.Contains(wanting, api.ErrorCode)
}

// incurable says that reading a stream cannot work again by itself: the connection is
// closed for good, the stream is gone, or the server does not understand us.
func incurable(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.Code < 500 && !Transient(err) && !IsFull(err)
	}
	return errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBadRequest)
}

// advised adds to an error what to do about it.
func advised(err error) error {
	if IsFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
