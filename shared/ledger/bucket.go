package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is a key-value bucket, written by compare-and-set and read as the stream that it
// is: every reader sees the same changes in the same order. The client library's own
// bucket forgets a key's time to live when it updates the key, and takes many seconds to
// notice that a server is gone. Safe for concurrent use.
type Bucket struct {
	ledger *Ledger
	name   string
}

// Bucket is the bucket with a name. It has to exist.
func (l *Ledger) Bucket(name string) *Bucket { return &Bucket{l, name} }

func (b *Bucket) subject(key string) string { return "$KV." + b.name + "." + key }

// Put writes a key if its last change is after (0: there was none that is still
// remembered), and returns the new revision. With a time to live, of a second at least,
// the server removes the key that long after. If somebody changed the key meanwhile, the
// error is one for which [IsConflict] is true; after any other error the key may have been
// written.
func (b *Bucket) Put(ctx context.Context, key string, value []byte, after uint64, ttl time.Duration) (uint64, error) {
	opts := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(after)}
	if ttl > 0 {
		opts = append(opts, jetstream.WithMsgTTL(ttl))
	}
	ack, err := b.ledger.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject(key), Data: value}, opts...)
	if err != nil {
		return 0, fmt.Errorf("ledger: write %s of bucket %s: %w", key, b.name, advised(err))
	}
	return ack.Sequence, nil
}

// Delete removes a key if its last change is after; see [Bucket.Put].
func (b *Bucket) Delete(ctx context.Context, key string, after uint64) error {
	msg := &nats.Msg{Subject: b.subject(key), Header: nats.Header{operationHeader: []string{operationDelete}}}
	if _, err := b.ledger.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(after)); err != nil {
		return fmt.Errorf("ledger: delete %s of bucket %s: %w", key, b.name, advised(err))
	}
	return nil
}

// Empty says that the bucket has no change to be read.
func (b *Bucket) Empty(ctx context.Context) (bool, error) {
	stream, err := b.ledger.js.Stream(ctx, "KV_"+b.name)
	if err != nil {
		return false, fmt.Errorf("ledger: read bucket %s: %w", b.name, err)
	}
	return stream.CachedInfo().State.Msgs == 0, nil
}

// How a bucket's stream marks a removed key; see ADR-8 and ADR-43 of NATS.
const (
	operationHeader = "KV-Operation"
	operationDelete = "DEL"
)

// KeyChange is one change of a bucket.
type KeyChange struct {
	Key      string
	Value    []byte // nil if the key was removed
	Revision uint64
	// Current says that this was the bucket's last change when it was read: whoever has
	// seen it has seen all.
	Current bool
}

// Watch calls deliver with the last change of every key, in the order in which they were
// made, and then with every change. It ends as [Ledger.Tail] does. A cut from the server
// that lasts longer than the bucket remembers removals, a minute, may hide one.
func (b *Bucket) Watch(ctx context.Context, deliver func(KeyChange) error) error {
	cfg := jetstream.ConsumerConfig{
		FilterSubject: b.subject(">"),
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}
	prefix := b.subject("")
	return b.ledger.consume(ctx, "KV_"+b.name, cfg, 0, func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
		c := KeyChange{Key: strings.TrimPrefix(m.Subject(), prefix), Revision: meta.Sequence.Stream, Current: meta.NumPending == 0}
		if h := m.Headers(); h.Get(operationHeader) == "" && h.Get(jetstream.MarkerReasonHeader) == "" {
			c.Value = m.Data()
		}
		return deliver(c)
	})
}
