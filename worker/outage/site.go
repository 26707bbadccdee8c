package outage

import (
	"math/rand/v2"
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
	queue    []*Member                      // who wants to probe, in an outage
	until    map[*Member]time.Time          // how long those in the queue want to wait

	state    state
	next     time.Time // asking: patience ends. mixed: ask again. outage: the next probe
	patience time.Duration
	interval time.Duration
	began    time.Time // of the outage
	probes   int       // in the outage
}

func newSite(log zerolog.Logger) *site {
	return &site{
		log:      log,
		question: make(chan struct{}, 1),
		failing:  make(map[*Member]chan time.Duration),
		until:    make(map[*Member]time.Time),
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
	case wanting:
		s.want(e.member, e.until)
	case closed:
		delete(s.failing, e.member)
		s.success(now, false)
	case succeeded:
		s.success(now, true)
	case left:
		s.members--
		delete(s.failing, e.member)
		delete(s.until, e.member)
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

// want lets a member probe now, or in its turn.
func (s *site) want(m *Member, until time.Time) {
	if s.state != outage {
		s.let(m, 0)
		return
	}
	if _, queued := s.until[m]; !queued {
		s.queue = append(s.queue, m)
	}
	s.until[m] = until
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
	clear(s.until)
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
		m := s.queue[0]
		s.queue = s.queue[1:]
		until, here := s.until[m]
		delete(s.until, m)
		if here && now.Before(until) {
			s.let(m, 0)
			s.probes++
			s.next = now.Add(s.interval)
			s.interval = min(2*s.interval, lastInterval)
			return
		}
	}
}
