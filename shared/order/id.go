package order

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Lengths of names, in bytes. A client order id has at most 48+1+64 = 113 of the 128
// that the broker allows.
const (
	MaxTenant = 48
	MaxID     = 64
)

// ClientOrderID is the id that an intent's order bears at the broker: a pure function
// of tenant and intent, so that a second attempt cannot become a second order. See also
// [Intent.ClientOrderID].
func ClientOrderID(tenant, intentID string) string { return tenant + "." + intentID }

// ParseClientOrderID takes a client order id of ours apart; ok is false for others.
func ParseClientOrderID(s string) (tenant, intentID string, ok bool) {
	tenant, intentID, ok = strings.Cut(s, ".")
	if !ok || ValidTenant(tenant) != nil || ValidID(intentID) != nil {
		return "", "", false
	}
	return tenant, intentID, true
}

// NewID makes an intent id: a UUIDv7, so that ids sort by the time they were made.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// ValidTenant says what is wrong with a tenant's name.
func ValidTenant(name string) error { return word("tenant", name, MaxTenant) }

// ValidID says what is wrong with an intent id.
func ValidID(id string) error { return word("id", id, MaxID) }

// word checks a name of 1 to n of [A-Za-z0-9_-]: what is safe in a subject, a path and
// a client order id.
func word(field, s string, n int) error {
	if s == "" {
		return &FieldError{field, "is required"}
	}
	if len(s) > n {
		return &FieldError{field, fmt.Sprintf("has %d characters, more than %d", len(s), n)}
	}
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			continue
		}
		return &FieldError{field, fmt.Sprintf("%q may hold only letters, digits, _ and -", s)}
	}
	return nil
}
