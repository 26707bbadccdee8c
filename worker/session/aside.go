package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Doubt is what of a tenant may be at the broker without an outcome that tells of it.
type Doubt struct {
	// Intents is how many of the next ones, up to the sequence number End.
	Intents int
	End     uint64
	// Before is when the last request for one of them was written, at the latest.
	Before time.Time
}

// State is what a session that is set aside hands on to its tenant's next one. To the shard
// it is opaque.
type State struct {
	breaker  breaker
	limiter  limiter
	seq      uint64 // the intent that was begun
	attempts int    // made for it
	delay    backoff
}

// leastAside is how long a wait must be at least for a session to give its place to others.
const leastAside = 100 * time.Millisecond

// asideError ends a session that has to wait, while others wait for its place.
type asideError struct{ until time.Time }

func (e *asideError) Error() string { return fmt.Sprintf("session: set aside until %s", e.until) }

// stand waits before a request, at the tenant's expense alone: if others wait for the place
// and the wait is long, the session gives it up.
func (s *Session) stand(ctx context.Context, d time.Duration) error {
	yield := s.yield
	if d < leastAside {
		yield = nil
	}
	until := time.Now().Add(d)
	s.timer.Reset(d)
	defer s.timer.Stop()
	select {
	case <-s.timer.C:
		return nil
	case <-yield:
		return &asideError{until}
	case <-s.draining:
		return errEnd
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// yielding says that others wait for the session's place.
func (s *Session) yielding() bool {
	select {
	case <-s.yield:
		return true
	default:
		return false
	}
}

// setAside gives back what is not done, the intent that was begun first, and ends.
func (s *Session) setAside(ctx context.Context, it Item, until time.Time) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	_, err := s.ask(ctx, Ask{
		Until: until,
		Rest:  append([]Item{it}, s.backlog...),
		State: &State{s.breaker, s.limiter, it.Intent.Seq, s.attempts, s.delay},
	})
	if err != nil {
		return err
	}
	return errEnd
}

// backoff is what an intent goes on with, if it was begun before, or a new one.
func (s *Session) backoff(t *task) backoff {
	if st := s.state; st != nil && st.seq == t.outcome.IntentSeq {
		return st.delay
	}
	return backoff{}
}

// suspect notes that an intent was left with a request unaccounted for.
func (s *Session) suspect(t *task) {
	s.doubt.Intents = max(s.doubt.Intents, 1)
	s.doubt.End = max(s.doubt.End, t.outcome.IntentSeq)
	if s.doubt.Before.Before(t.since) {
		s.doubt.Before = t.since
	}
}

// InDoubt is what may be at the broker when Run has returned. Read it then.
func (s *Session) InDoubt() Doubt {
	if s.doubtful || s.under != nil {
		return Doubt{Suspects, math.MaxUint64, time.Now()}
	}
	return s.doubt
}

// aside says that an error sets the session aside, and until when.
func aside(err error) (until time.Time, ok bool) {
	e, ok := errors.AsType[*asideError](err)
	if !ok {
		return time.Time{}, false
	}
	return e.until, true
}
