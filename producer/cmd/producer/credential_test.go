package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/shared/vault"
)

// TestCredential: a tenant sets, shows and removes its own keys, signed with its own key;
// nothing that it sees shows them.
func TestCredential(t *testing.T) {
	l := serve(t).Ledger()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	key, secret := filepath.Join(t.TempDir(), "acme.nk"), filepath.Join(t.TempDir(), "secret")
	for file, content := range map[string]string{key: string(seed), secret: "PRIVATE-1\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line, recipient, err := seal.Keygen()
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.ParseX25519Identity(string(line))
	if err != nil {
		t.Fatal(err)
	}
	set := []string{"credential", "set", "acme", "--key-id", "AK1"}
	mistake := func(name string, code int, says, stdin string, args ...string) {
		t.Helper()
		got, out, problem := run(t.Context(), stdin, args...)
		if got != code || !strings.Contains(out+problem, says) || strings.Contains(out+problem, "PRIVATE") {
			t.Errorf("%s: exit code %d, wanted %d and %q: %s%s", name, got, code, says, out, problem)
		}
	}
	mistake("no signature", 2, registry.SigningKey, "PRIVATE", set...)
	t.Setenv(registry.SigningKey, secret)
	mistake("no key to sign with", 1, "no seed", "PRIVATE", set...)
	t.Setenv(registry.SigningKey, key)
	mistake("nobody knows for which broker", 1, "--broker", "PRIVATE", set...)
	mistake("no broker", 2, "--broker", "PRIVATE", append(set, "--broker", "paper-api")...)
	mistake("nobody could open it", 1, "recipient add", "PRIVATE", append(set, "--broker", "live")...)
	by, err := registry.ReadSigner("operator", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.NewStore(l).Write(t.Context(), by, registry.TenantKey("acme"), &tenant.Settings{Broker: "paper"}, "a test", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.NewStore(l).Write(t.Context(), by, registry.RecipientsKey, &registry.RecipientList{Recipients: []string{recipient}}, "a test", 0); err != nil {
		t.Fatal(err)
	}
	mistake("none to show", 1, "no credentials", "", "credential", "show", "acme")
	mistake("no tenant", 2, "accepts 1 arg", "", "credential", "set")
	mistake("a bad tenant", 2, "tenant", "PRIVATE", "credential", "set", "a.b", "--key-id", "AK1")
	mistake("no key", 2, "--key-id", "PRIVATE", "credential", "set", "acme")
	mistake("two kinds", 2, "which is meant", "PRIVATE", append(set, "--oauth-file", "-")...)
	mistake("no secret", 2, "there is none", "\n", set...)
	mistake("no file", 2, "no such file", "", append(set, "--secret-file", "nowhere")...)
	mistake("two lines", 2, "visible", "PRIVATE\nPRIVATE\n", set...)
	mistake("too long", 2, "longer", strings.Repeat("PRIVATE", 200), set...)
	mistake("a secret as a flag", 2, "unknown flag", "", append(set, "--secret", "x")...)
	mistake("an account that leaves its path", 2, "account", "PRIVATE", append(set, "--account", "../x")...)

	for _, tt := range []struct {
		stdin string
		args  []string
		want  string // of what is sealed
	}{
		{"PRIVATE-2\n", set, "AK1 PRIVATE-2   https://paper-api.alpaca.markets"},
		{"", append(set, "--secret-file", secret, "--account", "acct", "--broker", "broker-api"), "AK1 PRIVATE-1  acct https://broker-api.alpaca.markets"},
		{"PRIVATE-3", []string{"credential", "set", "acme", "--oauth-file", "-"}, "  PRIVATE-3  https://paper-api.alpaca.markets"},
	} {
		code, out, problem := run(t.Context(), tt.stdin, append(tt.args, "-o", "json")...)
		if code != 0 || strings.Contains(out+problem, "PRIVATE") {
			t.Fatalf("%d: %s%s", code, out, problem)
		}
		h, err := vault.New(l).Show(t.Context(), "acme")
		if err != nil || !strings.Contains(out, h.Digest) || h.Reason != "by the tenant itself" {
			t.Fatalf("%+v, %v: %s", h, err, out)
		}
		blob, err := l.Bucket(ledger.CredentialsBucket).Value(t.Context(), seal.Key("acme", h.Digest))
		if err != nil {
			t.Fatal(err)
		}
		c, err := seal.Open("acme", h.Digest, blob, []age.Identity{id})
		if got := strings.Join([]string{c.KeyID, c.Secret, c.OAuth, c.Account, c.Broker}, " "); err != nil || got != tt.want {
			t.Errorf("sealed other keys, %v", err)
		}
		for _, args := range [][]string{{"credential", "show", "acme"}, {"credential", "show", "acme", "-o", "json"}} {
			code, out, problem := run(t.Context(), "", args...)
			if code != 0 || !strings.Contains(out, h.Digest) || !strings.Contains(out, recipient) || !strings.Contains(out, string(h.Kind)) || strings.Contains(out+problem, "PRIVATE") {
				t.Errorf("%v: %d: %s%s", args, code, out, problem)
			}
		}
	}
	if code, out, problem := run(t.Context(), "", "credential", "remove", "acme"); code != 0 || !strings.Contains(out, "no keys") {
		t.Errorf("%d: %s%s", code, out, problem)
	}
	mistake("removed twice", 1, "no credentials", "", "credential", "remove", "acme")
}
