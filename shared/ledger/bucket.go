package ledger

import (
	"context"
	"encoding/json"
	"errors"
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

func (b *Bucket) stream() string { return "KV_" + b.name }

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
	seq, err := b.ledger.publish(ctx, &nats.Msg{Subject: b.subject(key), Data: value}, opts...)
	if err != nil {
		if b.ledger.Behind() && errors.Is(err, jetstream.ErrNoStreamResponse) {
			err = fmt.Errorf("%w: %w", ErrNoHand, err)
		}
		return 0, b.failed("write "+key+" of", err)
	}
	return seq, nil
}

// Delete removes a key if its last change is after; see [Bucket.Put].
func (b *Bucket) Delete(ctx context.Context, key string, after uint64) error {
	return b.remove(ctx, key, jetstream.WithExpectLastSequencePerSubject(after))
}

// Discard removes a key, whatever it holds. The bucket is one whose keys may have a time to live: no
// trace of the key is left after a minute.
func (b *Bucket) Discard(ctx context.Context, key string) error {
	return b.remove(ctx, key, jetstream.WithMsgTTL(traceOfRemoval))
}

// traceOfRemoval is how long a bucket remembers that a key was removed.
const traceOfRemoval = time.Minute

func (b *Bucket) remove(ctx context.Context, key string, how jetstream.PublishOpt) error {
	msg := &nats.Msg{Subject: b.subject(key), Header: nats.Header{operationHeader: []string{operationDelete}}}
	if _, err := b.ledger.publish(ctx, msg, how); err != nil {
		return b.failed("delete "+key+" of", err)
	}
	return nil
}

// Empty says that the bucket has no change to be read.
func (b *Bucket) Empty(ctx context.Context) (bool, error) {
	stream, err := b.ledger.js.Stream(ctx, b.stream())
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
	Time     time.Time // when the bucket took it
	// Current says that this was the bucket's last change when it was read: whoever has
	// seen it has seen all.
	Current bool
}

// Watch calls deliver with the last change of every key, in the order in which they were
// made, and then with every change. It ends as [Ledger.Tail] does. A cut from the server
// that lasts longer than the bucket remembers removals, a minute, may hide one.
func (b *Bucket) Watch(ctx context.Context, deliver func(KeyChange) error) error {
	cfg := jetstream.ConsumerConfig{FilterSubject: b.subject(">"), DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}
	return b.consume(ctx, cfg, 0, deliver)
}

// Read calls deliver with every change that the bucket still has of a key, or with ">" of
// all keys, in the order in which they were made, from a start up to the revision end. It
// ends as [Ledger.Read] does.
func (b *Bucket) Read(ctx context.Context, key string, from Start, end uint64, deliver func(KeyChange) error) error {
	if end == 0 || from.Seq > end {
		return nil
	}
	if from.Time.IsZero() {
		from.Seq = max(from.Seq, 1)
	}
	cfg := from.config()
	cfg.FilterSubject = b.subject(key)
	return b.consume(ctx, cfg, end, func(c KeyChange) error {
		if c.Revision > end {
			return nil
		}
		return deliver(c)
	})
}

// ReadLast calls deliver with the last change of every key that a pattern covers, as switch.>,
// in the order in which they were made, and with what comes of them meanwhile. It ends as
// [Ledger.Read] does. It is for buckets that keep every change: in others, a key that is changed
// meanwhile may be missing.
func (b *Bucket) ReadLast(ctx context.Context, pattern string, deliver func(KeyChange) error) error {
	end, err := b.End(ctx)
	if err != nil || end == 0 {
		return err
	}
	cfg := jetstream.ConsumerConfig{FilterSubject: b.subject(pattern), DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}
	return b.consume(ctx, cfg, end, deliver)
}

func (b *Bucket) consume(ctx context.Context, cfg jetstream.ConsumerConfig, end uint64, deliver func(KeyChange) error) error {
	err := b.ledger.consume(ctx, b.stream(), cfg, end, func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
		return deliver(b.change(m, meta))
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w: %w", ErrOlder, err)
	}
	return err
}

// change reads a change of the bucket.
func (b *Bucket) change(m jetstream.Msg, meta *jetstream.MsgMetadata) KeyChange {
	c := KeyChange{
		Key:      strings.TrimPrefix(m.Subject(), b.subject("")),
		Revision: meta.Sequence.Stream,
		Time:     meta.Timestamp,
		Current:  meta.NumPending == 0,
	}
	if h := m.Headers(); h.Get(operationHeader) == "" && h.Get(jetstream.MarkerReasonHeader) == "" {
		c.Value = m.Data()
	}
	return c
}

// End is the revision of the bucket's last change, 0 if there was none: every change that was
// acknowledged before is up to it.
func (b *Bucket) End(ctx context.Context) (uint64, error) {
	stream, err := b.ledger.js.Stream(ctx, b.stream())
	if err != nil {
		return 0, b.failed("read", err)
	}
	return stream.CachedInfo().State.LastSeq, nil
}

// Counts is how many changes the bucket has of each key that a pattern covers, as its leader
// knows it.
func (b *Bucket) Counts(ctx context.Context, pattern string) (map[string]uint64, error) {
	stream, err := b.ledger.js.Stream(ctx, b.stream())
	if err != nil {
		return nil, b.failed("count the keys of", err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(b.subject(pattern)))
	if err != nil {
		return nil, b.failed("count the keys of", err)
	}
	counts := make(map[string]uint64, len(info.State.Subjects))
	for subject, n := range info.State.Subjects {
		counts[strings.TrimPrefix(subject, b.subject(""))] = n
	}
	return counts, nil
}

// last is a key's last change, as the bucket's leader knows it. Behind a border, where only
// requests are permitted that name the key in their subjects, it is what some replica knows: a
// compare-and-set on it may then have to be tried again.
func (b *Bucket) last(ctx context.Context, key string) (*rawMessage, error) {
	if b.ledger.readers == nil {
		return b.ledger.leaderRaw(ctx, b.stream(), getRequest{LastBySubject: b.subject(key)})
	}
	m, err := b.ledger.lastOf(ctx, b.stream(), b.subject(key))
	if err != nil {
		return nil, err
	}
	seq, err := sequence(m)
	if err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", m.Header.Get(jetstream.SubjectHeader), err)
	}
	return &rawMessage{Subject: m.Header.Get(jetstream.SubjectHeader), Seq: seq, Data: m.Data}, nil
}

// Last is the revision of a key's last change, 0 if there was none, as the bucket's leader
// knows it: what to put a key after.
func (b *Bucket) Last(ctx context.Context, key string) (uint64, error) {
	m, err := b.last(ctx, key)
	switch {
	case errors.Is(err, ErrNone):
		return 0, nil
	case err != nil:
		return 0, b.failed("read "+key+" of", err)
	}
	return m.Seq, nil
}

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

// Next is the revision of a key's first change behind another revision, 0 if there is none.
func (b *Bucket) Next(ctx context.Context, key string, behind uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ask := getRequest{Seq: behind + 1, NextBySubject: b.subject(key)}
	body, err := json.Marshal(ask)
	if err != nil {
		return 0, fmt.Errorf("ledger: %w", err)
	}
	m, err := b.ledger.request(ctx, b.ledger.api+"DIRECT.GET."+b.stream(), body)
	if err != nil {
		return 0, b.failed("read "+key+" of", err)
	}
	if m.Header.Get(statusHeader) == "" {
		return sequence(m)
	}
	// The replica that answered may lag behind.
	found, err := b.ledger.leaderRaw(ctx, b.stream(), ask)
	switch {
	case errors.Is(err, ErrNone):
		return 0, nil
	case err != nil:
		return 0, b.failed("read "+key+" of", err)
	}
	return found.Seq, nil
}

// failed explains what could not be done with the bucket.
func (b *Bucket) failed(what string, err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("%w: %w", ErrOlder, err)
	}
	return fmt.Errorf("ledger: %s bucket %s: %w", what, b.name, advised(err))
}
