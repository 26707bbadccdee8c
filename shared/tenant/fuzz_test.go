package tenant

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Whatever the file holds: no panic; every tenant that is found is whole.
func FuzzParse(f *testing.F) {
	f.Add("broker: https://a\ntenants:\n  acme: {key_id: k, secret: s}\n  beta: {broker: 'http://b', oauth: o}\nany: {key_id: '{tenant}', secret_file: f}\n")
	f.Add("tenants: [\n")
	f.Add("a: &a [*a]\n---\n")
	f.Add("any: {oauth: '{tenant}{tenant}'}\nbroker: http://[::1]:80\n")
	f.Add("broker: https://a\ntenants: {acme: {key_id: k, secret: s, account: a}}\nany: {key_id: k, secret: s, account: 'a{tenant}'}\n")
	f.Fuzz(func(t *testing.T, data string) {
		file, err := parse([]byte(data), func(string) ([]byte, error) { return []byte("secret\n"), nil })
		if err != nil {
			if strings.Contains(err.Error(), "yaml:") {
				t.Errorf("the library's own words, which may quote a value: %v", err)
			}
			return
		}
		names := []string{"acme", "any.other", "other"}
		for name := range file.tenants {
			names = append(names, name)
		}
		for _, name := range names {
			found, err := file.Lookup(context.Background(), name)
			switch {
			case errors.Is(err, ErrUnknown), errors.Is(err, ErrNoCredentials):
			case err != nil:
				t.Errorf("%q: %v", name, err)
			case found.Name != name, found.BaseURL == "", found.check() != nil:
				t.Errorf("%q: found %+v", name, found)
			}
		}
	})
}
