package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Value is what a key holds, as the bucket's leader knows it; [ErrNone] if it holds nothing.
func (b *Bucket) Value(ctx context.Context, key string) ([]byte, error) {
	m, err := b.last(ctx, key)
	switch {
	case errors.Is(err, ErrNone), err == nil && len(m.Data) == 0: // a mark that it was removed has no data
		return nil, fmt.Errorf("ledger: %s of bucket %s: %w", key, b.name, ErrNone)
	case err != nil:
		return nil, b.failed("read "+key+" of", err)
	}
	return m.Data, nil
}

// Discard removes a key, whatever it holds. The bucket is one whose keys may have a time to live: no
// trace of the key is left after a minute.
func (b *Bucket) Discard(ctx context.Context, key string) error {
	msg := &nats.Msg{Subject: b.subject(key), Header: nats.Header{operationHeader: []string{operationDelete}}}
	if _, err := b.ledger.publish(ctx, msg, jetstream.WithMsgTTL(traceOfRemoval)); err != nil {
		return b.failed("delete "+key+" of", err)
	}
	return nil
}

// traceOfRemoval is how long a bucket remembers that a key was removed.
const traceOfRemoval = time.Minute
