package tenant

import (
	"cmp"
	"fmt"
	"time"
)

// Pool is a rate limit that many tenants share: that of a correspondent of the Broker API,
// say. Its name is the key that keeps it.
type Pool struct {
	// Requests is how many may reach the broker in any Window, wherever that begins.
	Requests int      `json:"requests" yaml:"requests"`
	Window   Duration `json:"window" yaml:"window"`
	// ReservePercent is the part of them that cancels, and lookups that resolve a doubt, get
	// before all others if they want it; 0 is [DefaultReservePercent].
	ReservePercent int `json:"reserve_percent,omitzero" yaml:"reserve_percent,omitempty"`
}

// Bounds of a [Pool].
const (
	DefaultReservePercent = 5
	MaxReservePercent     = 50
	MaxPoolRequests       = 100_000
	MinPoolWindow         = time.Second
	MaxPoolWindow         = time.Hour
)

// Reserve is the part that is kept for cancels, in percent.
func (p Pool) Reserve() int { return cmp.Or(p.ReservePercent, DefaultReservePercent) }

// Validate says what is wrong with a pool, by the field's name.
func (p Pool) Validate() error {
	switch window := time.Duration(p.Window); {
	case p.Requests < 1 || p.Requests > MaxPoolRequests:
		return fmt.Errorf("requests: %d is not 1 to %d", p.Requests, MaxPoolRequests)
	case window < MinPoolWindow || window > MaxPoolWindow:
		return fmt.Errorf("window: %s is not %s to %s", window, MinPoolWindow, MaxPoolWindow)
	case p.ReservePercent < 0 || p.ReservePercent > MaxReservePercent:
		return fmt.Errorf("reserve_percent: %d is not 1 to %d; leave it out for %d", p.ReservePercent, MaxReservePercent, DefaultReservePercent)
	}
	return nil
}
