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

// ErrNotProvisioned says that the server has no ledger yet.
var ErrNotProvisioned = errors.New("ledger: there is no stream ORDERS_0 on this server; provision the ledger first (worker provision)")

// ackTimeout is how long an append waits for its acknowledgement before its fate
// is unknown and has to be read from the ledger.
const ackTimeout = 2 * time.Second

const (
	// requestTimeout bounds one read.
	requestTimeout = 5 * time.Second
	// leaderTimeout bounds one that only the stream's leader answers. Between two leaders
	// nobody does, and the request is lost.
	leaderTimeout = 2 * time.Second
)

// Ledger is an open ledger. Safe for concurrent use.
type Ledger struct {
	nc *nats.Conn
	js jetstream.JetStream
	// api is where the JetStream API is.
	api    string
	shards int
	// retention is how long messages are kept at least, 0 for ever.
	retention time.Duration
	// readers are those that a user behind a border has; nil for everybody else.
	readers *readers
	sinces  sinces
}

// Open opens the ledger of the server that nc is connected to. It learns the
// number of shards from the ledger itself, and whether there is a border between us and
// it ([BorderAPI]).
func Open(ctx context.Context, nc *nats.Conn) (*Ledger, error) {
	options := []jetstream.JetStreamOpt{
		jetstream.WithPublishAsyncMaxPending(1 << 16), // sessions bound themselves: one each
		jetstream.WithPublishAsyncTimeout(ackTimeout),
	}
	js, err := jetstream.New(nc, options...)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	stream, err := js.Stream(ctx, StreamName(0))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, ErrNotProvisioned
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return openBehind(ctx, nc, options)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read stream %s: %w", StreamName(0), err)
	}
	shards, err := strconv.Atoi(stream.CachedInfo().Config.Metadata[metaShards])
	if err != nil || shards < 1 {
		return nil, fmt.Errorf("ledger: stream %s does not say how many shards there are (metadata %s); was it made by hand? Provision the ledger", StreamName(0), metaShards)
	}
	retention, err := retentionOf(stream.CachedInfo().Config)
	if err != nil {
		return nil, err
	}
	return &Ledger{nc: nc, js: js, api: jetstream.DefaultAPIPrefix, shards: shards, retention: retention}, nil
}

// Retention is how long the ledger keeps messages at least, 0 for ever.
func (l *Ledger) Retention() time.Duration { return l.retention }

// Shards is the number of shards.
func (l *Ledger) Shards() int { return l.shards }

// ShardOf is the shard of a tenant.
func (l *Ledger) ShardOf(tenant string) int { return ShardOf(tenant, l.shards) }

// JetStream is the connection's JetStream context, to look at streams and buckets with.
func (l *Ledger) JetStream() jetstream.JetStream { return l.js }

// Entry is one message of the ledger.
type Entry struct {
	Class  Class
	Tenant string
	Seq    uint64    // in its shard's stream
	Time   time.Time // when the stream took it
	Data   []byte
	// Header is what came with it, as a reading in order shows it; single reads leave it out.
	Header nats.Header
}

// AwaitConnection waits until the connection to the server is there, or stop is closed
// (nil), or ctx ends (its cause), or the connection is closed for good. What is published before that would wait in the client,
// and arrive when it means something else.
func (l *Ledger) AwaitConnection(ctx context.Context, stop <-chan struct{}) error {
	changed := l.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer l.nc.RemoveStatusListener(changed)
	return l.awaitConnection(ctx, changed, stop)
}

// awaitConnection is AwaitConnection with a listener to what changes, which hears of
// CONNECTED and CLOSED at least.
func (l *Ledger) awaitConnection(ctx context.Context, changed <-chan nats.Status, stop <-chan struct{}) error {
	for {
		switch l.nc.Status() {
		case nats.CONNECTED:
			return nil
		case nats.CLOSED:
			return nats.ErrConnectionClosed
		default:
		}
		select {
		case <-changed:
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
