package tenant

import (
	"fmt"
	"slices"
	"time"
)

// Mode is what a tenant's intents may do, by an operator's switch. A later one in this order
// wins.
type Mode string

// The modes.
const (
	// Run: everything.
	Run Mode = "run"
	// ReduceOnly: cancels, and orders that make a position smaller; others are blocked.
	ReduceOnly Mode = "reduce_only"
	// Pause: they wait.
	Pause Mode = "pause"
	// Halt: cancels; others are blocked.
	Halt Mode = "halt"
)

var modes = []Mode{Run, ReduceOnly, Pause, Halt}

// ParseMode reads a mode.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); slices.Contains(modes, m) {
		return m, nil
	}
	return "", fmt.Errorf("mode: %q is none of %v", s, modes)
}

// Switch is an operator's hand on a tenant, a group or the fleet.
type Switch struct {
	Mode Mode `json:"mode"`
	// Until is when it is over by itself; zero is never.
	Until  time.Time `json:"until,omitzero"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	// Scope is on whom it lies: all, label.<key>.<value> or tenant.<name>.
	Scope string `json:"scope"`
}

// Over says that the switch is over by itself.
func (s *Switch) Over(now time.Time) bool { return !s.Until.IsZero() && !now.Before(s.Until) }

// Terms are what a tenant's session works under, as of a moment: whoever has a value has
// terms that do not change.
type Terms struct {
	// Revision grows with every change of them.
	Revision uint64
	// Line grows with every change of what a line to the broker is made from: settings and
	// keys.
	Line uint64
	// Limits are the tightest of the tenant's, its groups' and the fleet's.
	Limits Limits
	// Switches are those that lie on the tenant.
	Switches []Switch
	// Pool is the rate pool, and Weight the tenant's part of it; empty if its limit is its own.
	Pool   string
	Weight int
}

// Hand is the tightest switch at a moment, and false if there is none that is not [Run].
func (t *Terms) Hand(now time.Time) (Switch, bool) {
	var tightest Switch
	found := false
	for _, s := range t.Switches {
		if s.Over(now) || s.Mode == Run || found && slices.Index(modes, s.Mode) <= slices.Index(modes, tightest.Mode) {
			continue
		}
		tightest, found = s, true
	}
	return tightest, found
}

// Mode is what the tenant may do at a moment.
func (t *Terms) Mode(now time.Time) Mode {
	if s, ok := t.Hand(now); ok {
		return s.Mode
	}
	return Run
}
