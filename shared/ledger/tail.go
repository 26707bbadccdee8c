package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// End is the sequence number of a shard's last message, 0 if there is none to
// read.
func (l *Ledger) End(ctx context.Context, shard int) (uint64, error) {
	stream, err := l.js.Stream(ctx, StreamName(shard))
	if err != nil {
		return 0, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return 0, nil
	}
	return state.LastSeq, nil
}

// Led says whether a shard's stream has a leader, without which it takes nothing, or is not
// there at all and never will.
func (l *Ledger) Led(ctx context.Context, shard int) (bool, error) {
	stream, err := l.js.Stream(ctx, StreamName(shard))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	cluster := stream.CachedInfo().Cluster
	return cluster == nil || cluster.Leader != "", nil
}

// Tail reads a shard's stream from a sequence number on, and then whatever comes,
// and calls deliver for each message in order, from one goroutine. It goes on
// through server restarts and cuts. It ends with ctx's error, or deliver's, or
// the first one that waiting cannot cure.
func (l *Ledger) Tail(ctx context.Context, shard int, from uint64, deliver func(Entry) error) error {
	return l.tail(ctx, shard, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   max(from, 1),
	}, deliver)
}

// Start is where [Ledger.Follow] begins: at a sequence number, else at a time, else now.
type Start struct {
	Seq  uint64
	Time time.Time
}

// Follow is [Ledger.Tail] for the messages of one class of one tenant. The server passes
// over all others of the shard, which costs it about as much as reading them.
func (l *Ledger) Follow(ctx context.Context, class Class, tenant string, start Start, deliver func(Entry) error) error {
	shard := l.ShardOf(tenant)
	cfg := jetstream.ConsumerConfig{
		FilterSubject: class.Subject(shard, tenant),
		DeliverPolicy: jetstream.DeliverNewPolicy,
	}
	switch {
	case start.Seq > 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, start.Seq
	case !start.Time.IsZero():
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &start.Time
	}
	return l.tail(ctx, shard, cfg, deliver)
}

func (l *Ledger) tail(ctx context.Context, shard int, cfg jetstream.ConsumerConfig, deliver func(Entry) error) error {
	return l.consume(ctx, StreamName(shard), cfg, func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
		e, ok := entry(m.Subject(), meta.Sequence.Stream, meta.Timestamp, m.Data())
		if !ok {
			return nil // not ours: the stream's subjects admit no other
		}
		return deliver(e)
	})
}
