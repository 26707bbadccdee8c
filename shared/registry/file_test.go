package registry_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// TestFile: a tenants file says what the registry would, and again when it is another one.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`
broker: paper
limits: {open_orders: 9}
labels: {strategy: {pairs: {orders_per_minute: 30}}}
switches: {tenant.beta: {mode: pause, reason: wait}}
tenants:
  acme: {key_id: k, secret: s, labels: {strategy: pairs}, limits: {orders_per_minute: 60}}
  beta: {key_id: k, secret: s}
  gone: {key_id: k, secret: s, status: disabled}
any: {key_id: "{tenant}", secret: s, limits: {open_orders: 2}}
`)
	problems := make(chan error, 1)
	f, err := registry.OpenFile(path, func(err error) { problems <- err })
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	now := time.Now()
	acme, beta, gone, other := f.Terms("acme"), f.Terms("beta"), f.Terms("gone"), f.Terms("other")
	if acme.Limits.OrdersPerMinute != 30 || acme.Limits.OpenOrders != 9 || other.Limits.OpenOrders != 2 {
		t.Errorf("%+v, %+v", acme, other)
	}
	if acme.Mode(now) != tenant.Run || beta.Mode(now) != tenant.Pause || gone.Mode(now) != tenant.Halt {
		t.Errorf("modes %s, %s, %s", acme.Mode(now), beta.Mode(now), gone.Mode(now))
	}
	if got, err := f.Lookup(ctx, "acme"); err != nil || got.BaseURL != "https://paper-api.alpaca.markets" {
		t.Errorf("%+v: %v", got, err)
	}

	changed := f.Changed()
	write(`
broker: paper
limits: {open_orders: 9}
tenants:
  acme: {key_id: other, secret: s, labels: {strategy: pairs}, limits: {orders_per_minute: 60}}
  beta: {key_id: k, secret: s, limits: {open_orders: 1}}
`)
	<-changed
	then := f.Terms("acme")
	if then.Line == acme.Line || then.Revision <= acme.Revision || then.Limits.OrdersPerMinute != 60 {
		t.Errorf("acme has other keys: %+v, and was %+v", then, acme)
	}
	if then := f.Terms("beta"); then.Line != beta.Line || then.Revision <= beta.Revision || then.Mode(now) != tenant.Run || then.Limits.OpenOrders != 1 {
		t.Errorf("beta has other limits: %+v, and was %+v", then, beta)
	}
	for _, name := range []string{"gone", "other"} {
		if _, err := f.Lookup(ctx, name); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A mistake changes nothing, and is told.
	revision := f.Revision()
	write("tenants: {acme: {secret: [PRIVATE]}}")
	if err := <-problems; strings.Contains(err.Error(), "PRIVATE") || !strings.Contains(err.Error(), "line 1") {
		t.Error(err)
	}
	if f.Revision() != revision || f.Terms("acme").Revision != then.Revision {
		t.Errorf("revision %d, and was %d", f.Revision(), revision)
	}
	write("broker: paper\ntenants: {}\n")
	if err := f.Sync(ctx); err != nil || len(f.Names()) != 0 || f.Revision() != revision+1 {
		t.Errorf("%v at revision %d: %v", f.Names(), f.Revision(), err)
	}
}

// TestTheTemplateChanges: whoever the template makes out has its terms, also who once stood in
// the file.
func TestTheTemplateChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("broker: paper\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tenants: {acme: {key_id: k, secret: s}}\nany: {key_id: k, secret: s, limits: {open_orders: 1}}\n")
	f, err := registry.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := f.Terms("acme").Revision
	for i, limit := range []string{"2", "3", "4"} {
		write("any: {key_id: k, secret: s, limits: {open_orders: " + limit + "}}\n")
		if err := f.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"acme", "other"} {
			if got := f.Terms(name); got.Limits.OpenOrders != i+2 || got.Revision <= last {
				t.Errorf("%s: %+v after revision %d", name, got, last)
			}
		}
		last = f.Terms("acme").Revision
	}
}

// TestFileKeys: what names a tenant's keys changes with them, be they in the file or in a
// secret file, and with nobody else's; whoever asks sees what was written before.
func TestFileKeys(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", "one")
	write("tenants.yaml", "broker: paper\ntenants: {acme: {key_id: k, secret_file: secret}, beta: {key_id: k, secret: s}}\nany: {key_id: '{tenant}', secret: s}\n")
	f, err := registry.OpenFile(filepath.Join(dir, "tenants.yaml"), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	keys := func(name string) (string, string, uint64) {
		t.Helper()
		if err := f.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := f.Lookup(t.Context(), name)
		if err != nil || got.Keys == "" {
			t.Fatalf("%s: %q, %v", name, got.Keys, err)
		}
		return got.Keys, got.Credentials.Secret, f.Terms(name).Line
	}
	for _, step := range []struct {
		name, file, text string
		of, secret       string
		others           []string
	}{
		{"a secret file", "secret", "two", "acme", "two", []string{"beta", "other"}},
		{"a secret file, as long as before", "secret", "six", "acme", "six", []string{"beta", "other"}},
		{"the file", "tenants.yaml", "broker: paper\ntenants: {acme: {key_id: k, secret_file: secret}, beta: {key_id: k, secret: t}}\nany: {key_id: '{tenant}', secret: s}\n", "beta", "t", []string{"acme", "other"}},
		{"the template", "tenants.yaml", "broker: paper\ntenants: {acme: {key_id: k, secret_file: secret}, beta: {key_id: k, secret: t}}\nany: {key_id: '{tenant}', secret: u}\n", "other", "u", []string{"acme", "beta"}},
	} {
		type known struct {
			keys string
			line uint64
		}
		before := map[string]known{}
		for _, name := range append(step.others, step.of) {
			k, _, line := keys(name)
			before[name] = known{k, line}
		}
		write(step.file, step.text)
		if k, secret, line := keys(step.of); k == before[step.of].keys || line == before[step.of].line || secret != step.secret {
			t.Errorf("%s: %s has %s of line %d, secret %s", step.name, step.of, k, line, secret)
		}
		for _, name := range step.others {
			if k, _, line := keys(name); k != before[name].keys || line != before[name].line {
				t.Errorf("%s: %s has other keys, %s of line %d", step.name, name, k, line)
			}
		}
	}
}
