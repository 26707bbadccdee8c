package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// End is the sequence number of a shard's last message, 0 if there is none to
// read.
func (l *Ledger) End(ctx context.Context, shard int) (uint64, error) {
	e, err := l.Extent(ctx, shard)
	return e.End, err
}

// Extent is what a shard has messages of. The zero value is that of one that has none.
type Extent struct {
	// First is the sequence number of the first message; what was before it, retention
	// removed.
	First uint64
	Began time.Time // when the stream took it
	End   uint64    // the sequence number of the last one
}

// Extent asks what a shard has messages of.
func (l *Ledger) Extent(ctx context.Context, shard int) (Extent, error) {
	stream, err := l.js.Stream(ctx, StreamName(shard))
	if err != nil {
		return Extent{}, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return Extent{}, nil
	}
	return Extent{state.FirstSeq, state.FirstTime, state.LastSeq}, nil
}

// Traders are the tenants of a shard that have outcomes, and how many.
func (l *Ledger) Traders(ctx context.Context, shard int) (map[string]uint64, error) {
	counts, err := l.counts(ctx, shard, Outcomes)
	if err != nil {
		return nil, err
	}
	traders := make(map[string]uint64)
	for subject, n := range counts {
		if _, tenant, ok := parseSubject(subject); ok {
			traders[tenant] = n
		}
	}
	return traders, nil
}

// Count is how many messages of a class a shard holds. It costs the server a little for
// every tenant, and nothing for their messages.
func (l *Ledger) Count(ctx context.Context, shard int, c Class) (uint64, error) {
	counts, err := l.counts(ctx, shard, c)
	sum := uint64(0)
	for _, n := range counts {
		sum += n
	}
	return sum, err
}

// counts is how many messages a shard holds of each subject of a class.
func (l *Ledger) counts(ctx context.Context, shard int, c Class) (map[string]uint64, error) {
	stream, err := l.js.Stream(ctx, StreamName(shard))
	var info *jetstream.StreamInfo
	if err == nil {
		info, err = stream.Info(ctx, jetstream.WithSubjectFilter(c.Subject(shard, "*")))
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read stream %s: %w", StreamName(shard), err)
	}
	return info.State.Subjects, nil
}

// Tail reads a shard's stream from a sequence number on, and then whatever comes,
// and calls deliver for each message in order, from one goroutine. It goes on
// through server restarts and cuts. It ends with ctx's error, or deliver's, or
// the first one that waiting cannot cure.
func (l *Ledger) Tail(ctx context.Context, shard int, from uint64, deliver func(Entry) error) error {
	cfg := Start{Seq: max(from, 1)}.config()
	return l.consume(ctx, StreamName(shard), cfg, 0, entries(deliver))
}

// Read is [Ledger.Tail] up to a sequence number, which is [Ledger.End] or less, and returns
// nil then.
func (l *Ledger) Read(ctx context.Context, shard int, start Start, end uint64, deliver func(Entry) error) error {
	return l.read(ctx, shard, start, end, nil, jetstream.ReplayInstantPolicy, deliver)
}

// ReadAbout is [Ledger.Read] for what is about one tenant: its own messages, and the epochs
// of its shard. The server passes over the rest: of 300,000 messages of a thousand tenants it
// finds those of one ten times as fast as all of them are read.
func (l *Ledger) ReadAbout(ctx context.Context, tenant string, start Start, end uint64, deliver func(Entry) error) error {
	shard := l.ShardOf(tenant)
	about := []string{Epochs.Subject(shard, "*"), olderEpochSubject(shard)}
	for _, c := range []Class{Intents, Outcomes, Updates, Controls} {
		about = append(about, c.Subject(shard, tenant))
	}
	return l.read(ctx, shard, start, end, about, jetstream.ReplayInstantPolicy, deliver)
}

// ReadTenant is [Ledger.Read] for a tenant's messages of some classes, from a sequence number
// on. Few are asked for directly: they come without headers.
func (l *Ledger) ReadTenant(ctx context.Context, shard int, tenant string, from, end uint64, deliver func(Entry) error, classes ...Class) error {
	if end == 0 || from > end {
		return nil
	}
	if entries, ok := l.few(ctx, shard, tenant, from, end, classes); ok {
		for _, e := range entries {
			if err := deliver(e); err != nil {
				return err
			}
		}
		return nil
	}
	subjects := make([]string, len(classes))
	for i, c := range classes {
		subjects[i] = c.Subject(shard, tenant)
	}
	return l.read(ctx, shard, Start{Seq: from}, end, subjects, jetstream.ReplayInstantPolicy, deliver)
}

// few reads what [Ledger.ReadTenant] does, if it is at most a batch of each class and the
// replica that answers has all of it: a consumer costs the server ten times as much.
func (l *Ledger) few(ctx context.Context, shard int, tenant string, from, end uint64, classes []Class) (all []Entry, ok bool) {
	for _, c := range classes {
		subject := c.Subject(shard, tenant)
		last, err := l.leaderGet(ctx, shard, getRequest{LastBySubject: subject})
		switch {
		case errors.Is(err, ErrNone):
			continue
		case err != nil:
			return nil, false
		case last.Seq < from:
			continue
		}
		entries, err := l.scan(ctx, shard, subject, max(from, 1), scanBatch)
		if err != nil || len(entries) == 0 {
			return nil, false
		}
		if seen := entries[len(entries)-1].Seq; seen < last.Seq && seen <= end {
			return nil, false // there are more, or the replica lags
		}
		for _, e := range entries {
			if e.Seq <= end {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, true
}

// Replay is [Ledger.Read] at the original pace: the first message comes at once, and each
// other one as long after the one before it as it came then, to a millisecond and what the
// server is late. It is late anew at each message, and so falls behind little by little; after
// a cut it goes on with the next message at once.
func (l *Ledger) Replay(ctx context.Context, shard int, start Start, end uint64, deliver func(Entry) error) error {
	return l.read(ctx, shard, start, end, nil, jetstream.ReplayOriginalPolicy, deliver)
}

func (l *Ledger) read(ctx context.Context, shard int, start Start, end uint64, subjects []string, pace jetstream.ReplayPolicy, deliver func(Entry) error) error {
	if start.Time.IsZero() {
		start.Seq = max(start.Seq, 1)
	}
	if end == 0 || start.Seq > end {
		return nil
	}
	cfg := start.config()
	cfg.FilterSubjects, cfg.ReplayPolicy = subjects, pace
	return l.consume(ctx, StreamName(shard), cfg, end, upTo(end, deliver))
}

// Start is where a reading begins: at a sequence number, else at a time, else now.
type Start struct {
	Seq  uint64
	Time time.Time
	// Updates is the sequence number at which [Ledger.FollowTenant] begins with updates, if they
	// begin elsewhere. One that is 0 beside a Time begins at that.
	Updates uint64
}

// of is where a class begins.
func (s Start) of(c Class) Start {
	seq := s.Seq
	if c == Updates && (s.Updates > 0 || !s.Time.IsZero()) {
		seq = s.Updates
	}
	if seq > 0 {
		return Start{Seq: seq}
	}
	return Start{Time: s.Time}
}

// wants says that an entry is not before its class's start.
func (s Start) wants(e Entry) bool {
	from := s.of(e.Class)
	if from.Seq > 0 {
		return e.Seq >= from.Seq
	}
	return !e.Time.Before(from.Time)
}

// first is where what begins first of the classes does.
func (s Start) first() Start {
	switch {
	case s.Updates > 0 && s.Seq > 0:
		return Start{Seq: min(s.Seq, s.Updates)}
	case !s.Time.IsZero():
		return Start{Time: s.Time} // a class that has a sequence number begins later
	}
	return s
}

func (s Start) config() jetstream.ConsumerConfig {
	switch {
	case s.Seq > 0:
		return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: s.Seq}
	case !s.Time.IsZero():
		return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &s.Time}
	}
	return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy}
}

// FollowTenant is [Ledger.Tail] for a tenant's messages of some classes. The server passes
// over all others of the shard, which costs it about as much as reading them. Behind a border
// ([BorderAPI]) it takes a consumer for each class, at most two; if several servers keep the
// shard, a message of one class that a server learns of late may then come behind a later one
// of the other. Each class by itself is in order: who goes on later, goes on with each where it
// was ([Start]).
func (l *Ledger) FollowTenant(ctx context.Context, tenant string, start Start, deliver func(Entry) error, classes ...Class) error {
	if len(classes) == 1 {
		start = start.of(classes[0])
	}
	shard, cfg := l.ShardOf(tenant), start.first().config()
	switch {
	case len(classes) == 1:
		cfg.FilterSubject = classes[0].Subject(shard, tenant)
	case l.readers != nil:
		return l.followMerged(ctx, tenant, start, deliver, classes)
	default:
		for _, c := range classes {
			cfg.FilterSubjects = append(cfg.FilterSubjects, c.Subject(shard, tenant))
		}
	}
	return l.consume(ctx, StreamName(shard), cfg, 0, entries(func(e Entry) error {
		if !start.wants(e) {
			return nil
		}
		return deliver(e)
	}))
}

// ReadOwn calls deliver with a tenant's messages of a class, in order, up to the last one
// that was there. It ends as [Ledger.Read] does. Behind a border ([BorderAPI]) the last few may
// be missing, if a server that has not learnt of them answers.
func (l *Ledger) ReadOwn(ctx context.Context, tenant string, class Class, deliver func(Entry) error) error {
	shard := l.ShardOf(tenant)
	subject := class.Subject(shard, tenant)
	m, err := l.lastOf(ctx, StreamName(shard), subject)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ledger: read the last of %s: %w", class, err)
	}
	last, _, err := parseAnswer(m)
	if err != nil {
		return err
	}
	cfg := Start{Seq: 1}.config()
	cfg.FilterSubject = subject
	return l.consume(ctx, StreamName(shard), cfg, last.Seq, upTo(last.Seq, deliver))
}

// entries delivers what is ours: the streams' subjects admit nothing else.
func entries(deliver func(Entry) error) deliverer {
	return func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
		e, ok := entry(m.Subject(), meta.Sequence.Stream, meta.Timestamp, m.Data())
		if !ok {
			return nil
		}
		e.Header = m.Headers()
		return deliver(e)
	}
}

// upTo leaves out what comes behind the end: of a filtered reading that can be the message
// that shows that the end is passed.
func upTo(end uint64, deliver func(Entry) error) deliverer {
	return entries(func(e Entry) error {
		if e.Seq > end {
			return nil
		}
		return deliver(e)
	})
}
