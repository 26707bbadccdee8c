package inquiry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/natsconn"
)

// ErrNobody says that nobody listens to a shard's questions.
var ErrNobody = errors.New("inquiry: nobody answers for the shard: it has no owner just now, or its owner is of a release that answers no questions")

// ErrSilent says that the owner of a shard was asked, and said nothing for too long: it is
// frozen, cut off, or has lost the shard meanwhile.
var ErrSilent = errors.New("inquiry: the owner of the shard was asked and says nothing")

// RefusedError is an owner's refusal.
type RefusedError struct {
	Worker string
	Refusal
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("inquiry: worker %s refuses (%s): %s", e.Worker, e.Code, e.Message)
}

// Passing says that a failure to be answered may pass: the shard has no owner just now, or
// changes it, or its owner has its hands full.
func Passing(err error) bool {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Code == Busy || refused.Code == Leaving
	}
	return errors.Is(err, ErrNobody) || errors.Is(err, ErrSilent)
}

// silence is for how long an owner may say nothing: several of its signs of life.
const silence = 5 * time.Second

// Ask asks the owner of a shard. An answer may take as long as the owner gives signs of life,
// or until ctx ends. It fails with [ErrNobody], [ErrSilent], a [*RefusedError], ctx's error,
// a [*natsconn.DeniedError], or another one of the connection.
func Ask(ctx context.Context, nc *nats.Conn, shard int, q Question) (Answer, error) {
	q.Version = Version
	if err := q.validate(); err != nil {
		return Answer{}, err
	}
	body, err := json.Marshal(q, wire)
	if err != nil {
		return Answer{}, fmt.Errorf("inquiry: encode a question: %w", err)
	}
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return Answer{}, fmt.Errorf("inquiry: ask: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is gone then
	var a Answer
	err = natsconn.Permitted(ctx, nc, Subject(shard), func(ctx context.Context) error {
		if err := nc.PublishRequest(Subject(shard), inbox, body); err != nil {
			return fmt.Errorf("inquiry: ask: %w", err)
		}
		for {
			if a, err = hear(ctx, sub); err != nil || !a.UnderWay {
				return err
			}
		}
	})
	return a, err
}

// hear waits for the next word of the owner.
func hear(ctx context.Context, sub *nats.Subscription) (Answer, error) {
	waiting, cancel := context.WithTimeoutCause(ctx, silence, ErrSilent)
	defer cancel()
	m, err := sub.NextMsgWithContext(waiting)
	switch {
	case err != nil && ctx.Err() != nil:
		return Answer{}, context.Cause(ctx)
	case err != nil && waiting.Err() != nil:
		return Answer{}, ErrSilent
	case errors.Is(err, nats.ErrNoResponders), err == nil && len(m.Data) == 0 && m.Header.Get("Status") == "503":
		return Answer{}, ErrNobody
	case err != nil:
		return Answer{}, fmt.Errorf("inquiry: ask: %w", err)
	}
	a, err := decode[Answer](m.Data, maxAnswer)
	if err == nil && a.Refused != nil {
		err = &RefusedError{a.Worker, *a.Refused}
	}
	return a, err
}
