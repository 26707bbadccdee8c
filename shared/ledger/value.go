package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
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

// Set writes a key, whatever it holds.
func (b *Bucket) Set(ctx context.Context, key string, value []byte) error {
	if _, err := b.ledger.publish(ctx, &nats.Msg{Subject: b.subject(key), Data: value}); err != nil {
		return b.failed("write "+key+" of", err)
	}
	return nil
}

// Discard removes a key, whatever it holds.
func (b *Bucket) Discard(ctx context.Context, key string) error {
	msg := &nats.Msg{Subject: b.subject(key), Header: nats.Header{operationHeader: []string{operationDelete}}}
	if _, err := b.ledger.publish(ctx, msg); err != nil {
		return b.failed("delete "+key+" of", err)
	}
	return nil
}
