package shard

import (
	"maps"
	"slices"

	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/session"
)

// suspect notes the tenants whose next intents the owner before may have left at the
// broker.
func (s *shard) suspect() {
	legacy := s.lease.Legacy
	for name := range s.tenantsDue {
		if !legacy.Clean || slices.Contains(legacy.Tenants, name) {
			s.doubt(name, session.Doubt{Intents: session.Suspects, End: s.foldEnd, Before: legacy.Before})
		}
	}
}

// doubt notes what of a tenant may be at the broker.
func (s *shard) doubt(name string, d session.Doubt) {
	if d.Intents == 0 {
		delete(s.doubts, name)
		return
	}
	s.doubts[name] = d
}

// legacy is what the shard leaves to its next owner: what it did not resolve itself.
func (s *shard) legacy() fleet.Legacy {
	if !s.folded {
		return s.lease.Legacy
	}
	return fleet.Legacy{Clean: true, Tenants: slices.Sorted(maps.Keys(s.doubts))}
}
