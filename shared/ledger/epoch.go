package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Epoch says on the ledger itself that a worker owns a shard from here on. Its outcomes of
// the shard come behind it.
type Epoch struct {
	Version int    `json:"v"`
	Epoch   uint64 `json:"epoch"`
	Worker  string `json:"worker"`
	// At is when the worker took the shard, by its clock.
	At time.Time `json:"at"`
}

// epochSubject is where a shard's stream keeps an epoch: each by itself, so that a bound on what
// a tenant may have there, which is one on each subject, is none on epochs.
//
// The stream takes them by a subject with a wildcard, as everything else that it takes: a
// push consumer delivers only where somebody listens to its very subject. So who may make a
// consumer, and names a subject of the ledger for it to deliver to, writes nothing there.
func epochSubject(shard int, epoch uint64) string {
	return Epochs.Subject(shard, strconv.FormatUint(epoch, 10))
}

// olderEpochSubject is where older releases kept them.
func olderEpochSubject(shard int) string { return Epochs.String() + "." + strconv.Itoa(shard) }

// Begin writes an epoch and returns its sequence number in the shard. It is a barrier:
// whatever the stream's leader had taken before, acknowledged or not, stands before it or
// never will. (Asked for its last message, a leader leaves out what is still on its way to
// the replicas.) After an error the epoch may be there or not; writing it again does no
// harm.
func (l *Ledger) Begin(ctx context.Context, shard int, e Epoch) (uint64, error) {
	e.Version = 1
	data, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("ledger: encode an epoch: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	ack, err := l.js.Publish(ctx, epochSubject(shard, e.Epoch), data, jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, fmt.Errorf("ledger: begin an epoch of %s: %w", StreamName(shard), advised(l.older(ctx, shard, Epochs, err)))
	}
	return ack.Sequence, nil
}

// DecodeEpoch reads an epoch.
func DecodeEpoch(data []byte) (Epoch, error) {
	var e Epoch
	if err := json.Unmarshal(data, &e); err != nil {
		return Epoch{}, fmt.Errorf("ledger: epoch: %w", err)
	}
	return e, nil
}

// ErrOlder says that the ledger was provisioned by a release that did not know all the
// messages that are now on it.
var ErrOlder = errors.New("the ledger is of an older release; provision it again (worker provision)")

// errUnled says that nobody leads a stream for now.
var errUnled = errors.New("the stream has no leader")

// older explains why nobody took a message: between two leaders nobody does, and from a
// ledger of an older release nobody ever will.
func (l *Ledger) older(ctx context.Context, shard int, c Class, err error) error {
	if !errors.Is(err, jetstream.ErrNoStreamResponse) {
		return err
	}
	stream, lookup := l.js.Stream(ctx, StreamName(shard))
	if lookup == nil && !slices.ContainsFunc(stream.CachedInfo().Config.Subjects, func(s string) bool { return strings.HasPrefix(s, c.String()+".") }) {
		return fmt.Errorf("%w: %w", ErrOlder, err)
	}
	return fmt.Errorf("%w: %w", errUnled, err)
}
