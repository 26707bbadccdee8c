package alpaca_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

var keys = tenant.Credentials{KeyID: "PKTEST0000", Secret: "s3cret-of-acme"}

// patient leaves it to the test, and not to a time-out, to end a call.
var patient = alpaca.Timeouts{FirstByte: time.Hour, Call: time.Hour}

// connect makes a client for tests, with what change does to its configuration.
func connect(t testing.TB, baseURL string, change ...func(*alpaca.Config)) *alpaca.Client {
	t.Helper()
	cfg := alpaca.Config{Tenant: "acme", BaseURL: baseURL, Credentials: keys, Timeouts: patient}
	for _, f := range change {
		f(&cfg)
	}
	c, err := alpaca.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// transports makes the configuration of each way to hold a connection.
func transports() map[string]func(testing.TB) func(*alpaca.Config) {
	shared := func(t testing.TB) *http.Transport {
		rt := alpaca.SharedTransport(patient, nil, 4)
		t.Cleanup(rt.CloseIdleConnections)
		return rt
	}
	return map[string]func(testing.TB) func(*alpaca.Config){
		"own": func(testing.TB) func(*alpaca.Config) { return func(*alpaca.Config) {} },
		"shared": func(t testing.TB) func(*alpaca.Config) {
			return func(cfg *alpaca.Config) { cfg.Transport = shared(t) }
		},
		"locked": func(t testing.TB) func(*alpaca.Config) {
			return func(cfg *alpaca.Config) { cfg.Transport = alpaca.LockedTransport(shared(t)) }
		},
	}
}

// modes are all kinds of credentials.
var modes = map[string]tenant.Credentials{
	"key pair": keys,
	"OAuth":    {OAuth: "token-of-acme"},
	"account":  acting,
}

// acting are a correspondent's keys, with the account that a [brokertest.Server] knows.
var acting = tenant.Credentials{KeyID: "CKTEST0000", Secret: "s3cret-of-the-correspondent", Account: brokertest.Account}

// as makes the configuration of credentials.
func as(c tenant.Credentials) func(*alpaca.Config) {
	return func(cfg *alpaca.Config) { cfg.Credentials = c }
}

func TestContract(t *testing.T) {
	for mode, creds := range modes {
		for name, transport := range transports() {
			t.Run(mode+", "+name, func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, baseURL string) broker.Client {
					return connect(t, baseURL, transport(t), as(creds))
				})
			})
		}
	}
}

func TestBooksContract(t *testing.T) {
	for mode, creds := range modes {
		stream := brokertest.Websocket
		if creds.Account != "" {
			stream = brokertest.ServerSent
		}
		t.Run(mode, func(t *testing.T) {
			brokertest.RunBooks(t, stream, func(t *testing.T, baseURL string, ping time.Duration) broker.Books {
				return connect(t, baseURL, as(creds), func(cfg *alpaca.Config) { cfg.Timeouts.Ping = ping })
			})
		})
	}
}
