package pool

import (
	"slices"
	"time"
)

// shares remembers who the members of the fleet were, as far as this worker saw, to say how
// much of what no banker hands out is its own. It takes the least of all that it might have
// been, so that the sum over the fleet is never more than there is, although no two members
// see a change at the same time.
type shares struct {
	views []seen // the oldest first
	// stale is how far behind the truth a member's view may be that still makes requests.
	stale time.Duration
}

// seen is the fleet as it was seen from a time on.
type seen struct {
	from    time.Time
	rank    int // of this worker among them; -1 if it was none of them
	members int
}

// keep bounds how long views are remembered: the longest window, and more.
const keep = 2 * time.Hour

// see takes in who is in the fleet; self is none of them while this worker is not.
func (s *shares) see(now time.Time, self string, members []string) {
	members = slices.Sorted(slices.Values(members))
	s.views = append(s.views, seen{now, slices.Index(members, self), len(members)})
	for len(s.views) > 1 && now.Sub(s.views[1].from) > keep {
		s.views = s.views[1:]
	}
}

// share is how many of so many requests in a window are this worker's.
func (s *shares) share(p *plan, now time.Time) int {
	horizon := now.Add(-p.window - p.reach() - 2*s.stale)
	least, known := p.loose, false
	for i, v := range s.views {
		if i+1 < len(s.views) && !s.views[i+1].from.After(horizon) {
			continue // over before
		}
		known = known || !v.from.After(horizon)
		if v.rank < 0 {
			return 0
		}
		mine := p.loose / v.members
		if v.rank < p.loose%v.members {
			mine++
		}
		least = min(least, mine)
	}
	if !known {
		return 0
	}
	return least
}
