package replay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"golang.org/x/sync/errgroup"
)

// Pace is how fast time goes by in a replay, as a factor: 0 is at once, 1 the original pace,
// 10 ten times as fast. It is a flag's value.
type Pace float64

// The paces with a name.
const (
	AtOnce   Pace = 0
	Original Pace = 1
)

// fastest bounds a factor: beyond it lies at once.
const fastest = 1_000_000

var errPace = errors.New("it is not now, original, or a factor above 0 such as 10x or 0.5x")

// Set implements a flag's value.
func (p *Pace) Set(s string) error {
	switch s {
	case "now":
		*p = AtOnce
		return nil
	case "original":
		*p = Original
		return nil
	}
	f, err := strconv.ParseFloat(strings.TrimSuffix(s, "x"), 64)
	if err != nil || !(f > 0 && f <= fastest) {
		return errPace
	}
	*p = Pace(f)
	return nil
}

func (p *Pace) String() string {
	switch *p {
	case AtOnce:
		return "now"
	case Original:
		return "original"
	}
	return strconv.FormatFloat(float64(*p), 'g', -1, 64) + "x"
}

// Type is for the help.
func (p *Pace) Type() string { return "pace" }

// span is how long a time of then takes.
func (p Pace) span(then time.Duration) time.Duration {
	if p == AtOnce {
		return 0
	}
	return time.Duration(float64(then) / float64(p))
}

// Waiting is told, before a replay waits, what comes next and in how long.
type Waiting func(next *Asked, in time.Duration)

// replayer is a source whose server paces it.
type replayer interface {
	Replay(ctx context.Context, shard int, start ledger.Start, end uint64, deliver func(ledger.Entry) error) error
}

// Play calls deliver for all, which [Read] has read from the source, in their order: the
// first at once, and each other one as long after it as it came then, at a pace. The
// original pace of a running ledger is JetStream's own replay policy; every other one goes
// by the ledger's times. It ends with deliver's error, or the cause of ctx's end.
func Play(ctx context.Context, src history.Source, all []*Asked, p Pace, wait Waiting, deliver func(*Asked) error) error {
	if live, ok := src.(replayer); ok && p == Original && len(all) > 0 {
		return follow(ctx, live, all, wait, deliver)
	}
	begun := time.Now()
	for _, a := range all {
		at := begun.Add(p.span(a.turn.Sub(all[0].turn))) // from the beginning: what is late once is not late for ever
		wait(a, time.Until(at))
		if err := sleepUntil(ctx, at); err != nil {
			return err
		}
		if err := deliver(a); err != nil {
			return err
		}
	}
	return nil
}

// sleepUntil waits for a moment, or the end of ctx.
func sleepUntil(ctx context.Context, at time.Time) error {
	if d := time.Until(at); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// follow plays what servers send at the original pace, a consumer a shard. They begin as
// far apart as the shards' first intents were.
func follow(ctx context.Context, src replayer, all []*Asked, wait Waiting, deliver func(*Asked) error) error {
	begun := time.Now()
	shards := make(map[int][]*Asked)
	for _, a := range all {
		shards[a.Shard] = append(shards[a.Shard], a)
	}
	arrived := make(chan *Asked)
	group, ctx := errgroup.WithContext(ctx)
	for shard, its := range shards {
		group.Go(func() error {
			if err := sleepUntil(ctx, begun.Add(its[0].turn.Sub(all[0].turn))); err != nil {
				return err
			}
			return followShard(ctx, src, shard, its, arrived)
		})
	}
	group.Go(func() error {
		due := make(map[*Asked]bool)
		for _, a := range all {
			wait(a, time.Until(begun.Add(a.turn.Sub(all[0].turn))))
			for !due[a] {
				select {
				case b := <-arrived:
					due[b] = true
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			delete(due, a)
			if err := deliver(a); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// followShard says of each intent when it arrives. What retention has removed since it was
// read arrives with the next one, or at the end.
func followShard(ctx context.Context, src replayer, shard int, its []*Asked, arrived chan<- *Asked) error {
	upTo := func(seq uint64) error {
		for len(its) > 0 && its[0].Seq <= seq {
			select {
			case arrived <- its[0]:
				its = its[1:]
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}
	last := its[len(its)-1].Seq
	err := src.Replay(ctx, shard, ledger.Start{Seq: its[0].Seq}, last, func(e ledger.Entry) error { return upTo(e.Seq) })
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	return upTo(last)
}
