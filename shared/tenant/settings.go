package tenant

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Settings are what an operator decides about a tenant, beside its keys. Their names in JSON
// and YAML are the same.
type Settings struct {
	// Status is active, or disabled: then it is halted, as by a switch, and stays so. Empty is
	// active.
	Status Status `json:"status,omitzero" yaml:"status,omitempty"`
	// Broker is the broker's address: live and paper are Alpaca's, anything else is a URL.
	Broker string `json:"broker" yaml:"broker"`
	// Account is the id of the account that a correspondent's key acts for, at the Broker API;
	// empty if the keys are the account's own.
	Account string `json:"account,omitzero" yaml:"account,omitempty"`
	// RequestsPerMinute bounds what is asked of the broker in the tenant's name; 0 is no bound
	// but the one that the broker states.
	RequestsPerMinute int `json:"requests_per_minute,omitzero" yaml:"requests_per_minute,omitempty"`
	// OnFailed is continue, or hold: an intent that failed holds the later ones until an
	// operator releases them. Empty is continue.
	OnFailed string `json:"on_failed,omitzero" yaml:"on_failed,omitempty"`
	// Pool is the name of the rate pool that the tenant's requests are taken from; empty if
	// its limit is its own.
	Pool string `json:"pool,omitzero" yaml:"pool,omitempty"`
	// Weight is the tenant's part of its pool, against the others'; 0 is 1.
	Weight int `json:"weight,omitzero" yaml:"weight,omitempty"`
	// Labels group tenants, for limits and switches: strategy=pairs.
	Labels map[string]string `json:"labels,omitzero" yaml:"labels,omitempty"`
	// Limits are the tenant's own; those of its groups and of the fleet come on top.
	Limits Limits `json:"limits,omitzero" yaml:"limits,omitempty"`
}

// Status says whether a tenant trades.
type Status string

// The states.
const (
	Active   Status = "active"
	Disabled Status = "disabled"
)

// Addresses of Alpaca's, by their names in [Settings].
var brokers = map[string]string{
	"live":               "https://api.alpaca.markets",
	"paper":              "https://paper-api.alpaca.markets",
	"broker-api":         "https://broker-api.alpaca.markets",
	"broker-api-sandbox": "https://broker-api.sandbox.alpaca.markets",
}

// Tenant is a tenant with these settings, but for its credentials.
func (s *Settings) Tenant(name string) Tenant {
	return Tenant{Name: name, BaseURL: s.BaseURL(), RequestsPerMinute: s.RequestsPerMinute, HoldOnFailed: s.OnFailed == "hold"}
}

func requestsError(n int) error {
	return fmt.Errorf("requests_per_minute: %d is not 1 to %d; leave it out for no bound but the broker's own", n, maxRequestsPerMinute)
}

// BaseURL is the broker's address.
func (s *Settings) BaseURL() string { return cmp.Or(brokers[s.Broker], s.Broker) }

const (
	maxLabels = 16
	maxWeight = 1000
)

var word = regexp.MustCompile(`^[A-Za-z0-9_-]{1,48}$`)

// ValidWord says what is wrong with the name of a pool, or with a label's key or value.
func ValidWord(s string) error {
	if !word.MatchString(s) {
		return errors.New("may hold only letters, digits, _ and -, 1 to 48 of them")
	}
	return nil
}

// Validate says what is wrong with settings, by the field's name. It quotes no value that
// may be a secret in the wrong place.
func (s *Settings) Validate() error {
	if err := checkAddress(s.BaseURL()); err != nil {
		return err
	}
	switch {
	case s.Status != "" && s.Status != Active && s.Status != Disabled:
		return fmt.Errorf("status: is neither %s nor %s", Active, Disabled)
	case s.RequestsPerMinute < 0 || s.RequestsPerMinute > maxRequestsPerMinute:
		return requestsError(s.RequestsPerMinute)
	case s.OnFailed != "" && s.OnFailed != "continue" && s.OnFailed != "hold":
		return errors.New("on_failed: is neither continue nor hold")
	case s.Account != "" && ValidWord(s.Account) != nil:
		return fmt.Errorf("account: %w", ValidWord(s.Account))
	case s.Pool != "" && ValidWord(s.Pool) != nil:
		return fmt.Errorf("pool: %w", ValidWord(s.Pool))
	case s.Weight < 0 || s.Weight > maxWeight:
		return fmt.Errorf("weight: %d is not 1 to %d", s.Weight, maxWeight)
	case len(s.Labels) > maxLabels:
		return fmt.Errorf("labels: there are more than %d", maxLabels)
	}
	for k, v := range s.Labels {
		if err := cmp.Or(ValidWord(k), ValidWord(v)); err != nil {
			return fmt.Errorf("labels: a key or a value %w", err)
		}
	}
	if err := s.Limits.Validate(); err != nil {
		return fmt.Errorf("limits.%w", err)
	}
	return nil
}

// Live says that orders go to Alpaca's live market, and so are for real money. Of a broker
// that is none of Alpaca's nobody knows.
func (s *Settings) Live() bool {
	u, err := url.Parse(s.BaseURL())
	if err != nil {
		return false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	return host == "api.alpaca.markets" || host == "broker-api.alpaca.markets"
}
