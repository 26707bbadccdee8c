package cli

import (
	"errors"
	"time"

	"github.com/spf13/pflag"
)

// Moment is a flag that names a moment: so long ago, as 2h, or an RFC 3339 time. Zero if it
// is not given.
type Moment struct{ time.Time }

var _ pflag.Value = (*Moment)(nil)

var errMoment = errors.New("it is neither a positive duration, as 2h, nor an RFC 3339 time")

func (m *Moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

// Type is for the help.
func (m *Moment) Type() string { return "when" }

// Set implements a flag's value.
func (m *Moment) Set(s string) error {
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		m.Time = time.Now().Add(-d)
		return nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errMoment
	}
	m.Time = at
	return nil
}
