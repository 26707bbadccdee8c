package pool

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestShares: whoever comes and goes, and whenever each member sees it, all together they use
// no more in any window than what there is.
func TestShares(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := planOf(poolOf(rapid.IntRange(40, 800).Draw(rt, "requests"), 10*time.Second))
		p.life, p.transit = 0, 0 // what is used arrives at once
		const stale = 5 * time.Second
		begin := time.Unix(1_800_000_000, 0)
		all := make(map[string]*shares)
		last := make(map[string]time.Time) // when each saw something last
		var staff []string
		change := func(at time.Time) {
			for _, name := range staff {
				sees := at.Add(time.Duration(rapid.Int64Range(0, int64(stale)).Draw(rt, "late")))
				if sees.Before(last[name]) {
					sees = last[name]
				}
				last[name] = sees
				all[name].see(sees, name, staff)
			}
		}
		now := begin
		for i := range rapid.IntRange(2, 12).Draw(rt, "changes") {
			if len(staff) > 1 && rapid.Bool().Draw(rt, "leaves") {
				staff = slices.Delete(slices.Clone(staff), 0, 1)
			} else {
				name := fmt.Sprintf("w%c%d", 'a'+rapid.IntRange(0, 25).Draw(rt, "letter"), i)
				all[name] = &shares{stale: stale}
				staff = append(slices.Clone(staff), name)
			}
			change(now)
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(30*time.Second)).Draw(rt, "then")))
		}
		// In a window, each may have used what its share was at some moment of it.
		for from := begin; from.Before(now.Add(time.Minute)); from = from.Add(500 * time.Millisecond) {
			sum := 0
			for name, s := range all {
				most := 0
				for at := from; !at.After(from.Add(p.window)); at = at.Add(250 * time.Millisecond) {
					if slices.Contains(staff, name) || at.Before(last[name].Add(stale)) {
						most = max(most, s.share(&p, at))
					}
				}
				sum += most
			}
			if sum > p.loose {
				rt.Fatalf("%d of %d, in the window from %s on", sum, p.loose, from.Sub(begin))
			}
		}
	})
}

// TestSharesOfAll: in a fleet that stays as it is, nothing is left over.
func TestSharesOfAll(t *testing.T) {
	p := planOf(poolOf(1000, time.Minute))
	names := []string{"a", "b", "c"}
	now, sum := time.Now(), 0
	for _, name := range names {
		s := &shares{stale: time.Second}
		if s.share(&p, now) != 0 {
			t.Error("who has seen nobody takes something")
		}
		s.see(now.Add(-2*time.Minute), name, names)
		sum += s.share(&p, now)
		s.see(now, "", nil)
		if s.share(&p, now.Add(time.Hour)) != 0 {
			t.Error("who is in no fleet takes something")
		}
	}
	if sum != p.loose || sum != 25 {
		t.Errorf("%d of %d", sum, p.loose)
	}
}
