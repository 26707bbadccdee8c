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
			fullest, err := fullest(ctx, stream, s.MaxPerTenant)
			if err != nil {
				return nil, err
			}
			changes = append(changes, compare(info.Config, s.streamConfig(shard), info.State, fullest)...)
		}
	}
	extra, err := strayStreams(ctx, js, s.Shards)
	if err != nil {
		return nil, err
	}
	changes = append(changes, extra...)
	for _, want := range s.others() {
		more, err := compareOther(ctx, js, want)
		if err != nil {
			return nil, err
		}
		changes = append(changes, more...)
	}
	said, err := compareAbout(ctx, js, s.about())
	return append(changes, said...), err
}

func (s Settings) about() about { return about{s.Shards, s.Retention} }

// compareAbout compares what the ledger says of itself. A bucket that is to be made says it
// then.
func compareAbout(ctx context.Context, js jetstream.JetStream, want about) ([]Change, error) {
	stream, err := js.Stream(ctx, "KV_"+FleetBucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	have := "nothing"
	if err == nil {
		var m *jetstream.RawStreamMsg
		switch m, err = stream.GetLastMsgForSubject(ctx, aboutSubject); {
		case err == nil:
			have = string(m.Data)
		case errors.Is(err, jetstream.ErrMsgNotFound):
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read key %s of bucket %s: %w", AboutKey, FleetBucket, err)
	}
	if have == want.String() {
		return nil, nil
	}
	return []Change{{Action: Update, Object: FleetBucket, Field: AboutKey, Have: have, Want: want.String()}}, nil
}

// compareOther lists what differs between a stream beside those of the shards and its settings.
func compareOther(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) ([]Change, error) {
	name := objectName(want)
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return []Change{{Action: Create, Object: name}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read %s: %w", name, err)
	}
	have := stream.CachedInfo().Config
	var changes []Change
	const byHand = "the server does not take that back; was it made by hand? Move it away"
	for _, f := range []struct {
		field      string
		have, want any
		refused    string // why it is not changed, if it cannot be
	}{
		{"replicas", have.Replicas, want.Replicas, ""},
		{"changes of a key that are kept", have.MaxMsgsPerSubject, want.MaxMsgsPerSubject, ""},
		{"max message size", have.MaxMsgSize, want.MaxMsgSize, ""},
		{"rollup", have.AllowRollup, want.AllowRollup, ""},
		{"keys with a time to live", have.AllowMsgTTL, want.AllowMsgTTL, reasonIf(have.AllowMsgTTL, byHand)},
		{"deny delete", have.DenyDelete, want.DenyDelete, reasonIf(have.DenyDelete, byHand)},
		{"deny purge", have.DenyPurge, want.DenyPurge, reasonIf(have.DenyPurge, byHand)},
		{"subjects", fmt.Sprint(have.Subjects), fmt.Sprint(want.Subjects), "others write it; move it away"},
	} {
		if f.have == f.want {
			continue
		}
		c := Change{Action: Update, Object: name, Field: f.field, Have: fmt.Sprint(f.have), Want: fmt.Sprint(f.want)}
		if f.refused != "" {
			c.Action, c.Why = Refuse, f.refused
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func reasonIf(so bool, why string) string {
	if so {
		return why
	}
	return ""
}

// objectName is how a plan names a stream: one of a bucket as its bucket.
func objectName(c jetstream.StreamConfig) string { return strings.TrimPrefix(c.Name, "KV_") }

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

// fullest is how many messages a stream holds of that subject of which it holds the most. It
// asks only if there is to be a bound on it that is not there yet, or a lower one.
func fullest(ctx context.Context, stream jetstream.Stream, bound int64) (most uint64, err error) {
	if have := stream.CachedInfo().Config.MaxMsgsPerSubject; bound == 0 || have > 0 && have <= bound {
		return 0, nil
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return 0, fmt.Errorf("ledger: count what %s holds of each tenant: %w", stream.CachedInfo().Config.Name, err)
	}
	for _, n := range info.State.Subjects {
		most = max(most, n)
	}
	return most, nil
}

// compare lists what differs between a stream and its settings. fullest is how many messages
// it holds of one subject at most.
func compare(have, want jetstream.StreamConfig, state jetstream.StreamState, fullest uint64) []Change {
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
	unless := func(safe bool, why string) string { return reasonIf(!safe, why) }

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
	differ("max messages per tenant and kind", have.MaxMsgsPerSubject, want.MaxMsgsPerSubject,
		unless(want.MaxMsgsPerSubject < 0 || uint64(want.MaxMsgsPerSubject) >= fullest, "the stream already holds more, and the server would drop the oldest"))
	differ("refusing what is beyond that", have.DiscardNewPerSubject, want.DiscardNewPerSubject, "")
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
	wanted := make(map[string]jetstream.StreamConfig)
	for shard := range s.Shards {
		wanted[StreamName(shard)] = s.streamConfig(shard)
	}
	for _, c := range s.others() {
		wanted[objectName(c)] = c
	}
	for _, c := range changes {
		want, left := wanted[c.Object]
		if !left {
			continue // several fields of an object are changed at once
		}
		delete(wanted, c.Object)
		if _, err := js.CreateOrUpdateStream(ctx, want); err != nil {
			return fmt.Errorf("ledger: %s %s: %w", c.Action, c.Object, err)
		}
		if c.Object != FleetBucket {
			continue
		}
		if _, err := js.Publish(ctx, aboutSubject, []byte(s.about().String())); err != nil {
			return fmt.Errorf("ledger: write key %s of bucket %s: %w", AboutKey, FleetBucket, err)
		}
	}
	return nil
}
