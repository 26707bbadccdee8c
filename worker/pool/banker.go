package pool

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// Around has the owner of a shard be the banker of the pools whose names hash to it, for as
// long as it serves the shard.
func (c *Config) Around(serve fleet.Serve) fleet.Serve {
	return func(ctx context.Context, l fleet.Lease) (fleet.Legacy, error) {
		banking, stop := context.WithCancel(ctx)
		var banker sync.WaitGroup
		banker.Go(func() { c.bank(banking, l) })
		defer banker.Wait() // whoever owns the shard next counts on our silence
		defer stop()
		return serve(ctx, l)
	}
}

// desk is the banker of a shard's pools. One goroutine owns it.
type desk struct {
	cfg   *Config
	lease fleet.Lease
	banks map[string]*bank
}

// bank serves a shard's pools until ctx ends.
func (c *Config) bank(ctx context.Context, l fleet.Lease) {
	asks := make(chan *nats.Msg, inboxSize)
	sub, err := c.Conn.ChanSubscribe(askSubject(l.Shard), asks)
	if err != nil {
		c.Log.Warn().Err(err).Int("shard", l.Shard).Msg("the shard's pools have no banker: workers make do with what needs none")
		return
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is gone then
	d := &desk{c, l, make(map[string]*bank)}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case m := <-asks:
			d.hear(m.Data)
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if at := d.hand(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
	}
}

// hear takes in a worker's message.
func (d *desk) hear(data []byte) {
	a, err := decodeAsk(data)
	if err != nil {
		d.cfg.Log.Warn().Err(err).Int("shard", d.lease.Shard).Msg("what a worker asks of a pool makes no sense; going on without it")
		return
	}
	p, ok := d.cfg.Registry.Pool(a.Pool)
	if !ok || d.cfg.shardOf(a.Pool) != d.lease.Shard {
		return // our registry may be behind the asker's: it will ask again
	}
	b := d.banks[a.Pool]
	if b == nil {
		b = newBank(p, d.cfg.Worker, d.lease.Epoch, d.lease.Legacy.Before)
		d.banks[a.Pool] = b
	}
	b.ask(time.Now(), a)
}

// hand hands out what is due, while the shard is surely ours, and returns when there may be
// more; zero is never.
func (d *desk) hand() (next time.Time) {
	now := time.Now()
	if until := d.lease.Until(); !until.IsZero() && !now.Before(until) {
		return now.Add(silenceStep)
	}
	for name, b := range d.banks {
		p, ok := d.cfg.Registry.Pool(name)
		if !ok {
			continue // somebody removed it
		}
		b.change(p, now)
		b.hand(now)
		b.gathered(func(client string, g *grant) {
			g.Pool = name
			send(d.cfg, grantSubject(d.lease.Shard, client), g)
		})
		if at := b.next(now); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// silenceStep is how often a banker looks whether it may go on.
const silenceStep = 10 * time.Millisecond
