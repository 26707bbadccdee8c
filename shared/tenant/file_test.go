package tenant_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

const broker = "https://paper-api.alpaca.markets"

// load writes a tenants file and reads it.
func load(t *testing.T, content string) (*tenant.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return tenant.LoadFile(path)
}

func TestLoadFile(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(" s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := load(t, fmt.Sprintf(`
broker: %[1]s
tenants:
  acme: {key_id: AK1, secret: "1"}
  beta: {broker: "http://127.0.0.1:8600", key_id: AK2, secret_file: %[2]q}
  auth: {oauth: token}
  corr: {broker: "https://broker-api.alpaca.markets", key_id: CK1, secret_file: %[2]q, account: 0d18ae51-2f22}
  half: {key_id: AK3}
  none:
any: {key_id: "{tenant}", secret: "dev-{tenant}"}
`, broker, secret))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]tenant.Tenant{
		"acme":  {Name: "acme", BaseURL: broker, Credentials: tenant.Credentials{KeyID: "AK1", Secret: "1"}},
		"beta":  {Name: "beta", BaseURL: "http://127.0.0.1:8600", Credentials: tenant.Credentials{KeyID: "AK2", Secret: "s3cret"}},
		"auth":  {Name: "auth", BaseURL: broker, Credentials: tenant.Credentials{OAuth: "token"}},
		"corr":  {Name: "corr", BaseURL: "https://broker-api.alpaca.markets", Credentials: tenant.Credentials{KeyID: "CK1", Secret: "s3cret", Account: "0d18ae51-2f22"}},
		"other": {Name: "other", BaseURL: broker, Credentials: tenant.Credentials{KeyID: "other", Secret: "dev-other"}},
	} {
		got, err := f.Lookup(t.Context(), name)
		if err != nil || got != want {
			t.Errorf("%s: got %v %q %q %q: %v", name, got, got.Credentials.KeyID, got.Credentials.Secret, got.Credentials.OAuth, err)
		}
	}
	for name, want := range map[string]error{
		"half":    tenant.ErrNoCredentials, // not the template's
		"none":    tenant.ErrNoCredentials,
		"":        tenant.ErrUnknown,
		"a.b":     tenant.ErrUnknown,
		"{other}": tenant.ErrUnknown,
	} {
		if _, err := f.Lookup(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", name, err, want)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, f); strings.Contains(text, "s3cret") || strings.Contains(text, "AK1") {
			t.Errorf("%s shows keys: %s", verb, text)
		}
	}
}

// One correspondent's keys serve every name of a template, each with an account of its own.
func TestLoadFileAccountTemplate(t *testing.T) {
	f, err := load(t, "broker: "+broker+"\nany: {key_id: CK1, secret: s, account: 'acct-{tenant}'}")
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Lookup(t.Context(), "acme")
	if want := (tenant.Credentials{KeyID: "CK1", Secret: "s", Account: "acct-acme"}); err != nil || got.Credentials != want {
		t.Errorf("account %q: %v", got.Credentials.Account, err)
	}
}

// TestNames: a file names who stands in it, with keys or without.
func TestNames(t *testing.T) {
	f, err := load(t, "broker: "+broker+`
tenants: {beta: {}, acme: {key_id: k, secret: s}}
any: {key_id: "{tenant}", secret: x}
`)
	if err != nil || !slices.Equal(f.Names(), []string{"acme", "beta"}) {
		t.Errorf("%v: %v", f, err)
	}
}

// What stands at the top of the file is for the tenants that say nothing.
func TestLoadFileSettings(t *testing.T) {
	f, err := load(t, "broker: "+broker+`
requests_per_minute: 200
on_failed: hold
tenants:
  plain: {oauth: t}
  own: {oauth: t, broker: "http://own", requests_per_minute: 1000, on_failed: continue}
any: {oauth: t, requests_per_minute: 7}
`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]tenant.Tenant{
		"plain": {BaseURL: broker, RequestsPerMinute: 200, HoldOnFailed: true},
		"own":   {BaseURL: "http://own", RequestsPerMinute: 1000},
		"other": {BaseURL: broker, RequestsPerMinute: 7, HoldOnFailed: true},
	} {
		got, err := f.Lookup(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got.BaseURL != want.BaseURL || got.RequestsPerMinute != want.RequestsPerMinute || got.HoldOnFailed != want.HoldOnFailed {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestLoadFileWithoutTemplate(t *testing.T) {
	for name, content := range map[string]string{"nothing": "", "a comment": "# none yet\n", "a broker": "broker: " + broker} {
		f, err := load(t, content)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := f.Lookup(t.Context(), "acme"); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Every mistake is an error that says where, and quotes no key.
func TestLoadFileRefuses(t *testing.T) {
	const top = "broker: " + broker + "\n"
	for _, test := range []struct{ name, content, want string }{
		{"an unknown field", top + "tenant: {}", "line 2: there is no field tenant"},
		{"an unknown field of a tenant", top + "tenants:\n  acme:\n    key: PRIVATE", "line 4: there is no field key"},
		{"a key in a field's place", top + "tenants:\n  acme: {PRIVATE: x}", "line 3: an unknown field"},
		{"a list of tenants", top + "tenants: [PRIVATE]", "line 2: a value of the wrong type"},
		{"a tenant that is a text", top + "tenants: {acme: PRIVATE}", "line 2: a value of the wrong type"},
		{"a secret that is a list", top + "tenants:\n  acme: {secret: [PRIVATE]}", "line 3: a value of the wrong type"},
		{"a tenant twice", top + "tenants:\n  PRIVATE: {}\n  PRIVATE: {}", "twice"},
		{"no YAML", top + "tenants: {acme: {secret: \"PRIVATE}}", "not YAML"},
		{"an unknown alias", top + "tenants: {acme: {secret: *PRIVATE}}", "not YAML"},
		{"two documents", top + "---\ntenants: {}", "more than one YAML document"},
		{"a bad name", top + "tenants: {a.b: {oauth: PRIVATE}}", `tenants: tenant: "a.b" may hold only`},
		{"a long name", top + "tenants: {" + strings.Repeat("a", 49) + ": {oauth: PRIVATE}}", "more than 48"},
		{"no broker", "tenants: {acme: {oauth: PRIVATE}}", "tenants.acme.broker: is required"},
		{"no broker for the rest", "any: {oauth: PRIVATE}", "any.broker: is required"},
		{"a broker without scheme", "tenants: {acme: {broker: paper-api.alpaca.markets, oauth: PRIVATE}}", "tenants.acme.broker: is no address"},
		{"a broker without host", "tenants: {acme: {broker: 'https://', oauth: PRIVATE}}", "tenants.acme.broker: is no address"},
		{"a broker of another scheme", "tenants: {acme: {broker: 'ftp://a', oauth: PRIVATE}}", "tenants.acme.broker: is no address"},
		{"a broker with a password", "tenants: {acme: {broker: 'https://u:PRIVATE@a', oauth: x}}", "tenants.acme.broker: no user"},
		{"both kinds of keys", top + "tenants: {acme: {oauth: PRIVATE, key_id: a}}", "tenants.acme.oauth: stands beside a key pair"},
		{"an account by token", top + "tenants: {acme: {oauth: PRIVATE, account: a}}", "tenants.acme.account: stands beside an OAuth token"},
		{"an account that leaves its path", top + "tenants: {acme: {key_id: a, secret: PRIVATE, account: ../x}}", "tenants.acme.account: is no id"},
		{"an account too long", top + "tenants: {acme: {key_id: a, secret: PRIVATE, account: " + strings.Repeat("a", 65) + "}}", "tenants.acme.account: is no id"},
		{"two secrets", top + "tenants: {acme: {key_id: a, secret: PRIVATE, secret_file: b}}", "tenants.acme.secret_file: stands beside secret"},
		{"no requests", top + "requests_per_minute: 0\ntenants: {acme: {oauth: PRIVATE}}", "tenants.acme.requests_per_minute: 0 is not 1 to"},
		{"too many requests", top + "any: {oauth: PRIVATE, requests_per_minute: 1000001}", "any.requests_per_minute: 1000001 is not"},
		{"requests in words", top + "any: {oauth: PRIVATE, requests_per_minute: many}", "line 2: a value of the wrong type"},
		{"another policy", top + "tenants: {acme: {oauth: PRIVATE, on_failed: panic}}", "tenants.acme.on_failed: is neither"},
		{"a secret file that is not there", top + "tenants: {acme: {key_id: PRIVATE, secret_file: gone}}", "tenants.acme.secret_file: open "},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.content)
			if err == nil {
				t.Fatal("was read")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "tenants.yaml") {
				t.Errorf("got %v, want … %s …", err, test.want)
			}
			if strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("shows a key: %v", err)
			}
		})
	}
}

func TestLoadFileThatIsNotThere(t *testing.T) {
	if _, err := tenant.LoadFile(filepath.Join(t.TempDir(), "gone.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func ExampleLoadFile() {
	dir, err := os.MkdirTemp("", "tenants")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "tenants.yaml")
	content := "broker: https://paper-api.alpaca.markets\ntenants:\n  acme: {key_id: PK1, secret: s3cret}\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		panic(err)
	}
	f, err := tenant.LoadFile(path)
	fmt.Println(f, err)
	// Output: tenants file of 1 <nil>
}
