package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	// default: the obvious one would be the live market. Over http, which brokers within
	// a cluster or on this machine may speak, keys cross the network in clear.
	BaseURL     string
	Credentials Credentials
	// Keys names the credentials, so that others can be told from them; empty if they do not
	// change.
	Keys string
	// RequestsPerMinute bounds what is asked of the broker in the tenant's name; 0 is no
	// bound but the one that the broker states.
	RequestsPerMinute int
	// HoldOnFailed says that an intent that failed holds the tenant's later ones until an
	// operator releases them. Otherwise they go on.
	HoldOnFailed bool
}

// Directory finds tenants. Safe for concurrent use.
type Directory interface {
	// Lookup finds a tenant by name: [ErrUnknown] or [ErrNoCredentials] if it cannot be
	// served.
	Lookup(ctx context.Context, name string) (Tenant, error)
}

// Map is a directory in memory, by name. Nobody may change it while it is in use.
type Map map[string]Tenant

// Lookup implements [Directory].
func (m Map) Lookup(_ context.Context, name string) (Tenant, error) {
	t, ok := m[name]
	if !ok {
		return Tenant{}, fmt.Errorf("%w: there is no tenant %q", ErrUnknown, name)
	}
	if err := t.check(); err != nil {
		return Tenant{}, err
	}
	return t, nil
}

// check says why a tenant cannot be served.
func (t Tenant) check() error {
	if err := t.Credentials.Validate(); err != nil {
		return fmt.Errorf("%w (tenant %q)", err, t.Name)
	}
	return nil
}

// Credentials are an OAuth token, a key pair, or, with an account, the key pair of a
// correspondent who acts for it. They never show themselves: printed, logged or marshalled
// they are a placeholder. (In a field that is not exported, package fmt asks no type how it
// wants to be shown: a struct that holds credentials so has its own Format, as [File] does.)
type Credentials struct {
	KeyID  string
	Secret string
	OAuth  string
	// Account is the broker's id of an account of the Broker API: KeyID and Secret are then
	// the correspondent's, which many tenants share, and BaseURL names a Broker API. Empty:
	// the keys or the token are of one account, and say which. It is no secret.
	Account string
	// Broker is the address of the only broker that they may be shown to, as [Settings.BaseURL] has
	// it: whoever can change a tenant's settings cannot have its keys sent elsewhere. Empty: they
	// are where the settings are, and nobody else changes those.
	Broker string

	buffer *Buffer // that the strings lie in; nil if they are the garbage collector's
}

// maxValue bounds each part of credentials, in bytes.
const maxValue = 1024

// Validate says what is wrong with credentials, without quoting them. Those that are not whole
// are [ErrNoCredentials].
func (c *Credentials) Validate() error {
	switch {
	case c.OAuth != "" && (c.KeyID != "" || c.Secret != ""):
		return errors.New("tenant: an OAuth token and a key pair: which account is meant?")
	case c.OAuth != "" && c.Account != "":
		return errors.New("tenant: an OAuth token and an account, which takes a correspondent's key pair")
	case c.OAuth == "" && (c.KeyID == "" || c.Secret == ""):
		return fmt.Errorf("%w: they are a key id and a secret, or an OAuth token", ErrNoCredentials)
	case c.Account != "" && !accountID.MatchString(c.Account):
		return errors.New("tenant: the account is no id as brokers give them: 1 to 64 of A-Z, a-z, 0-9, _ and -")
	}
	if c.Broker != "" {
		if err := checkAddress(c.Broker); err != nil || len(c.Broker) > maxValue {
			return errors.New("tenant: the broker is no address as https://paper-api.alpaca.markets")
		}
	}
	for _, part := range []struct{ name, value string }{{"key id", c.KeyID}, {"secret", c.Secret}, {"OAuth token", c.OAuth}} {
		if len(part.value) > maxValue || strings.ContainsFunc(part.value, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("tenant: the %s is longer than %d bytes, or not visible ASCII", part.name, maxValue)
		}
	}
	return nil
}

// Kind says what kind they are: oauth, key_pair or broker_api; empty if there are none.
func (c *Credentials) Kind() Kind {
	switch {
	case c.OAuth != "":
		return OAuth
	case c.Account != "":
		return BrokerAPI
	case c.KeyID != "":
		return KeyPair
	}
	return ""
}

// Kind is the kind of credentials.
type Kind string

// The kinds.
const (
	KeyPair   Kind = "key_pair"   // an account's own
	OAuth     Kind = "oauth"      // a token
	BrokerAPI Kind = "broker_api" // a correspondent's, acting for an account
)

// redacted stands for credentials wherever they would be shown.
const redacted = "[redacted]"

// Format implements [fmt.Formatter] for every verb.
func (Credentials) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// String implements [fmt.Stringer].
func (Credentials) String() string { return redacted }

// MarshalText keeps credentials out of JSON, YAML and logs.
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }
