package tenant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/orderfleet/orderfleet/shared/order"
	"go.yaml.in/yaml/v3"
)

// File is a directory read from a file, for development and small fleets. It does not
// change after it was read.
type File struct {
	tenants  map[string]Tenant
	template *entry // of every other tenant; nil: there is none
	broker   string
}

// entry is a tenant in the file.
type entry struct {
	Broker     string `yaml:"broker"`
	KeyID      string `yaml:"key_id"`
	Secret     string `yaml:"secret"`
	SecretFile string `yaml:"secret_file"`
	OAuth      string `yaml:"oauth"`
}

// placeholder stands for the tenant's name in the template's keys.
const placeholder = "{tenant}"

// LoadFile reads a file like
//
//	broker: https://paper-api.alpaca.markets   # of the tenants that name none
//	tenants:
//	  acme: {key_id: AK1, secret_file: acme.key}
//	  beta: {broker: "https://api.alpaca.markets", oauth: "..."}
//	any: {key_id: "{tenant}", secret: "{tenant}"}   # development only: every other name
//
// Secret files are relative to the file's folder. A mistake is an error that names it;
// a tenant without credentials is not, see [ErrNoCredentials].
func LoadFile(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tenant: %w", err)
	}
	f, err := parse(data, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return os.ReadFile(name)
	})
	if err != nil {
		return nil, fmt.Errorf("tenant: %s: %w", path, err)
	}
	return f, nil
}

func parse(data []byte, readFile func(string) ([]byte, error)) (*File, error) {
	var content struct {
		Broker  string           `yaml:"broker"`
		Tenants map[string]entry `yaml:"tenants"`
		Any     *entry           `yaml:"any"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&content); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(scrub(err.Error()))
	}
	f := &File{tenants: make(map[string]Tenant, len(content.Tenants)), template: content.Any, broker: content.Broker}
	for name, e := range content.Tenants {
		if err := order.ValidTenant(name); err != nil {
			return nil, fmt.Errorf("tenants: %w", err)
		}
		t, err := e.tenant(name, content.Broker, readFile)
		if err != nil {
			return nil, fmt.Errorf("tenants.%s.%w", name, err)
		}
		f.tenants[name] = t
	}
	if content.Any != nil {
		if content.Any.SecretFile != "" {
			return nil, errors.New("any.secret_file: the template takes a secret only")
		}
		if _, err := content.Any.tenant("any", content.Broker, readFile); err != nil {
			return nil, fmt.Errorf("any.%w", err)
		}
	}
	return f, nil
}

// scrub cuts the values, which may be secrets, out of the YAML library's errors.
func scrub(s string) string {
	if i := strings.Index(s, "cannot unmarshal"); i >= 0 {
		return s[:i] + "the value has a wrong type"
	}
	return s
}

// tenant makes an entry whole.
func (e entry) tenant(name, broker string, readFile func(string) ([]byte, error)) (Tenant, error) {
	t := Tenant{Name: name, BaseURL: e.Broker, Credentials: Credentials{KeyID: e.KeyID, Secret: e.Secret, OAuth: e.OAuth}}
	if t.BaseURL == "" {
		t.BaseURL = broker
	}
	switch {
	case t.BaseURL == "":
		return t, errors.New("broker: is required, here or at the top of the file")
	case e.OAuth != "" && (e.KeyID != "" || e.Secret != "" || e.SecretFile != ""):
		return t, errors.New("oauth: stands beside a key pair; which account is meant?")
	case e.Secret != "" && e.SecretFile != "":
		return t, errors.New("secret_file: stands beside secret")
	case e.SecretFile != "":
		secret, err := readFile(e.SecretFile)
		if err != nil {
			return t, fmt.Errorf("secret_file: %w", err)
		}
		t.Credentials.Secret = strings.TrimSpace(string(secret))
	}
	return t, nil
}

// Lookup implements [Directory].
func (f *File) Lookup(_ context.Context, name string) (Tenant, error) {
	t, ok := f.tenants[name]
	if !ok {
		if f.template == nil {
			return Tenant{}, fmt.Errorf("%w: no tenant %q in the tenants file", ErrUnknown, name)
		}
		e := *f.template
		for _, field := range []*string{&e.KeyID, &e.Secret, &e.OAuth} {
			*field = strings.ReplaceAll(*field, placeholder, name)
		}
		var err error
		if t, err = e.tenant(name, f.broker, nil); err != nil {
			return Tenant{}, err
		}
	}
	if !t.Credentials.complete() {
		return Tenant{}, fmt.Errorf("%w: tenant %q needs key_id and secret, or oauth", ErrNoCredentials, name)
	}
	return t, nil
}
