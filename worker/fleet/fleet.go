package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/rs/zerolog"
)

// DefaultTTL is how long a heartbeat lives by default: the least that a NATS server keeps
// a key. It bounds from below how soon the shards of a dead worker are served again.
const DefaultTTL = time.Second

// Config is what a worker needs to be a member.
type Config struct {
	Ledger *ledger.Ledger
	// Name is the worker's, for people. Each membership has an id of its own besides.
	Name string
	// TTL is how long the server keeps a heartbeat, in whole seconds.
	TTL time.Duration
	// Load says how much the worker has to do. It is called from the member's goroutine.
	Load func() Load
	// Members, if set, is called with the worker's own id and those of all members, as it sees
	// them, when these change; and with none when a membership is over. It is called from the
	// member's goroutine.
	Members func(self string, members []string)
	// Ready is called when the worker becomes ready, with "", and when it no longer is,
	// with the reason.
	Ready func(why string)
	Log   zerolog.Logger
}

// The bounds of the wait before a worker joins again.
const (
	firstRejoin = 50 * time.Millisecond
	lastRejoin  = 500 * time.Millisecond
)

// quietLog is how long the log says nothing more of a fleet that cannot be joined.
const quietLog = 10 * time.Second

// Run is a worker's life in the fleet: it calls serve, in a goroutine of its own, for
// every shard that the worker comes to own. Closing drain gives all shards up in peace,
// then Run returns nil; the end of ctx abandons them. It outlives cuts and restarts of the
// server: a membership that ran out ends with all its shards, and another one begins.
func (c Config) Run(ctx context.Context, drain <-chan struct{}, serve Serve) error {
	if c.TTL < time.Second || c.TTL%time.Second != 0 {
		return fmt.Errorf("fleet: a heartbeat lives whole seconds, at least one, not %s", c.TTL)
	}
	if err := exists(ctx, c.Ledger); err != nil {
		return err
	}
	say := c.announcer()
	say("joining the fleet")
	var said time.Time
	for delay := firstRejoin; ; delay = min(2*delay, lastRejoin) {
		if err := c.Ledger.AwaitConnection(ctx, drain); err != nil {
			return err
		}
		began := time.Now()
		err := newTerm(c, serve, say).run(ctx, drain)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(began) > 2*c.TTL:
			delay = firstRejoin
		}
		say(err.Error())
		if time.Since(said) > quietLog {
			said = time.Now()
			c.Log.Warn().Err(err).Msg("out of the fleet; joining again")
		}
		select {
		case <-time.After(delay/2 + rand.N(delay)):
		case <-drain:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Stale bounds how far behind the truth a member's view of the others may be while it makes
// requests: one that does not see its own heartbeats for longer leaves.
func (c Config) Stale() time.Duration { return (echoes + 1) * c.TTL }

// announcer calls Ready when what is said changes.
func (c Config) announcer() func(state string) {
	last := "not begun"
	return func(state string) {
		if state != last {
			last = state
			c.Ready(state)
		}
	}
}
