package session

import (
	"context"
	"errors"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/plant"
)

// InboxSize is the capacity of a session's inbox. The last place is for a signal: a
// shard that finds no other one free sends Behind and then drops the tenant's intents,
// which the session reads from the ledger instead.
const (
	InboxSize = 8
	Reserved  = 1
)

// Window is how many intents of its backlog a session reads at once, and how many it ends
// before it asks whether others wait.
const Window = 8

// Signal is what a shard says to a session through its inbox, beside intents.
type Signal uint8

// The signals.
const (
	// None: the item is an intent.
	None Signal = iota
	// Behind: the inbox was full. What follows has to be read from the ledger; ask.
	Behind
	// wake is a session's signal to itself: look again what there is to do.
	wake
)

// Item is one intent for a session, or a signal.
type Item struct {
	Signal Signal
	Intent ledger.Entry
	// First: see [ledger.Due].
	First uint64
	// received is when the session took it up.
	received time.Time
}

// Ask is a session's question what to do next. Without Idle, Turn, Wake, Paused and Held it is
// behind, and has nothing left of what it read. The shard answers at once.
type Ask struct {
	Tenant string
	// Idle asks for leave to end: there was nothing to do for long.
	Idle bool
	// Turn asks for leave to end if others wait: it had its turn.
	Turn bool
	// Wake asks to be set aside until a moment: there is something to wait for, and others
	// wait for its place. It is of the monotonic clock. Why says what it waits for, since
	// when.
	Wake  time.Time
	Why   order.Why
	Since time.Time
	// Paused asks to be set aside until the tenant's terms change, or until Wake, if that is
	// not zero.
	Paused bool
	// Held asks to be set aside until a control message comes behind the outcome with this
	// sequence number: the tenant is held. Live is the answer if one came: look again.
	Held uint64
	// Rest is what the session was given and did not end; if it is to end, the shard takes
	// it back, with what is in the inbox.
	Rest []Item
	// Passed is the sequence number up to which the session has done what it was told to
	// search, 0 if it was not.
	Passed uint64
	// Doubt says which of the tenant's next intents may be at the broker; the shard keeps
	// it if the session ends.
	Doubt Doubt
	// Reply has room for one answer.
	Reply chan<- Answer
}

// Verb is what a session is to do next.
type Verb uint8

// The verbs.
const (
	// Live: take what comes into the inbox.
	Live Verb = iota + 1
	// Read: read Answer.Due from the ledger, do it, and ask again.
	Read
	// Search: read the next window of intents from Answer.From on and before Answer.Until
	// from the ledger, do it, and ask again.
	Search
	// End: the shard has forgotten the session; return.
	End
)

// Answer is a shard's answer.
type Answer struct {
	Verb Verb
	Due  []ledger.Due // at most Window, at least one with Read
	// From and Until belong to Search.
	From, Until uint64
}

// errEnd says that the session ends in peace: retired, or draining.
var errEnd = errors.New("session: end")

// next waits for the tenant's next intent. It ends with errEnd when the session is
// to stop in peace; every outcome is then confirmed.
func (s *Session) next(ctx context.Context) (Item, error) {
	for {
		switch {
		case s.drained():
			return Item{}, s.finish(ctx)
		case s.had >= Window && s.yielding():
			if err := s.giveWay(ctx, Ask{Turn: true, Rest: s.backlog}); err != nil {
				return Item{}, err
			}
			s.had = 0
			continue
		case len(s.backlog) > 0:
			if last := len(s.backlog) - 1; plant.Is(plant.Overtake) {
				s.backlog[0], s.backlog[last] = s.backlog[last], s.backlog[0]
			}
			it := s.backlog[0]
			s.backlog = s.backlog[1:]
			s.had++
			return it, nil
		case s.behind:
			if err := s.refill(ctx); err != nil {
				return Item{}, err
			}
			continue
		}
		it, err := s.receive(ctx)
		if err != nil {
			return Item{}, err
		}
		switch it.Signal {
		case None:
			it.received = time.Now()
			s.had++
			return it, nil
		case Behind:
			s.behind = true
		case wake:
		}
	}
}

// receive takes the next item out of the inbox. If there is none it settles what is
// under way, and after a while without work asks for leave to end.
func (s *Session) receive(ctx context.Context) (Item, error) {
	select { // work that is there already waits for no acknowledgement
	case it := <-s.inbox:
		return it, nil
	default:
	}
	if err := s.settle(ctx); err != nil {
		return Item{}, err
	}
	idle, yield := s.cfg.Idle, s.yield
	if s.yielding() {
		idle, yield = 0, nil
	}
	s.timer.Reset(idle)
	defer s.timer.Stop()
	select {
	case it := <-s.inbox:
		return it, nil
	case <-s.draining:
		return Item{Signal: wake}, nil
	case <-yield:
		return Item{Signal: wake}, nil
	case terms := <-s.changes:
		s.adopt(ctx, terms, false)
		return Item{Signal: wake}, nil
	case <-ctx.Done():
		return Item{}, context.Cause(ctx)
	case <-s.timer.C:
	}
	a, err := s.ask(ctx, Ask{Idle: true})
	if err != nil {
		return Item{}, err
	}
	if a.Verb == End {
		return Item{}, errEnd
	}
	return Item{Signal: wake}, nil
}

// finish confirms what is under way and ends.
func (s *Session) finish(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	return errEnd
}

// giveWay confirms what is under way and asks for leave to end, with which it ends.
func (s *Session) giveWay(ctx context.Context, q Ask) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	a, err := s.ask(ctx, q)
	if err == nil && a.Verb == End {
		return errEnd
	}
	return err
}

// refill reads the next window of the backlog, or goes live.
func (s *Session) refill(ctx context.Context) error {
	a, err := s.ask(ctx, Ask{})
	if err != nil {
		return err
	}
	switch a.Verb {
	case End:
		return s.finish(ctx)
	case Live:
		s.behind = false
		return nil
	case Search:
		return s.search(ctx, a.From, a.Until)
	case Read:
	}
	entries, err := s.readBacklog(ctx, a.Due)
	if err != nil {
		return err
	}
	now := time.Now()
	s.backlog = s.backlog[:0]
	for _, d := range a.Due {
		e := ledger.Entry{Class: ledger.Intents, Tenant: s.tenant, Seq: d.Seq, Time: d.Time, Data: d.Data}
		if d.Data == nil {
			if len(entries) == 0 || entries[0].Seq != d.Seq {
				continue // retention removed it
			}
			e, entries = entries[0], entries[1:]
		}
		s.backlog = append(s.backlog, Item{Intent: e, First: d.First, received: now})
	}
	return nil
}

// search reads the next window of the backlog where nobody has counted it.
func (s *Session) search(ctx context.Context, from, until uint64) error {
	s.backlog = s.backlog[:0]
	for from < until && len(s.backlog) < Window {
		e, err := s.nextIntent(ctx, from)
		if err != nil {
			return err
		}
		if e.Seq == 0 || e.Seq >= until {
			from = until
			break
		}
		s.backlog = append(s.backlog, Item{Intent: e, received: time.Now()})
		from = e.Seq + 1
	}
	s.passed = from - 1
	return nil
}

// nextIntent reads until the ledger answers; an empty entry if there is none.
func (s *Session) nextIntent(ctx context.Context, from uint64) (ledger.Entry, error) {
	e, err := persist(ctx, s, "read the backlog", s.pause, func() (ledger.Entry, error) {
		return s.cfg.Ledger.NextIntent(ctx, s.shard, s.tenant, from)
	})
	if errors.Is(err, ledger.ErrNone) {
		return ledger.Entry{}, nil
	}
	return e, err
}

// readBacklog reads the messages that the shard had no room for, until the ledger answers.
func (s *Session) readBacklog(ctx context.Context, due []ledger.Due) ([]ledger.Entry, error) {
	var seqs []uint64
	for _, d := range due {
		if d.Data == nil {
			seqs = append(seqs, d.Seq)
		}
	}
	if len(seqs) == 0 {
		return nil, nil
	}
	return persist(ctx, s, "read the backlog", s.pause, func() ([]ledger.Entry, error) {
		return s.reader.Read(ctx, s.shard, seqs)
	})
}

// ask asks the shard what to do next.
func (s *Session) ask(ctx context.Context, q Ask) (Answer, error) {
	q.Tenant, q.Doubt, q.Passed, q.Reply = s.tenant, s.doubt, s.passed, s.reply
	select {
	case s.asks <- q:
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	select {
	case a := <-s.reply:
		return a, nil
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}
