package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A heartbeat is sent five times in the time that one lives. A member counts each for less
// than the server does: it writes no request to a broker once the last one that was
// acknowledged was sent [quietParts] tenths of that time ago, and its membership is over
// at [lapseParts] tenths. So whoever stops by his own clock has stopped for a while
// before others start.
const (
	beatsPerTTL = 5
	quietParts  = 5
	lapseParts  = 8
	// answerParts is how long one is waited for before the next one is sent: a single one
	// that is lost costs nothing.
	answerParts = 3
	// echoes is in how many times to live a member has to see itself in the bucket at least
	// once: who sees no change would assign by what was.
	echoes = 3
)

func (c Config) renewal() time.Duration { return c.TTL / beatsPerTTL }
func (c Config) quiet() time.Duration   { return c.TTL * quietParts / 10 }
func (c Config) lapse() time.Duration   { return c.TTL * lapseParts / 10 }
func (c Config) answer() time.Duration  { return c.TTL * answerParts / 10 }

// silence is how long a member has written no request when the server removes it.
func (c Config) silence() time.Duration { return c.TTL - c.quiet() }

// beat sends a heartbeat in a goroutine of its own, after the one that is under way.
func (t *term) beat(ctx context.Context) {
	if t.beating {
		t.owed = true
		return
	}
	t.beating, t.owed = true, false
	self, after := t.next(), t.revision
	t.running.Go(func() { t.beats <- t.heartbeat(ctx, self, after) })
}

// next is what the next heartbeat says.
func (t *term) next() Member {
	t.self.Beat++
	t.sent[t.self.Beat%sentKept] = time.Now()
	m := t.self
	m.Load = t.Load()
	return m
}

// sentKept is of how many heartbeats a member remembers when it sent them.
const sentKept = 16

// heartbeat writes our key.
func (t *term) heartbeat(ctx context.Context, self Member, after uint64) beat {
	value, err := json.Marshal(self)
	if err != nil {
		return beat{err: fmt.Errorf("fleet: %w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, t.answer())
	defer cancel()
	b := beat{number: self.Beat}
	b.revision, b.err = t.bucket.Put(ctx, memberKey(t.id), value, after, t.TTL)
	return b
}

// answered takes in what became of a heartbeat. If nobody knows, our own key in the view
// may tell.
func (t *term) answered(ctx context.Context, b beat) {
	t.beating = false
	if b.err == nil {
		t.renewed(b.number, b.revision)
	} else {
		t.log.Debug().Err(b.err).Dur("left", time.Until(t.over)).Msg("heartbeat not acknowledged")
	}
	if t.owed || errors.Is(b.err, context.DeadlineExceeded) {
		t.beat(ctx)
	}
}

// renewed moves the deadline on: the bucket has a heartbeat of ours, since its
// acknowledgement came, or its echo.
func (t *term) renewed(number, revision uint64) {
	t.revision = max(t.revision, revision)
	if number+sentKept <= t.self.Beat {
		return // too old to count
	}
	sent := t.sent[number%sentKept]
	if over := sent.Add(t.lapse()); over.After(t.over) {
		t.over = over
		t.deadline.store(sent.Add(t.quiet()))
		t.alarm.Reset(time.Until(t.deadline.load()))
		t.report()
	}
}

// echoed notes that we saw our own key.
func (t *term) echoed(number, revision uint64) {
	t.echo = time.Now()
	t.renewed(number, revision)
}

// alarmed looks at the clock: at the deadline the member says that it is quiet, and goes
// on so until a heartbeat is acknowledged or the membership is over.
func (t *term) alarmed() error {
	now := time.Now()
	switch {
	case !now.Before(t.over):
		return errExpired
	case now.Before(t.deadline.load()):
		t.alarm.Reset(time.Until(t.deadline.load()))
	default:
		t.log.Warn().Dur("left", t.over.Sub(now)).Msg(noAnswer + ": writing no requests")
		t.alarm.Reset(t.over.Sub(now))
	}
	t.report()
	return nil
}

// noAnswer is why a member is quiet, or over.
const noAnswer = "no heartbeat acknowledged by NATS"

// report says whether the worker is ready, if that has changed.
func (t *term) report() {
	state := ""
	switch {
	case t.self.Draining:
		state = "draining"
	case !t.joined:
		state = "joining the fleet"
	case !time.Now().Before(t.deadline.load()):
		state = noAnswer + ": writing no requests"
	}
	t.announce(state)
}
