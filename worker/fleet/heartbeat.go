package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// A heartbeat is sent five times in the time that one lives, and counts for less than the
// server counts it: whoever stops by his own clock stops before others start.
const (
	beatsPerTTL = 5
	marginParts = 5
)

func (c Config) renewal() time.Duration { return c.TTL / beatsPerTTL }
func (c Config) margin() time.Duration  { return c.TTL / marginParts }

// beat sends a heartbeat in a goroutine of its own, unless one is under way.
func (t *term) beat(ctx context.Context) {
	if t.beating {
		return
	}
	t.beating = true
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
	ctx, cancel := context.WithTimeout(ctx, t.TTL/2)
	defer cancel()
	b := beat{sent: time.Now()}
	b.revision, b.err = t.bucket.Put(ctx, memberKey(t.id), value, after, t.TTL)
	return b
}

// renewed moves the deadline on, if the heartbeat was taken. If it was not, or nobody
// knows, our own key in the view tells which revision the next one has to follow.
func (t *term) renewed(b beat) {
	if b.err != nil {
		t.log.Warn().Err(b.err).Dur("left", time.Until(t.deadline.load())).Msg("heartbeat not acknowledged")
		return
	}
	t.revision = max(t.revision, b.revision)
	until := b.sent.Add(t.TTL - t.margin())
	t.deadline.store(until)
	t.lapse.Reset(time.Until(until))
}
