package producer

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Why a publish failed. Errors of [order.Intent.Validate] come as they are.
var (
	// ErrNoStream: no stream took the intent. The ledger, or the server's account mapping,
	// is missing.
	ErrNoStream = errors.New("no stream took it: the ledger or the server's account mapping is missing; run worker provision, which says what to add")
	// ErrPermission: the server does not let us publish for this tenant.
	ErrPermission = errors.New("the server does not permit publishing for this tenant")
	// ErrRefused: a stream refused the intent, for the reason that follows. It is not on the
	// ledger.
	ErrRefused = errors.New("the ledger refused it")
	// ErrFull: an [ErrRefused] for want of room.
	ErrFull = ledger.ErrFull
	// ErrUnknown: no acknowledgement came in time. Whether the intent is on the ledger is
	// not known; publishing it again with the same id is safe.
	ErrUnknown = errors.New("no acknowledgement; it may be on the ledger: publish it again with the same id")
	// ErrUnsent: there was no connection to a server to send it over, or no time left to send
	// it in. It is not on the ledger.
	ErrUnsent = errors.New("it was not sent: there is no connection to the NATS server, or no time left")
	// ErrMisrouted: the intent arrived at another shard than its tenant's.
	ErrMisrouted = errors.New("it arrived at the wrong shard: the server's account mapping does not match the ledger; run worker provision")
	// ErrHeldBack: an earlier intent of the tenant failed, and this one may not overtake it.
	ErrHeldBack = errors.New("held back: an earlier intent of the tenant failed")
)

// errOver says that the time was over before anything was sent.
var errOver = errors.New("the time was over before")

// explain turns an error of the client library into one that says what to do. inDoubt: an
// earlier try may have arrived, so that what ended the last one is not the whole truth.
func explain(tenant, id string, err error, inDoubt bool) error {
	var why error
	var api *jetstream.APIError
	switch {
	case inDoubt:
		why = fmt.Errorf("%w: %w", ErrUnknown, err)
	case noResponders(err):
		why = ErrNoStream
	case errors.Is(err, nats.ErrPermissionViolation):
		why = fmt.Errorf("%w (%s)", ErrPermission, ledger.PublishSubject(tenant))
	case ledger.IsFull(err):
		why = fmt.Errorf("%w: %w: %w", ErrRefused, ErrFull, err)
	case errors.Is(err, nats.ErrMaxPayload), errors.As(err, &api):
		why = fmt.Errorf("%w: %w", ErrRefused, err)
	case !mayHaveArrived(err):
		why = fmt.Errorf("%w: %w", ErrUnsent, err)
	default:
		why = fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return fmt.Errorf("producer: publish intent %s of tenant %s: %w", id, tenant, why)
}

// noResponders says that nobody took a publish: there is no stream for it, or it is between
// two leaders.
func noResponders(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse)
}

// mayHaveArrived says that a try that ended with err may be on the ledger all the same.
func mayHaveArrived(err error) bool {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return api.ErrorCode == codeInProcess
	case noResponders(err), errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrMaxPayload),
		errors.Is(err, errOver), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, jetstream.ErrTooManyStalledMsgs):
		return false
	}
	return true
}

// codeInProcess is the server's code for a message id that is on its way through the
// cluster already.
const codeInProcess jetstream.ErrorCode = 10158
