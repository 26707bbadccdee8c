package alpaca

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// What [New] refuses, beside [tenant.ErrNoCredentials].
var (
	// ErrCredentials: two kinds at once, or characters that no header or path may hold; see
	// [tenant.Credentials.Validate].
	ErrCredentials = errors.New("alpaca: bad credentials")
	// ErrBaseURL: empty, relative, or not what a broker's address looks like.
	ErrBaseURL = errors.New("alpaca: bad base URL")
	// ErrTenant: no name.
	ErrTenant = errors.New("alpaca: a client needs the name of its tenant")
	// ErrDecimalSettings: somebody changed how package decimal writes numbers, for
	// the whole process; the broker would read them differently.
	ErrDecimalSettings = errors.New("alpaca: decimal.MarshalJSONWithoutQuotes and decimal.UseScientificNotation must stay false")
)

// Config is all that a [Client] knows; nothing is read from the environment.
type Config struct {
	// Tenant is written to the request log. Required.
	Tenant string
	// BaseURL is the broker's address without /v2, as https://paper-api.alpaca.markets, or
	// https://broker-api.alpaca.markets with an account. Required: there is no default,
	// because the obvious one is the live market.
	BaseURL string
	// Credentials are either an OAuth token or a key pair, or a correspondent's key pair
	// with an account. Required: there is no fall-back, lest a tenant without keys trade
	// with somebody else's.
	Credentials tenant.Credentials
	// Timeouts of each call; zero fields take the defaults.
	Timeouts Timeouts
	// Logger takes a line a request: debug for 2xx answers, info for all else.
	// The zero Logger writes nothing.
	Logger zerolog.Logger
	// TLS is cloned for https addresses; nil means the system's roots.
	TLS *tls.Config
	// Transport replaces the connection that the client owns; see [SharedTransport].
	Transport http.RoundTripper
}

// Timeouts bound the parts of one call. A context's deadline, if sooner, wins.
type Timeouts struct {
	Dial      time.Duration // TCP connect, with name lookup; 5 s
	TLS       time.Duration // handshake; 5 s
	FirstByte time.Duration // from the first byte written to the first byte read; 10 s
	Call      time.Duration // all of it; 15 s
	// Ping is between two signs of life that a feed asks for, and how long one may take; 10 s.
	// The Broker API's feed cannot ask, and waits twelve times as long for one.
	Ping time.Duration
}

func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		field *time.Duration
		def   time.Duration
	}{
		{&t.Dial, 5 * time.Second},
		{&t.TLS, 5 * time.Second},
		{&t.FirstByte, 10 * time.Second},
		{&t.Call, 15 * time.Second},
		{&t.Ping, 10 * time.Second},
	} {
		if *f.field <= 0 {
			*f.field = f.def
		}
	}
	return t
}

func (cfg *Config) validate() (*url.URL, error) {
	if cfg.Tenant == "" {
		return nil, ErrTenant
	}
	if err := checkCredentials(cfg.Credentials); err != nil {
		return nil, fmt.Errorf("%w (tenant %s)", err, cfg.Tenant)
	}
	if decimal.MarshalJSONWithoutQuotes || decimal.UseScientificNotation {
		return nil, ErrDecimalSettings
	}
	base, err := parseBaseURL(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	if host := strings.ToLower(base.Hostname()); strings.HasSuffix(host, ".alpaca.markets") &&
		strings.HasPrefix(host, "broker-api.") != (cfg.Credentials.Account != "") {
		return nil, fmt.Errorf("%w: an account goes with a host as broker-api.alpaca.markets, and only that with an account", ErrBaseURL)
	}
	return base, nil
}

func checkCredentials(c tenant.Credentials) error {
	switch err := c.Validate(); {
	case errors.Is(err, tenant.ErrNoCredentials):
		return fmt.Errorf("alpaca: %w", err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCredentials, err)
	case c.Account != "" && strings.Contains(c.KeyID, ":"):
		return fmt.Errorf("%w: a colon in a correspondent's key id, where it ends", ErrCredentials)
	}
	return nil
}

func parseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil {
		// A url.Error quotes its input, which may hold a password.
		return nil, fmt.Errorf("%w: it does not parse", ErrBaseURL)
	}
	switch {
	case s == "":
		return nil, fmt.Errorf("%w: empty, and there is no default", ErrBaseURL)
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, fmt.Errorf("%w: it must start with https:// (or http:// for a broker on this machine) and name a host", ErrBaseURL)
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, fmt.Errorf("%w: no user, query or fragment may be part of it", ErrBaseURL)
	case strings.HasSuffix(u.Path, "/v1"), strings.HasSuffix(u.Path, "/v2"):
		return nil, fmt.Errorf("%w: leave out its %s", ErrBaseURL, u.Path[len(u.Path)-3:])
	case u.Scheme == "http" && strings.HasSuffix(strings.ToLower(u.Hostname()), "alpaca.markets"):
		return nil, fmt.Errorf("%w: keys would cross the internet in clear; use https", ErrBaseURL)
	}
	return u, nil
}

// address is what to dial for a base URL.
func address(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
