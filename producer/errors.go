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
	// ErrRefused: a stream refused the intent, for the reason that follows.
	ErrRefused = errors.New("the ledger refused it")
	// ErrUnknown: no acknowledgement came in time. Whether the intent is on the ledger is
	// not known; publishing it again with the same id is safe.
	ErrUnknown = errors.New("no acknowledgement; it may be on the ledger: publish it again with the same id")
	// ErrMisrouted: the intent arrived at another shard than its tenant's.
	ErrMisrouted = errors.New("it arrived at the wrong shard: the server's account mapping does not match the ledger; run worker provision")
	// ErrHeldBack: an earlier intent of the tenant failed, and this one may not overtake it.
	ErrHeldBack = errors.New("held back: an earlier intent of the tenant failed")
)

// explain turns an error of the client library into one that says what to do.
func explain(tenant, id string, err error) error {
	var why error
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		why = ErrNoStream
	case errors.Is(err, nats.ErrPermissionViolation):
		why = fmt.Errorf("%w (%s)", ErrPermission, ledger.PublishSubject(tenant))
	case errors.Is(err, nats.ErrMaxPayload):
		why = fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.As(err, &api):
		why = fmt.Errorf("%w: %w", ErrRefused, err)
	default:
		why = fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return fmt.Errorf("producer: publish intent %s of tenant %s: %w", id, tenant, why)
}

// codeTemporarilyUnavailable is the server's code for a JetStream that is starting.
const codeTemporarilyUnavailable jetstream.ErrorCode = 10008

// transient says whether trying again, under the same id, may help.
func transient(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode == codeTemporarilyUnavailable
	}
	return errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrDisconnected) || errors.Is(err, jetstream.ErrAsyncPublishTimeout) ||
		errors.Is(err, nats.ErrReconnectBufExceeded)
}
