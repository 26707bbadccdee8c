package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Action is what provisioning does about a difference.
type Action string

// The actions. A plan with a Refuse in it is not applied at all.
const (
	Create Action = "create"
	Update Action = "update"
	Refuse Action = "refuse"
)

// Change is one difference between the settings and what the server has.
type Change struct {
	Action Action `json:"action"`
	Object string `json:"object"` // stream or bucket
	Field  string `json:"field,omitempty"`
	Have   string `json:"have,omitempty"`
	Want   string `json:"want,omitempty"`
	Why    string `json:"why,omitempty"` // of a refusal
}

func (c Change) String() string {
	switch {
	case c.Action == Create:
		return "create " + c.Object
	case c.Why != "":
		return fmt.Sprintf("%s %s: %s is %s, wanted %s: %s", c.Action, c.Object, c.Field, c.Have, c.Want, c.Why)
	}
	return fmt.Sprintf("%s %s: %s from %s to %s", c.Action, c.Object, c.Field, c.Have, c.Want)
}

// RefusedError says why a plan was not applied: carrying it out could lose data.
type RefusedError struct{ Changes []Change }

func (e *RefusedError) Error() string {
	lines := make([]string, len(e.Changes))
	for i, c := range e.Changes {
		lines[i] = c.String()
	}
	return "ledger: nothing was changed, because this would lose data: " + strings.Join(lines, "; ")
}

// Provision makes the server's streams and bucket what s says, and checks that
// the account mapping is live. It returns what it changed. It is idempotent; it
// changes nothing and returns a [*RefusedError] if anything would lose data, and
// a [*MappingError] if all is well but the mapping.
func Provision(ctx context.Context, nc *nats.Conn, s Settings) ([]Change, error) {
	changes, err := Plan(ctx, nc, s)
	if err != nil {
		return nil, err
	}
	var refused []Change
	for _, c := range changes {
		if c.Action == Refuse {
			refused = append(refused, c)
		}
	}
	if len(refused) > 0 {
		return nil, &RefusedError{refused}
	}
	if err := apply(ctx, nc, s, changes); err != nil {
		return nil, err
	}
	return changes, VerifyMapping(ctx, nc, s.Shards)
}

// Plan compares the server with s and changes nothing.
func Plan(ctx context.Context, nc *nats.Conn, s Settings) ([]Change, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	var changes []Change
	for shard := range s.Shards {
		name := StreamName(shard)
		stream, err := js.Stream(ctx, name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			changes = append(changes, Change{Action: Create, Object: name})
		case err != nil:
			return nil, fmt.Errorf("ledger: read stream %s: %w", name, err)
		default:
			info := stream.CachedInfo()
			changes = append(changes, compare(info.Config, s.streamConfig(shard), info.State)...)
		}
	}
	extra, err := strayStreams(ctx, js, s.Shards)
	if err != nil {
		return nil, err
	}
	changes = append(changes, extra...)
	bucket, err := compareBucket(ctx, js, s.fleetConfig())
	changes = append(changes, bucket...)
	if err != nil || len(bucket) > 0 && bucket[0].Action == Create {
		return changes, err
	}
	said, err := compareAbout(ctx, js, s.about())
	return append(changes, said...), err
}

func (s Settings) about() about { return about{s.Shards, s.Retention} }

// compareAbout compares what the ledger says of itself.
func compareAbout(ctx context.Context, js jetstream.JetStream, want about) ([]Change, error) {
	bucket, err := js.KeyValue(ctx, FleetBucket)
	if err != nil {
		return nil, fmt.Errorf("ledger: read bucket %s: %w", FleetBucket, err)
	}
	have := "nothing"
	switch e, err := bucket.Get(ctx, AboutKey); {
	case err == nil:
		have = string(e.Value())
	case !errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, fmt.Errorf("ledger: read key %s of bucket %s: %w", AboutKey, FleetBucket, err)
	}
	if have == want.String() {
		return nil, nil
	}
	return []Change{{Action: Update, Object: FleetBucket, Field: AboutKey, Have: have, Want: want.String()}}, nil
}

// compareBucket lists what differs between the fleet's bucket and its settings.
func compareBucket(ctx context.Context, js jetstream.JetStream, want jetstream.KeyValueConfig) ([]Change, error) {
	stream, err := js.Stream(ctx, "KV_"+want.Bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return []Change{{Action: Create, Object: want.Bucket}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read bucket %s: %w", want.Bucket, err)
	}
	have := stream.CachedInfo().Config
	var changes []Change
	for _, f := range []struct {
		field      string
		have, want any
	}{
		{"replicas", have.Replicas, want.Replicas},
		{"keys with a time to live", have.AllowMsgTTL, true},
	} {
		if f.have != f.want {
			changes = append(changes, Change{Action: Update, Object: want.Bucket, Field: f.field, Have: fmt.Sprint(f.have), Want: fmt.Sprint(f.want)})
		}
	}
	return changes, nil
}

// strayStreams finds the streams of a ledger with more shards than are wanted.
func strayStreams(ctx context.Context, js jetstream.JetStream, shards int) ([]Change, error) {
	var stray []Change
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		n, err := strconv.Atoi(strings.TrimPrefix(name, "ORDERS_"))
		if err == nil && n >= shards && StreamName(n) == name {
			stray = append(stray, Change{
				Action: Refuse, Object: name, Field: "shards", Have: "more than " + strconv.Itoa(shards), Want: strconv.Itoa(shards),
				Why: "its tenants would be cut off from their history",
			})
		}
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("ledger: list streams: %w", err)
	}
	return stray, nil
}

// compare lists what differs between a stream and its settings.
func compare(have, want jetstream.StreamConfig, state jetstream.StreamState) []Change {
	var changes []Change
	differ := func(field string, h, w any, why string) {
		hs, ws := fmt.Sprint(h), fmt.Sprint(w)
		if hs == ws {
			return
		}
		action := Update
		if why != "" {
			action = Refuse
		}
		changes = append(changes, Change{action, want.Name, field, hs, ws, why})
	}
	unless := func(safe bool, why string) string {
		if safe {
			return ""
		}
		return why
	}

	shards := have.Metadata[metaShards]
	if shards == "" {
		shards = "not set"
	}
	differ("shards", shards, want.Metadata[metaShards],
		unless(state.Msgs == 0 && state.LastSeq == 0, "its tenants would be cut off from their history"))
	slices.Sort(have.Subjects)
	var older []string // subjects of releases before, whose messages are read all the same
	if shard, err := strconv.Atoi(want.Metadata[metaShard]); err == nil {
		older = append(older, olderEpochSubject(shard))
	}
	differ("subjects", have.Subjects, want.Subjects, unless(state.Msgs == 0 || covers(append(want.Subjects, older...), have.Subjects), "messages on other subjects would be orphaned"))
	differ("storage", have.Storage, want.Storage, "a stream cannot change its storage; make a new one and copy")
	differ("retention policy", have.Retention, want.Retention, "a stream cannot change its retention policy")
	differ("discard", have.Discard, want.Discard, "")
	differ("replicas", have.Replicas, want.Replicas, "")
	kept, err := retentionOf(have)
	keep, _ := retentionOf(want) // which we wrote
	differ("retention", kept, keep,
		unless(err == nil && (keep == 0 || kept != 0 && keep >= kept || state.Msgs == 0),
			"older messages would be deleted; export them first"))
	differ("max age", have.MaxAge, want.MaxAge, "")
	differ("max bytes", have.MaxBytes, want.MaxBytes,
		unless(want.MaxBytes < 0 || uint64(want.MaxBytes) >= state.Bytes, "the stream already holds more"))
	differ("max message size", have.MaxMsgSize, want.MaxMsgSize, "")
	differ("max messages", have.MaxMsgs, int64(-1), "")
	differ("max messages per subject", have.MaxMsgsPerSubject, int64(-1), "")
	differ("dedup window", have.Duplicates, want.Duplicates, "")
	differ("direct get", have.AllowDirect, want.AllowDirect, "")
	differ("deny delete", have.DenyDelete, want.DenyDelete, "")
	differ("deny purge", have.DenyPurge, want.DenyPurge,
		unless(want.DenyPurge, "a stream that was made to keep all it has does so; make a new ledger and copy"))
	return changes
}

// covers says that all of some subjects are among others.
func covers(all, some []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}

// apply carries a plan out.
func apply(ctx context.Context, nc *nats.Conn, s Settings, changes []Change) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	done := map[string]bool{}
	for _, c := range changes {
		if done[c.Object] {
			continue
		}
		done[c.Object] = true
		if c.Object == FleetBucket {
			bucket, err := js.CreateOrUpdateKeyValue(ctx, s.fleetConfig())
			if err == nil {
				_, err = bucket.PutString(ctx, AboutKey, s.about().String())
			}
			if err != nil {
				return fmt.Errorf("ledger: %s bucket %s: %w", c.Action, FleetBucket, err)
			}
			continue
		}
		shard, err := strconv.Atoi(strings.TrimPrefix(c.Object, "ORDERS_"))
		if err != nil {
			return fmt.Errorf("ledger: %s is no stream of a shard: %w", c.Object, err)
		}
		if _, err := js.CreateOrUpdateStream(ctx, s.streamConfig(shard)); err != nil {
			return fmt.Errorf("ledger: %s %s: %w", c.Action, c.Object, err)
		}
	}
	return nil
}
