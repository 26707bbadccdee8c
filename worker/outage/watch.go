package outage

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// Watch watches the brokers of a worker. Only the goroutine in Run touches its sites.
type Watch struct {
	log    zerolog.Logger
	events chan event
	done   chan struct{} // closed when Run has returned
	sites  map[string]*site
}

// kind is what a member tells.
type kind uint8

const (
	joined    kind = iota + 1 // it has a line to the broker
	failing                   // its breaker opened, or opened again
	queuing                   // it wants to probe if it is let in an outage
	wanting                   // it wants to probe now
	closed                    // its breaker closed: a probe succeeded
	succeeded                 // the answer to a question: a request succeeded
	left                      // its session ends
)

// event is what a member tells the watch.
type event struct {
	kind   kind
	member *Member
	answer chan<- place       // joined: what it joined
	turn   chan time.Duration // failing: where it waits for its turn
	until  time.Time          // queuing, wanting: how long
	heard  chan struct{}      // wanting: closed when it was judged
}

// place is what a member joins.
type place struct {
	questions <-chan struct{}
	down      bool
}

// New makes a watch. Run it.
func New(log zerolog.Logger) *Watch {
	return &Watch{
		log:    log,
		events: make(chan event),
		done:   make(chan struct{}),
		sites:  make(map[string]*site),
	}
}

// Run watches until ctx ends. It must outlive the sessions, whose members otherwise wait
// for turns that nobody gives.
func (w *Watch) Run(ctx context.Context) {
	defer close(w.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := time.Time{}
		for _, s := range w.sites { // as many as there are brokers: a handful
			if at := s.due(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case e := <-w.events:
			w.take(time.Now(), e)
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		for _, s := range w.sites {
			s.tick(now)
		}
	}
}

// take takes in what a member tells.
func (w *Watch) take(now time.Time, e event) {
	m := e.member
	s := w.sites[m.address]
	if e.kind == joined {
		if s == nil {
			s = newSite(w.log.With().Str("broker", m.address).Logger())
			w.sites[m.address] = s
		}
		s.members++
		e.answer <- place{s.question, s.state == outage} // it has room for one
		return
	}
	s.take(now, e)
	if e.kind == wanting {
		s.tick(now) // perhaps it is its turn
		close(e.heard)
	}
	if s.members == 0 {
		delete(w.sites, m.address)
	}
}

// tell gives an event to the watch, which takes it at once: it never waits for anybody.
func (w *Watch) tell(ctx context.Context, e event) {
	select {
	case w.events <- e:
	case <-w.done:
	case <-ctx.Done():
	}
}
