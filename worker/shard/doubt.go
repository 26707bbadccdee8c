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
			s.doubt(name, session.Doubt{Intents: session.Suspects, Last: s.foldEnd, Since: legacy.Before})
		}
	}
}

// doubt notes which of a tenant's next intents may be at the broker.
func (s *shard) doubt(name string, d session.Doubt) {
	if d.Intents == 0 {
		delete(s.doubts, name)
		return
	}
	s.doubts[name] = d
}

// maxNamed bounds the tenants that a shard names to its next owner; if there are more, it
// says that all may be in doubt. With the longest names they take some 10 KiB of the lease.
const maxNamed = 200

// legacy is what the shard leaves to its next owner: what it did not resolve itself.
func (s *shard) legacy() fleet.Legacy {
	switch {
	case !s.folded:
		return s.lease.Legacy
	case len(s.doubts) > maxNamed:
		return fleet.Legacy{}
	}
	return fleet.Legacy{Clean: true, Tenants: slices.Sorted(maps.Keys(s.doubts))}
}
