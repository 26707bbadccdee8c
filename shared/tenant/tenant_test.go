package tenant_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var acme = tenant.Tenant{
	Name:        "acme",
	BaseURL:     "https://paper-api.alpaca.markets",
	Credentials: tenant.Credentials{KeyID: "KEY-of-acme", Secret: "SECRET-of-acme", OAuth: "TOKEN-of-acme"},
}

func TestCredentialsNeverShow(t *testing.T) {
	shown := map[string]string{}
	for name, value := range map[string]any{
		"credentials":         acme.Credentials,
		"pointer":             &acme.Credentials,
		"tenant":              acme,
		"pointer to a tenant": &acme,
		"slice":               []tenant.Tenant{acme},
		"map":                 tenant.Map{"acme": acme},
		"any":                 struct{ Any any }{acme.Credentials},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %[1]v"} {
			shown[name+" "+verb] = fmt.Sprintf(verb, value)
		}
		for format, marshal := range map[string]func(any) ([]byte, error){
			"JSON":    json.Marshal,
			"JSON v2": func(v any) ([]byte, error) { return jsonv2.Marshal(v) },
			"YAML":    yaml.Marshal,
		} {
			data, err := marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			shown[name+" as "+format] = string(data)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "value", value)
		shown[name+" by slog"] = log.String()
	}
	shown["error"] = fmt.Errorf("connect: %v", acme).Error()
	shown["panic"] = fmt.Sprint(acme.Credentials, acme.Credentials.String())
	for how, text := range shown {
		for _, secret := range []string{"KEY", "SECRET", "TOKEN", "4b4559"} { // and in hexadecimal
			if strings.Contains(text, secret) {
				t.Errorf("%s shows them: %s", how, text)
			}
		}
	}
	if !strings.Contains(shown["tenant %+v"], "[redacted]") {
		t.Errorf("no placeholder in %s", shown["tenant %+v"])
	}
}

func TestMap(t *testing.T) {
	m := tenant.Map{
		"acme": {Name: "acme", BaseURL: acme.BaseURL, Credentials: tenant.Credentials{KeyID: "KEY", Secret: "SECRET"}},
		"half": {Name: "half", BaseURL: acme.BaseURL, Credentials: tenant.Credentials{KeyID: "KEY"}},
		"auth": {Name: "auth", BaseURL: acme.BaseURL, Credentials: tenant.Credentials{OAuth: "TOKEN"}},
		"corr": {Name: "corr", BaseURL: acme.BaseURL, Credentials: tenant.Credentials{KeyID: "KEY", Secret: "SECRET", Account: "a"}},
		"bare": {Name: "bare", BaseURL: acme.BaseURL, Credentials: tenant.Credentials{Account: "a"}},
		"mix":  {Name: "mix", BaseURL: acme.BaseURL, Credentials: tenant.Credentials{OAuth: "TOKEN", Account: "a"}},
	}
	for name, want := range map[string]error{
		"acme": nil, "auth": nil, "corr": nil,
		"half": tenant.ErrNoCredentials, "bare": tenant.ErrNoCredentials,
		"beta": tenant.ErrUnknown,
	} {
		got, err := m.Lookup(t.Context(), name)
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
		if err == nil && got != m[name] || err != nil && got != (tenant.Tenant{}) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if _, err := m.Lookup(t.Context(), "mix"); err == nil || errors.Is(err, tenant.ErrNoCredentials) {
		t.Errorf("a token and an account: %v", err)
	}
}

// TestAnAccountIsNoPath: what becomes part of a path at the broker is an id, also one that is
// sealed. (A template's, in a tenants file, is made out to its tenant first.)
func TestAnAccountIsNoPath(t *testing.T) {
	for account, want := range map[string]bool{"0d18ae51-2f22": true, "../x": false, "a?x=": false, "{tenant}": false, "": true} {
		c := tenant.Credentials{KeyID: "KEY", Secret: "SECRET", Account: account}
		if err := c.Validate(); (err == nil) != want {
			t.Errorf("%q: %v", account, err)
		}
	}
}

func ExampleMap() {
	directory := tenant.Map{"acme": {
		Name:        "acme",
		BaseURL:     "https://paper-api.alpaca.markets",
		Credentials: tenant.Credentials{KeyID: "PK1", Secret: "s3cret"},
	}}
	t, err := directory.Lookup(context.Background(), "acme")
	fmt.Println(t, err)
	// Output: {acme https://paper-api.alpaca.markets [redacted]  0 false} <nil>
}
