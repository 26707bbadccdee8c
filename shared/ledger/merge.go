package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// merged is one reading of a tenant's messages of several classes that reads each by itself,
// for a user who may not ask for several at once: only a single subject is part of the
// request's own, where a server can see it.
type merged struct {
	ledger  *Ledger
	tenant  string
	start   Start
	strands []*strand
	comes   chan arrival
}

// arrival is the next message of a strand.
type arrival struct {
	of *strand
	Entry
}

// strand is the reading of one class. It is the merging goroutine's, but for turn.
type strand struct {
	class Class
	turn  chan struct{} // holds one when the strand may bring its next message
	head  *Entry        // the next one, if it is there
	// seen is the last one that came; clear is before which no other will.
	seen, clear uint64
}

// again is how long a message that is known to be on its way is waited for before it is
// looked for again: retention may have taken it.
const again = time.Second

// followMerged is [Ledger.FollowTenant] through one consumer for each class.
func (l *Ledger) followMerged(ctx context.Context, tenant string, start Start, deliver func(Entry) error, classes []Class) error {
	m := &merged{ledger: l, tenant: tenant, start: start, comes: make(chan arrival)}
	for _, c := range classes {
		s := &strand{class: c, turn: make(chan struct{}, 1)}
		s.turn <- struct{}{}
		m.strands = append(m.strands, s)
	}
	if start == (Start{}) {
		if err := m.now(ctx); err != nil {
			return err
		}
	}
	ctx, end := context.WithCancelCause(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer end(nil)
	for _, s := range m.strands {
		reading.Go(func() { end(m.read(ctx, s)) })
	}
	for {
		e, err := m.next(ctx)
		if err == nil {
			err = deliver(e)
		}
		if err != nil {
			return err
		}
	}
}

// read reads one strand, and ends with an error.
func (m *merged) read(ctx context.Context, s *strand) error {
	return m.ledger.FollowTenant(ctx, m.tenant, m.start.of(s.class), func(e Entry) error {
		select {
		case <-s.turn:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case m.comes <- arrival{s, e}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}, s.class)
}

// now settles where the strands begin that begin now.
func (m *merged) now(ctx context.Context) error {
	m.start.Seq = 1
	for _, s := range m.strands {
		last, _, err := m.last(ctx, s)
		if err != nil {
			return err
		}
		m.start.Seq = max(m.start.Seq, last+1)
	}
	return nil
}

// FromNow is the start of what comes behind all that there is of a tenant's classes.
func (l *Ledger) FromNow(ctx context.Context, tenant string, classes ...Class) (Start, error) {
	m := &merged{ledger: l, tenant: tenant}
	for _, c := range classes {
		m.strands = append(m.strands, &strand{class: c})
	}
	err := m.now(ctx)
	return m.start, err
}

// next waits for the next message.
func (m *merged) next(ctx context.Context) (Entry, error) {
	for {
		first := m.first()
		missing := first == nil
		if !missing {
			var err error
			if missing, err = m.missing(ctx, first.head.Seq); err != nil {
				return Entry{}, err
			}
		}
		if !missing {
			e := *first.head
			first.head = nil
			first.turn <- struct{}{}
			return e, nil
		}
		select {
		case a := <-m.comes:
			a.of.head, a.of.seen = &a.Entry, a.Seq
		case <-time.After(again):
		case <-ctx.Done():
			return Entry{}, context.Cause(ctx)
		}
	}
}

// first is the strand whose next message comes first, of those that are there.
func (m *merged) first() (first *strand) {
	for _, s := range m.strands {
		if s.head != nil && (first == nil || s.head.Seq < first.head.Seq) {
			first = s
		}
	}
	return first
}

// missing says that a message before another is still on its way to us.
func (m *merged) missing(ctx context.Context, before uint64) (bool, error) {
	for _, s := range m.strands {
		if s.head != nil || s.clear >= before {
			continue
		}
		last, at, err := m.last(ctx, s)
		if err != nil {
			return false, err
		}
		if last > s.seen && m.start.wants(Entry{Class: s.class, Seq: last, Time: at}) {
			return true, nil
		}
		s.clear = before // what comes now is behind it
	}
	return false, nil
}

// last is the last message of a strand's class on the ledger, 0 if there is none. It waits
// for a server that is away.
func (m *merged) last(ctx context.Context, s *strand) (seq uint64, at time.Time, _ error) {
	shard := m.ledger.ShardOf(m.tenant)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		msg, err := m.ledger.lastOf(ctx, StreamName(shard), s.class.Subject(shard, m.tenant))
		if err == nil {
			e, _, err := parseAnswer(msg)
			return e.Seq, e.Time, err
		}
		switch {
		case errors.Is(err, ErrNone):
			return 0, time.Time{}, nil
		case ctx.Err() != nil:
			return 0, time.Time{}, context.Cause(ctx)
		case incurable(err):
			return 0, time.Time{}, fmt.Errorf("ledger: read the last of %s: %w", s.class, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}
