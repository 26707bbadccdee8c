package outage

import (
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is what is true of a site, kept in the plainest way: who fails, who waits, and when
// anybody was last known to succeed.
type model struct {
	failing []*Member
	waiting []*Member
	until   map[*Member]time.Time
	success time.Time   // the last success that the site was told of
	turns   []time.Time // of the outage
}

// TestSite compares a site with the model over random histories of ten members.
func TestSite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSite(zerolog.Nop())
		m := model{until: make(map[*Member]time.Time)}
		now := time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
		members := make([]*Member, 10)
		for i := range members {
			members[i] = new(Member)
		}
		s.members = len(members)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			one := rapid.SampledFrom(members).Draw(t, "member")
			before := s.state
			e := event{member: one}
			fails := slices.Contains(m.failing, one)
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				e.kind, e.turn = failing, make(chan time.Duration, 1)
				one.turn = e.turn
				if !fails {
					m.failing = append(m.failing, one)
				}
			case 2:
				if !fails {
					continue
				}
				e.kind = rapid.SampledFrom([]kind{queuing, wanting}).Draw(t, "kind")
				e.until = now.Add(time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "until")))
				switch waits := slices.Contains(m.waiting, one); {
				case e.kind == wanting && before != outage:
					m.waiting = without(m.waiting, one)
				case !waits:
					m.waiting = append(m.waiting, one)
				}
				m.until[one] = e.until
			case 3:
				if !fails {
					continue
				}
				e.kind = closed
				m.failing, m.waiting = without(m.failing, one), without(m.waiting, one)
				m.success = now
			case 4:
				if fails || len(s.question) == 0 {
					continue
				}
				<-s.question
				if rapid.Bool().Draw(t, "never answers") {
					continue
				}
				e.kind = succeeded
				m.success = now
			case 5:
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "passes")))
				due := s.due()
				s.tick(now)
				m.ticked(t, s, now, before, due)
				continue
			}
			s.take(now, e)
			m.check(t, s, before, one, e.kind)
		}
	})
}

// check compares after an event.
func (m *model) check(t *rapid.T, s *site, before state, one *Member, what kind) {
	if (s.state == calm) != (len(m.failing) <= Few) {
		t.Fatalf("state %d, and %d fail", s.state, len(m.failing))
	}
	if s.state == outage && before != outage {
		t.Fatal("an outage began by an event, not by silence")
	}
	if before != outage && what == wanting && len(one.turn) == 0 {
		t.Fatal("no outage, and a member that wants to probe may not")
	}
	if before == outage && s.state != outage {
		if what == failing || what == queuing || what == wanting {
			t.Fatalf("an outage ended by event %d", what)
		}
		for _, f := range m.failing {
			if len(f.turn) == 0 {
				t.Fatal("an outage ended, and a member was not let go")
			}
		}
		m.waiting, m.turns = nil, nil
	}
}

// ticked compares after time has passed.
func (m *model) ticked(t *rapid.T, s *site, now time.Time, before state, due time.Time) {
	switch {
	case before != outage && s.state == outage:
		if len(m.failing) <= Few || len(s.question) == 0 || now.Sub(m.success) < firstPatience {
			t.Fatalf("an outage with %d failing, %s after the last success", len(m.failing), now.Sub(m.success))
		}
		m.turns = nil
	case before == outage && s.state != outage:
		t.Fatal("an outage ended by itself")
	case before == outage && !due.IsZero() && !now.Before(due):
		m.turn(t, now)
	}
}

// turn expects that the first of the queue that still waits, and nobody else, may probe.
func (m *model) turn(t *rapid.T, now time.Time) {
	for len(m.waiting) > 0 {
		first := m.waiting[0]
		m.waiting = m.waiting[1:]
		if !now.Before(m.until[first]) {
			continue
		}
		if len(first.turn) == 0 {
			t.Fatal("the first in the queue was passed over")
		}
		if n := len(m.turns); n > 0 && now.Sub(m.turns[n-1]) < firstInterval {
			t.Fatalf("two probes within %s", now.Sub(m.turns[n-1]))
		}
		m.turns = append(m.turns, now)
		return
	}
}

func without(list []*Member, one *Member) []*Member {
	return slices.DeleteFunc(slices.Clone(list), func(m *Member) bool { return m == one })
}

// TestATakenQuestionIsAnAnswer: who took the question succeeded, even if its answer is late
// or, because its session ended, never comes. Silence is a question that nobody took.
func TestATakenQuestionIsAnAnswer(t *testing.T) {
	s := newSite(zerolog.Nop())
	now := time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
	for range Few + 1 {
		s.members++
		s.take(now, event{kind: failing, member: new(Member), turn: make(chan time.Duration, 1)})
	}
	<-s.question
	for _, want := range []state{mixed, asking, outage} {
		now = now.Add(firstPatience)
		if s.tick(now); s.state != want {
			t.Fatalf("state %d, want %d", s.state, want)
		}
	}
}

// TestAnOutageIsProbedByWhoPauses: members that queue from the beginning of their pauses on
// probe in turn, one an interval, also if the outage is seen only after they have queued.
func TestAnOutageIsProbedByWhoPauses(t *testing.T) {
	s := newSite(zerolog.Nop())
	now := time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
	members := make([]*Member, Few+1)
	for i := range members {
		members[i] = &Member{turn: make(chan time.Duration, 1)}
		s.members++
		s.take(now, event{kind: failing, member: members[i], turn: members[i].turn})
		s.take(now, event{kind: queuing, member: members[i], until: now.Add(time.Hour)})
	}
	now = now.Add(firstPatience)
	if s.tick(now); s.state != outage {
		t.Fatalf("state %d", s.state)
	}
	for range 60 {
		probes := 0
		for _, m := range members {
			if len(m.turn) > 0 { // it probes, fails, and has a longer pause
				probes++
				m.turn = make(chan time.Duration, 1)
				s.take(now, event{kind: failing, member: m, turn: m.turn})
				s.take(now, event{kind: queuing, member: m, until: now.Add(time.Hour)})
			}
		}
		if probes > 1 {
			t.Fatalf("%d probes at once", probes)
		}
		now = now.Add(lastInterval)
		s.tick(now)
	}
	if s.probes < 60 {
		t.Errorf("%d probes in 60 intervals, and all wait for one", s.probes)
	}
}
