package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
	"github.com/rs/zerolog"
)

// TestDialModes: each kind of a tenant's credentials comes to its broker as what it is.
func TestDialModes(t *testing.T) {
	for name, tc := range map[string]struct {
		credentials          tenant.Credentials
		path, header, prefix string
	}{
		"key pair": {tenant.Credentials{KeyID: "AK1", Secret: "s"}, "/v2/orders/x", "Apca-Api-Key-Id", "AK1"},
		"OAuth":    {tenant.Credentials{OAuth: "t"}, "/v2/orders/x", "Authorization", "Bearer t"},
		"account": {
			tenant.Credentials{KeyID: "CK1", Secret: "s", Account: "acct-1"},
			"/v1/trading/accounts/acct-1/orders/x", "Authorization", "Basic ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := brokertest.NewServer(t)
			directory := tenant.Map{"acme": {Name: "acme", BaseURL: s.URL, Credentials: tc.credentials}}
			line, err := connector(directory, settings{}, zerolog.Nop())(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			defer line.Client.Close()
			second, err := books(directory, settings{}, zerolog.Nop())(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			defer second.Hangup()
			line.Client.ByID(t.Context(), "x")
			second.Record(t.Context(), "x")
			all := s.Requests()
			if len(all) != 2 {
				t.Fatalf("%d requests", len(all))
			}
			for _, r := range all {
				if path, _, _ := strings.Cut(r.Sent, "?"); path != tc.path || !strings.HasPrefix(r.Header.Get(tc.header), tc.prefix) {
					t.Errorf("%s with %s %q", r.Sent, tc.header, r.Header.Get(tc.header))
				}
			}
		})
	}
}

// TestSupervise: the first signal drains, the second one abandons, and so does the end of the
// time to drain; a worker that ends by itself is not waited for.
func TestSupervise(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name    string
		signals int
		drains  time.Duration // how long the worker takes to drain
		fails   error         // what it ends with by itself
		want    error
		after   time.Duration
	}{
		{"drained", 1, 2 * time.Second, nil, nil, 2 * time.Second},
		{"a second signal", 2, time.Hour, nil, errAbandoned, time.Second},
		{"not in time", 1, time.Hour, nil, errAbandoned, 25 * time.Second},
		{"ends by itself", 0, 0, broken, broken, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, drain, ended := make(chan os.Signal, 2), make(chan struct{}), make(chan error, 1)
				ctx, abandon := context.WithCancelCause(t.Context())
				go func() { // a worker
					if tc.fails != nil {
						ended <- tc.fails
						return
					}
					<-drain
					select {
					case <-time.After(tc.drains):
						ended <- nil
					case <-ctx.Done():
						ended <- context.Cause(ctx)
					}
				}()
				for n := range tc.signals { // one a second
					time.AfterFunc(time.Duration(n)*time.Second, func() { signals <- syscall.SIGTERM })
				}
				began := time.Now()
				if err := supervise(signals, ended, drain, abandon, 25*time.Second, zerolog.Nop()); !errors.Is(err, tc.want) {
					t.Errorf("ended with %v", err)
				}
				if took := time.Since(began); took != tc.after {
					t.Errorf("after %v, wanted %v", took, tc.after)
				}
			})
		})
	}
}
