package cli

import (
	"errors"
	"time"

	"github.com/spf13/pflag"
)

// Ahead is a flag that names a moment to come: in so long, as 2h, or an RFC 3339 time. Zero if
// it is not given.
type Ahead struct{ time.Time }

var _ pflag.Value = (*Ahead)(nil)

var errAhead = errors.New("it is neither a positive duration, as 2h, nor an RFC 3339 time that is to come")

func (a *Ahead) String() string {
	if a.IsZero() {
		return ""
	}
	return a.Format(time.RFC3339)
}

// Type is for the help.
func (a *Ahead) Type() string { return "when" }

// Set implements a flag's value.
func (a *Ahead) Set(s string) error {
	now := time.Now()
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		a.Time = now.Add(d).UTC()
		return nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || !at.After(now) {
		return errAhead
	}
	a.Time = at.UTC()
	return nil
}
