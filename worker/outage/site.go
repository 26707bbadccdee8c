package outage

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rs/zerolog"
)

// Few is how many tenants of a broker may fail at once without that looking like an outage.
const Few = 4

// The times of a site.
const (
	// firstPatience is how long a question waits for an answer before the silence means
	// an outage, and how long an answer is believed. It doubles, up to lastPatience, with
	// every outage that was none: many tenants fail, and the others trade seldom.
	firstPatience = time.Second
	lastPatience  = 30 * time.Second

	// firstInterval is the time between the first two probes of an outage; it doubles up
	// to lastInterval, which bounds how long the end of an outage goes unnoticed.
	firstInterval = 250 * time.Millisecond
	lastInterval  = time.Second

	// After an outage its tenants are let go over a time of spread each, at most
	// longestSpread.
	spread        = 5 * time.Millisecond
	longestSpread = 5 * time.Second
)

type state uint8

const (
	calm state = iota
	asking
	mixed
	outage
)

// site is what is seen of one broker address. It does not know the time by itself: each
// method is told it.
type site struct {
	log      zerolog.Logger
	question chan struct{} // with one place; see the package's documentation
	members  int
	failing  map[*Member]chan time.Duration // where each waits for its turn
	queue    []waiter                       // who wants to probe in an outage, first come first served

	state    state
	next     time.Time // asking: patience ends. mixed: ask again. outage: the next probe
	patience time.Duration
	interval time.Duration
	began    time.Time // of the outage
	probes   int       // in the outage
}

// waiter is a member that waits for its turn, and how long it does.
type waiter struct {
	member *Member
	until  time.Time
}

func newSite(log zerolog.Logger) *site {
	return &site{
		log:      log,
		question: make(chan struct{}, 1),
		failing:  make(map[*Member]chan time.Duration),
		patience: firstPatience,
	}
}

// take takes in what a member tells, but that it joined.
func (s *site) take(now time.Time, e event) {
	switch e.kind {
	case failing:
		s.failing[e.member] = e.turn
		if s.state == calm && s.many() {
			s.ask(now)
		}
	case queuing:
		s.line(e.member, e.until)
	case wanting:
		s.line(e.member, e.until)
		if s.state != outage {
			s.unline(e.member)
			s.let(e.member, 0)
		}
	case closed:
		delete(s.failing, e.member)
		s.unline(e.member)
		s.success(now, false)
	case succeeded:
		s.success(now, true)
	case left:
		s.members--
		delete(s.failing, e.member)
		s.unline(e.member)
		if !s.many() {
			s.relax(now)
		}
	case joined:
	}
}

func (s *site) many() bool { return len(s.failing) > Few }

// ask puts the question whether anybody succeeds.
func (s *site) ask(now time.Time) {
	select {
	case s.question <- struct{}{}:
	default: // it is still there
	}
	s.state, s.next = asking, now.Add(s.patience)
}

// line puts a member into the queue, or notes how long it waits there by now.
func (s *site) line(m *Member, until time.Time) {
	i := slices.IndexFunc(s.queue, func(w waiter) bool { return w.member == m })
	if i < 0 {
		s.queue = append(s.queue, waiter{m, until})
		return
	}
	s.queue[i].until = until
}

// unline takes a member out of the queue.
func (s *site) unline(m *Member) {
	s.queue = slices.DeleteFunc(s.queue, func(w waiter) bool { return w.member == m })
}

// let lets a member go on after a while. It does not wait: a turn that it was given and
// has not taken yet will do.
func (s *site) let(m *Member, after time.Duration) {
	select {
	case s.failing[m] <- after:
	default:
	}
}

// success notes that the broker answers: a member whose breaker was open, or another one.
func (s *site) success(now time.Time, another bool) {
	if s.state == outage {
		if another { // they failed and it did not
			s.patience = min(2*s.patience, lastPatience)
		}
		s.end(now, "broker outage over; its tenants go on")
	}
	if !s.many() {
		s.relax(now)
		return
	}
	s.state, s.next = mixed, now.Add(s.patience)
}

// relax is for a site of which few members fail.
func (s *site) relax(now time.Time) {
	if s.state == outage {
		s.end(now, "broker outage: too few tenants try to see it any longer")
	}
	s.state, s.patience = calm, firstPatience
	select {
	case <-s.question:
	default:
	}
}

// begin begins an outage.
func (s *site) begin(now time.Time) {
	s.state, s.began, s.probes = outage, now, 0
	s.interval, s.next = firstInterval, now
	s.log.Warn().Int("tenants", len(s.failing)).Msg("broker outage: all tenants that try are failing; few probe for all")
}

// end lets all members of an outage go.
func (s *site) end(now time.Time, how string) {
	over := min(time.Duration(len(s.failing))*spread, longestSpread)
	for m := range s.failing {
		s.let(m, rand.N(over+1))
	}
	s.queue = nil
	s.log.Warn().Int("tenants", len(s.failing)).Dur("lasted", now.Sub(s.began)).Int("probes", s.probes).Msg(how)
}

// due is when tick has something to do; zero is never.
func (s *site) due() time.Time {
	if s.state == calm || s.state == outage && len(s.queue) == 0 {
		return time.Time{}
	}
	return s.next
}

// tick does what is due.
func (s *site) tick(now time.Time) {
	at := s.due()
	if at.IsZero() || now.Before(at) {
		return
	}
	switch s.state {
	case asking:
		if len(s.question) == 0 { // somebody took it, and is about to answer
			s.state, s.next = mixed, now.Add(s.patience)
			return
		}
		s.begin(now)
	case mixed:
		s.ask(now)
	case outage:
		s.probe(now)
	case calm:
	}
}

// probe lets the next member of the queue probe that still wants to.
func (s *site) probe(now time.Time) {
	for len(s.queue) > 0 {
		w := s.queue[0]
		s.queue = s.queue[1:]
		if now.Before(w.until) {
			s.let(w.member, 0)
			s.probes++
			s.next = now.Add(s.interval)
			s.interval = min(2*s.interval, lastInterval)
			return
		}
	}
}
