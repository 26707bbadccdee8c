package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// DefaultExpiresIn is the lifetime of lines that state no expiry.
const DefaultExpiresIn = 10 * time.Minute

// Options of an import. Format is required.
type Options struct {
	Format Format
	// ExpiresIn is the lifetime of lines that state no expiry; 0 for [DefaultExpiresIn].
	ExpiresIn time.Duration
	// Progress, if set, is told how far the publishing is.
	Progress func(done, of int)
	// Report, if set, is told of each line that was not published.
	Report func(LineError)
}

// Summary is what an import did with the lines of a feed.
type Summary struct {
	Lines     int `json:"lines"`
	Published int `json:"published"`
	Already   int `json:"already"`   // on the ledger before
	Repeated  int `json:"repeated"`  // an id that the feed had used for something else
	Malformed int `json:"malformed"` // not an intent
	Failed    int `json:"failed"`    // could not be published
}

func (s Summary) String() string {
	return fmt.Sprintf("%d lines: %d published, %d on the ledger already, %d with an id of another line, %d malformed, %d failed",
		s.Lines, s.Published, s.Already, s.Repeated, s.Malformed, s.Failed)
}

// Clean says whether every line is on the ledger.
func (s Summary) Clean() bool { return s.Repeated == 0 && s.Malformed == 0 && s.Failed == 0 }

// Import publishes the lines of a feed. It holds the feed in memory, and reads the shards
// of the feed's tenants first, some 200,000 messages a second, for what is there already.
// The error says why it could not be carried out; lines that failed are reported, and
// counted.
func Import(ctx context.Context, p *producer.Producer, r io.Reader, o Options) (Summary, error) {
	if o.ExpiresIn == 0 {
		o.ExpiresIn = DefaultExpiresIn
	}
	i := &importing{options: o, used: make(map[key]use), seen: make(map[[sha256.Size]byte]int)}
	for l, err := range Read(r, o.Format) {
		if problem, ok := errors.AsType[LineError](err); ok {
			i.sum.Lines++
			i.malformed(problem)
			continue
		}
		if err != nil {
			return i.sum, err
		}
		i.sum.Lines++
		i.take(l)
	}
	if err := i.leaveOut(ctx, p.Ledger()); err != nil {
		return i.sum, err
	}
	return i.sum, i.publish(ctx, p)
}

// importing is one import.
type importing struct {
	options Options
	sum     Summary
	lines   []Line // to be published
	used    map[key]use
	seen    map[[sha256.Size]byte]int // how often a line without an id was there
}

// key is an id of a tenant.
type key struct{ tenant, id string }

// use is the first line that used an id.
type use struct {
	line    int
	content [sha256.Size]byte
}

func (i *importing) report(p LineError) {
	if i.options.Report != nil {
		i.options.Report(p)
	}
}

func (i *importing) malformed(p LineError) {
	i.sum.Malformed++
	i.report(p)
}

// take checks a line and keeps it.
func (i *importing) take(l Line) {
	digest := sha256.Sum256(append([]byte(l.Tenant+"\x00"), l.content...))
	if l.Intent.ID == "" {
		// The nth line of this content, in every run.
		i.seen[digest]++
		n := sha256.Sum256(fmt.Appendf(digest[:], "%d", i.seen[digest]))
		l.Intent.ID = "line-" + hex.EncodeToString(n[:16])
	}
	switch {
	case l.ExpiresIn > 0:
		l.Intent.ExpiresAt = time.Now().Add(l.ExpiresIn)
	case l.Intent.ExpiresAt.IsZero():
		l.Intent.ExpiresAt = time.Now().Add(i.options.ExpiresIn)
	}
	for _, err := range []error{order.ValidTenant(l.Tenant), l.Intent.Validate()} {
		if err != nil {
			i.malformed(LineError{l.Number, err})
			return
		}
	}
	k := key{l.Tenant, l.Intent.ID}
	if first, ok := i.used[k]; ok {
		if first.content == digest {
			i.sum.Already++ // the same line again asks for nothing new
			return
		}
		i.sum.Repeated++
		i.report(LineError{l.Number, fmt.Errorf("id: %q of tenant %s was used on line %d for something else", l.Intent.ID, l.Tenant, first.line)})
		return
	}
	i.used[k] = use{l.Number, digest}
	i.lines = append(i.lines, l)
}

// leaveOut drops the lines whose ids the ledger holds. The server would drop them too, but
// only for as long as it remembers ids.
func (i *importing) leaveOut(ctx context.Context, l *ledger.Ledger) error {
	shards := map[int]bool{}
	for _, line := range i.lines {
		shards[l.ShardOf(line.Tenant)] = true
	}
	there := make(map[key]bool)
	if l.Behind() {
		if err := i.decided(ctx, l, there); err != nil {
			return err
		}
		clear(shards)
	}
	for shard := range shards {
		end, err := l.End(ctx, shard)
		if err != nil {
			return err
		}
		err = l.Read(ctx, shard, ledger.Start{}, end, func(e ledger.Entry) error {
			if e.Class == ledger.Intents {
				k := key{e.Tenant, order.PeekID(e.Data)}
				if _, ours := i.used[k]; ours {
					there[k] = true
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	kept := i.lines[:0]
	for _, line := range i.lines {
		if there[key{line.Tenant, line.Intent.ID}] {
			i.sum.Already++
			continue
		}
		kept = append(kept, line)
	}
	i.lines = kept
	return nil
}

// decided finds the ids that have outcomes: behind a border nobody reads intents. One that has
// waited for longer than the server remembers ids is so published again, and ends as a
// duplicate.
func (i *importing) decided(ctx context.Context, l *ledger.Ledger, there map[key]bool) error {
	tenants := make(map[string]bool)
	for _, line := range i.lines {
		tenants[line.Tenant] = true
	}
	for name := range tenants {
		err := l.ReadOwn(ctx, name, ledger.Outcomes, func(e ledger.Entry) error {
			o, err := order.DecodeOutcome(e.Data)
			there[key{name, o.IntentID}] = err == nil
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (i *importing) publish(ctx context.Context, p *producer.Producer) error {
	results := p.PublishAll(ctx, func(yield func(producer.Item) bool) {
		for _, l := range i.lines {
			if !yield(producer.Item{Tenant: l.Tenant, Intent: l.Intent}) {
				return
			}
		}
	})
	for r := range results {
		switch {
		case r.Err != nil:
			i.sum.Failed++
			i.report(LineError{i.lines[r.Index].Number, r.Err})
		case r.Receipt.Duplicate:
			i.sum.Already++
		default:
			i.sum.Published++
		}
		if i.options.Progress != nil {
			i.options.Progress(r.Index+1, len(i.lines))
		}
	}
	return context.Cause(ctx)
}
