package registry_test

import (
	"testing"

	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
)

// FuzzDecode: no bytes are believed that were not signed.
func FuzzDecode(f *testing.F) {
	ann, k := registrytest.Signer(f, "ann"), registry.TenantKey("acme")
	good := string(registry.Forge(ann, k, 7, paper))
	f.Add([]byte(good))
	f.Add(registry.Forge(ann, k, 7, nil))
	f.Add([]byte(`{"record":{"v":1},"sig":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := registry.Decode(k, 7, data)
		if err == nil && r.Reason != "forged" {
			t.Errorf("believed %s", data)
		}
	})
}

// FuzzParseKey: a key that is read is printed as it stood there.
func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"tenant.acme", "limits.all", "switch.label.strategy.pairs", "operators", "credential.a", "pool.p", "switch.tenant.x", "tenant.", "limits.tenant.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := registry.ParseKey(s); err == nil && k.String() != s {
			t.Errorf("%q is read as %q", s, k)
		}
	})
}
