// Package tenant says who the tenants are: their broker's address and their keys.
package tenant

import (
	"context"
	"errors"
	"fmt"
)

// Why a tenant cannot be served.
var (
	// ErrUnknown: nobody registered a tenant of this name.
	ErrUnknown = errors.New("tenant: unknown")
	// ErrNoCredentials: the tenant is known, but has no (whole) credentials.
	ErrNoCredentials = errors.New("tenant: no credentials")
)

// Tenant is one owner of an account at a broker.
type Tenant struct {
	Name string
	// BaseURL is the broker's address, as https://paper-api.alpaca.markets. There is no
	// default: the obvious one would be the live market.
	BaseURL     string
	Credentials Credentials
}

// Directory finds tenants. Safe for concurrent use.
type Directory interface {
	// Lookup finds a tenant by name: [ErrUnknown] or [ErrNoCredentials] if it cannot be
	// served.
	Lookup(ctx context.Context, name string) (Tenant, error)
}

// Credentials are an OAuth token or a key pair. They never show themselves: printed,
// logged or marshalled they are a placeholder.
type Credentials struct {
	KeyID  string
	Secret string
	OAuth  string
}

// redacted stands for credentials wherever they would be shown.
const redacted = "[redacted]"

// Format implements [fmt.Formatter] for every verb.
func (Credentials) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// String implements [fmt.Stringer].
func (Credentials) String() string { return redacted }

// MarshalText keeps credentials out of JSON and logs.
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// complete says whether a broker can be asked with these.
func (c Credentials) complete() bool { return c.OAuth != "" || c.KeyID != "" && c.Secret != "" }
