package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MappingError says that publishes to intents.<tenant> do not arrive at the
// tenant's shard, and prints the server configuration that is missing.
type MappingError struct {
	Shards  int
	Problem string
}

func (e *MappingError) Error() string {
	from, to := Mapping(e.Shards)
	return fmt.Sprintf("ledger: the account mapping is not live: %s\n"+
		"Add this to the account's block in the NATS server configuration (or to its top level, if there are no accounts) and reload the server:\n\n"+
		"  mappings = {\n    %q: %q\n  }\n", e.Problem, from, to)
}

// dryRunStream is a stream that does not exist: a publish that expects it is
// refused by the stream that would have taken it, so nothing is stored.
const dryRunStream = "ORDERFLEET_DRY_RUN"

// VerifyMapping publishes a probe for every shard through the account mapping, in
// a way that every stream refuses to store, and checks where each arrived. It
// returns a [*MappingError] if one went astray.
func VerifyMapping(ctx context.Context, nc *nats.Conn, shards int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for shard, probe := range probes(shards) {
		if err := verifyProbe(ctx, nc, shards, shard, probe); err != nil {
			return err
		}
	}
	return nil
}

// probes are tenant names, one that hashes to each shard.
func probes(shards int) []string {
	names := make([]string, shards)
	for i, found := 0, 0; found < shards; i++ {
		name := "_probe" + strconv.Itoa(i)
		if s := ShardOf(name, shards); names[s] == "" {
			names[s] = name
			found++
		}
	}
	return names
}

func verifyProbe(ctx context.Context, nc *nats.Conn, shards, shard int, probe string) error {
	sub, err := nc.SubscribeSync("intents.*." + probe)
	if err != nil {
		return fmt.Errorf("ledger: watch the mapping: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is gone then
	msg := nats.NewMsg(PublishSubject(probe))
	msg.Header.Set("Nats-Expected-Stream", dryRunStream)

	_, err = nc.RequestMsgWithContext(ctx, msg)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return &MappingError{shards, "no stream took a publish to " + msg.Subject}
	case err != nil:
		return fmt.Errorf("ledger: dry run of a publish to %s: %w", msg.Subject, err)
	}
	// The subscription was served before the stream answered.
	got, err := sub.NextMsgWithContext(ctx)
	if err != nil {
		return &MappingError{shards, fmt.Sprintf("a publish to %s did not arrive at %s", msg.Subject, Intents.Subject(shard, probe))}
	}
	if want := Intents.Subject(shard, probe); got.Subject != want {
		return &MappingError{shards, fmt.Sprintf("a publish to %s arrived at %s, not at %s", msg.Subject, strings.TrimSpace(got.Subject), want)}
	}
	return nil
}

// Unmapped says whether a publish that nobody took never will be: the tenant's stream takes
// what comes by its own subject, and not what is published, so the account mapping is missing;
// or there is no stream. Otherwise the stream had no leader for a while.
func (l *Ledger) Unmapped(ctx context.Context, tenant string) (bool, error) {
	shard := l.ShardOf(tenant)
	own := Intents.Subject(shard, tenant)
	for _, step := range []struct {
		subject string
		takes   bool // for the mapping to be what is missing
	}{
		{own, true},
		{PublishSubject(tenant), false}, // a leader may be there by now
		{own, true},                     // and still is
	} {
		takes, err := l.takes(ctx, step.subject)
		switch {
		case err != nil:
			return false, err
		case takes && !step.takes:
			return false, nil
		case !takes && step.takes:
			return l.missing(ctx, shard)
		}
	}
	return true, nil
}

// takes says whether a stream answers a publish to a subject, which it does not store.
func (l *Ledger) takes(ctx context.Context, subject string) (bool, error) {
	msg := nats.NewMsg(subject)
	msg.Header.Set("Nats-Expected-Stream", dryRunStream)
	_, err := l.nc.RequestMsgWithContext(ctx, msg)
	if err != nil && !errors.Is(err, nats.ErrNoResponders) {
		return false, fmt.Errorf("ledger: dry run of a publish to %s: %w", subject, err)
	}
	return err == nil, nil
}

// missing says that a shard has no stream.
func (l *Ledger) missing(ctx context.Context, shard int) (bool, error) {
	_, err := l.js.Stream(ctx, StreamName(shard))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	return false, nil
}
