package fleet

import (
	"context"
	"encoding/json"
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
)

func (c Config) renewal() time.Duration { return c.TTL / beatsPerTTL }
func (c Config) quiet() time.Duration   { return c.TTL * quietParts / 10 }
func (c Config) lapse() time.Duration   { return c.TTL * lapseParts / 10 }

// silence is how long a member has written no request when the server removes it.
func (c Config) silence() time.Duration { return c.TTL - c.quiet() }

// beat sends a heartbeat in a goroutine of its own, after the one that is under way.
func (t *term) beat(ctx context.Context) {
	if t.beating {
		t.owed = true
		return
	}
	t.beating, t.owed = true, false
	self, after := t.describe(), t.revision
	t.running.Go(func() { t.beats <- t.heartbeat(ctx, self, after) })
}

// describe is what the next heartbeat says.
func (t *term) describe() Member {
	m := t.self
	m.Load = t.Load()
	return m
}

// heartbeat writes our key.
func (t *term) heartbeat(ctx context.Context, self Member, after uint64) beat {
	value, err := json.Marshal(self)
	if err != nil {
		return beat{err: fmt.Errorf("fleet: %w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, t.quiet())
	defer cancel()
	b := beat{sent: time.Now()}
	b.revision, b.err = t.bucket.Put(ctx, memberKey(t.id), value, after, t.TTL)
	return b
}

// renewed moves the deadline on, if the heartbeat was taken. If it was not, or nobody
// knows, our own key in the view tells which revision the next one has to follow.
func (t *term) renewed(b beat) {
	if b.err != nil {
		t.log.Warn().Err(b.err).Dur("left", time.Until(t.over)).Msg("heartbeat not acknowledged")
		return
	}
	t.revision = max(t.revision, b.revision)
	t.over = b.sent.Add(t.lapse())
	t.deadline.store(b.sent.Add(t.quiet()))
	t.alarm.Reset(time.Until(t.deadline.load()))
	t.report()
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
		t.log.Warn().Dur("left", t.over.Sub(now)).Msg("no heartbeat acknowledged; writing no requests")
		t.alarm.Reset(t.over.Sub(now))
	}
	t.report()
	return nil
}

// report says whether the worker is ready, if that has changed.
func (t *term) report() {
	state := ""
	switch {
	case t.self.Draining:
		state = "draining"
	case !t.joined:
		state = "joining the fleet"
	case !time.Now().Before(t.deadline.load()):
		state = "no answer from NATS: writing no requests"
	}
	t.announce(state)
}
