package history

import (
	"context"
	"errors"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Live is the ledger of a running fleet.
func Live(l *ledger.Ledger) Source { return live{l} }

type live struct{ *ledger.Ledger }

func (l live) Name() string { return "the ledger" }

func (l live) Extent() Extent { return Extent{} }

// First is the first message that a shard has, or will have.
func (l live) First(ctx context.Context, shard int) (uint64, error) {
	extent, err := l.Ledger.Extent(ctx, shard)
	return extent.First, err
}

// where says where the ledger is, without what opens it.
func (l live) where() string { return l.JetStream().Conn().ConnectedUrlRedacted() }

// errBehind ends a reading at the end of its stretch.
var errBehind = errors.New("history: behind the stretch")

func (l live) Read(ctx context.Context, s Stretch, progress Progress, deliver func(int, ledger.Entry) error) error {
	for _, shard := range s.shards(l.Shards()) {
		if err := l.read(ctx, shard, s, progress, deliver); err != nil {
			return err
		}
	}
	return nil
}

func (l live) read(ctx context.Context, shard int, s Stretch, progress Progress, deliver func(int, ledger.Entry) error) error {
	end, err := l.End(ctx, shard)
	if err != nil || end == 0 || s.From > end {
		return err
	}
	if s.To != 0 {
		end = min(end, s.To)
	}
	phase := "reading " + ledger.StreamName(shard)
	err = l.from(ctx, shard, s, end, func(e ledger.Entry) error {
		if s.After(e) {
			return errBehind
		}
		progress(phase, int(e.Seq), int(end))
		if !s.Holds(e) {
			return nil
		}
		return deliver(shard, e)
	})
	progress(phase, int(end), int(end))
	if errors.Is(err, errBehind) || errors.Is(err, ErrSkipShard) {
		return nil
	}
	return err
}

// from reads a shard from the beginning of a stretch on, and as little beside it as the
// server can pass over.
func (l live) from(ctx context.Context, shard int, s Stretch, end uint64, deliver func(ledger.Entry) error) error {
	start := ledger.Start{Seq: s.From, Time: s.Since}
	if len(s.Tenants) == 1 && l.ShardOf(s.Tenants[0]) == shard {
		return l.ReadAbout(ctx, s.Tenants[0], start, end, deliver)
	}
	return l.Ledger.Read(ctx, shard, start, end, deliver)
}
