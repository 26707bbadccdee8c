package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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

// Peek is a key's last change, as some replica of the bucket knows it; [ErrNone] if it knows of
// none. The request names the key, so that a user can be let read this key and no other.
func (b *Bucket) Peek(ctx context.Context, key string) (KeyChange, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := b.ledger.nc.RequestWithContext(ctx, b.ledger.api+"DIRECT.GET."+b.stream()+"."+b.subject(key), nil)
	if err != nil {
		return KeyChange{}, b.failed("read "+key+" of", err)
	}
	switch status := m.Header.Get(statusHeader); status {
	case "":
	case statusNotFound:
		return KeyChange{}, fmt.Errorf("ledger: %s of bucket %s: %w", key, b.name, ErrNone)
	default:
		return KeyChange{}, b.failed("read "+key+" of", fmt.Errorf("the server says %s %s", status, m.Header.Get("Description")))
	}
	revision, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return KeyChange{}, b.failed("read "+key+" of", fmt.Errorf("the server's answer has no sequence number: %w", err))
	}
	c := KeyChange{Key: key, Revision: revision}
	c.Time, err = time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if m.Header.Get(operationHeader) == "" && m.Header.Get(jetstream.MarkerReasonHeader) == "" {
		c.Value = m.Data
	}
	return c, err
}

// Discard removes a key, whatever it holds.
func (b *Bucket) Discard(ctx context.Context, key string) error {
	msg := &nats.Msg{Subject: b.subject(key), Header: nats.Header{operationHeader: []string{operationDelete}}}
	if _, err := b.ledger.js.PublishMsg(ctx, msg); err != nil {
		return b.failed("delete "+key+" of", err)
	}
	return nil
}
