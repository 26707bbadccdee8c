package feed

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Line is a line of a feed: an intent, and whose it is.
type Line struct {
	Number int // from 1; of the line it begins on
	Tenant string
	Intent order.Intent
	// ExpiresIn stands for an expiry that begins with the import; 0: the line has none.
	ExpiresIn time.Duration
	// content is what the line says, for an id made of it.
	content []byte
}

// LineError is a line that was not published, and why.
type LineError struct {
	Line int
	Err  error
}

func (p LineError) Error() string { return fmt.Sprintf("line %d: %v", p.Line, p.Err) }
func (p LineError) Unwrap() error { return p.Err }

// decodeJSON reads a line of JSON: an intent with the members tenant and expires_in beside
// its own.
func decodeJSON(data []byte) (Line, error) {
	if len(data) > order.MaxMessage {
		return Line{}, fmt.Errorf("it has %d bytes, more than %d", len(data), order.MaxMessage)
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(data, &members); err != nil {
		if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			return Line{}, fmt.Errorf("it is not JSON at byte %d: %w", syntax.ByteOffset, syntax.Err)
		}
		return Line{}, errors.New("it is no JSON object")
	}
	var l Line
	if err := take(members, "tenant", &l.Tenant); err != nil {
		return Line{}, err
	}
	var expiresIn string
	if err := take(members, "expires_in", &expiresIn); err != nil {
		return Line{}, err
	}
	rest, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return Line{}, err
	}
	if l.Intent, err = order.DecodeIntent(rest); err != nil {
		return Line{}, err
	}
	l.content = rest
	return l, l.expires(expiresIn)
}

// take moves a member out of an object.
func take(members map[string]jsontext.Value, name string, into *string) error {
	value, ok := members[name]
	if !ok {
		return nil
	}
	delete(members, name)
	if err := json.Unmarshal(value, into); err != nil {
		return &order.FieldError{Field: name, Problem: "is no string"}
	}
	return nil
}

// expires sets a lifetime.
func (l *Line) expires(in string) error {
	if in == "" {
		return nil
	}
	d, err := time.ParseDuration(in)
	switch {
	case err != nil || d <= 0:
		return &order.FieldError{Field: "expires_in", Problem: fmt.Sprintf("%q is no positive duration, as 10m", in)}
	case !l.Intent.ExpiresAt.IsZero():
		return &order.FieldError{Field: "expires_in", Problem: "stands beside expires_at"}
	}
	l.ExpiresIn = d
	return nil
}
