package registry

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// switches are the keys of switches.
const switches = string(KindSwitch) + ".>"

// Switches are those that lie on everybody, on groups and on tenants at a moment, but for those
// that let them run: the oldest first. No other keys are read for it, so that a tenant that is
// halted because it is disabled is not among them.
func (s *Store) Switches(ctx context.Context, now time.Time) ([]tenant.Switch, error) {
	last := make(map[string]ledger.KeyChange)
	err := s.bucket.ReadLast(ctx, switches, func(c ledger.KeyChange) error {
		last[c.Key] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	t, err := s.trust(ctx) // behind what was read: whoever signed that is known
	if err != nil {
		return nil, err
	}
	verdicts, err := s.judgeLast(ctx, t, switches, slices.Collect(maps.Values(last)))
	if err != nil {
		return nil, err
	}
	var lie []tenant.Switch
	for _, v := range verdicts {
		if v.Err != nil {
			continue
		}
		if one, ok := holding(v.Key, &v.Record).(*tenant.Switch); ok && one.Mode != tenant.Run && !one.Over(now) {
			lie = append(lie, *one)
		}
	}
	slices.SortFunc(lie, func(a, b tenant.Switch) int { return a.At.Compare(b.At) })
	return lie, nil
}
