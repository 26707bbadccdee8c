package registry_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// operators is a list of them.
func operators(all ...*registry.Signer) registry.OperatorList {
	var l registry.OperatorList
	for _, s := range all {
		l.Operators = append(l.Operators, registry.Operator{Name: s.Name(), Key: s.Public()})
	}
	return l
}

// last is the revision of a key's last change.
func (f *fleet) last(k registry.Key) uint64 {
	f.t.Helper()
	last, err := f.store.Last(f.t.Context(), k)
	if err != nil {
		f.t.Fatal(err)
	}
	return last
}

// TestForgeriesDoNotCount: whoever may write the bucket and has no key whose signature counts
// changes nothing, however they go about it.
func TestForgeriesDoNotCount(t *testing.T) {
	mallory := signer(t, "mallory")
	k := registry.TenantKey("acme")
	for _, tc := range []struct {
		name  string
		forge func(f *fleet, first, second uint64)
	}{
		{"garbage", func(f *fleet, _, _ uint64) { f.raw(k.String(), []byte("{}")) }},
		{"a deleted key", func(f *fleet, _, second uint64) {
			if err := f.ledger.Bucket(ledger.TenantsBucket).Delete(f.t.Context(), k.String(), second); err != nil {
				f.t.Fatal(err)
			}
		}},
		{"an older record again", func(f *fleet, first, _ uint64) { f.raw(k.String(), f.read(first)) }},
		{"the last record again", func(f *fleet, _, second uint64) { f.raw(k.String(), f.read(second)) }},
		{"an older record twice", func(f *fleet, first, _ uint64) {
			f.raw(k.String(), f.read(first))
			f.raw(k.String(), f.read(first))
		}},
		{"a flood", func(f *fleet, first, _ uint64) {
			for range 100 {
				f.raw(k.String(), f.read(first))
			}
		}},
		{"another tenant's record", func(f *fleet, _, _ uint64) {
			f.raw(k.String(), f.read(f.write(f.ann, registry.TenantKey("beta"), tenant.Settings{Broker: "live"})))
		}},
		{"a key that is on no list", func(f *fleet, _, second uint64) {
			f.raw(k.String(), registry.Forge(mallory, k, second, tenant.Settings{Broker: "live"}))
		}},
		{"a list of their own", func(f *fleet, _, second uint64) {
			f.raw("operators", registry.Forge(mallory, registry.OperatorsKey, f.last(registry.OperatorsKey), operators(mallory)))
			f.raw(k.String(), registry.Forge(mallory, k, second, tenant.Settings{Broker: "live"}))
		}},
		{"a list of their own, as the first", func(f *fleet, _, second uint64) {
			f.raw("operators", registry.Forge(mallory, registry.OperatorsKey, 0, operators(mallory)))
			f.raw(k.String(), registry.Forge(mallory, k, second, tenant.Settings{Broker: "live"}))
		}},
		{"the list deleted", func(f *fleet, _, second uint64) {
			f.raw("operators", []byte{})
			f.raw(k.String(), registry.Forge(mallory, k, second, tenant.Settings{Broker: "live"}))
		}},
		{"a key that counts for a credential alone", func(f *fleet, _, second uint64) {
			own := operators(f.ann)
			own.Operators = append(own.Operators, registry.Operator{Name: "acme", Key: mallory.Public(), Tenant: "acme"})
			f.write(f.ann, registry.OperatorsKey, own)
			f.raw(k.String(), registry.Forge(mallory, k, second, tenant.Settings{Broker: "live"}))
		}},
		{"a key that counts no longer", func(f *fleet, _, second uint64) {
			f.write(f.ann, registry.OperatorsKey, operators(f.ann, mallory))
			f.write(f.ann, registry.OperatorsKey, operators(f.ann))
			f.raw(k.String(), registry.Forge(mallory, k, second, tenant.Settings{Broker: "live"}))
		}},
		{"a record with another body", func(f *fleet, _, second uint64) {
			data := f.read(f.write(f.ann, registry.TenantKey("beta"), paper))
			f.raw("tenant.beta", bytes.Replace(data, []byte("paper"), []byte("live"), 1))
			f.raw(k.String(), bytes.Replace(f.read(second), []byte("paper"), []byte("live"), 1))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFleet(t)
			f.write(f.ann, registry.OperatorsKey, operators(f.ann))
			live := f.watch()
			first := f.write(f.ann, k, tenant.Settings{Broker: "live"})
			second := f.write(f.ann, k, paper)
			tc.forge(f, first, second)
			f.both(live, func(t *testing.T, r *registry.Registry) {
				if s, _ := r.Settings("acme"); s.Broker != "paper" || r.Terms("acme").Revision != second {
					t.Errorf("%+v at revision %d", s, r.Terms("acme").Revision)
				}
			})
			// And the next one that counts does, behind all that.
			last := f.write(f.ann, k, tenant.Settings{Broker: "broker-api"})
			f.both(live, func(t *testing.T, r *registry.Registry) {
				if s, _ := r.Settings("acme"); s.Broker != "broker-api" || r.Terms("acme").Revision != last {
					t.Errorf("%+v at revision %d, want %d", s, r.Terms("acme").Revision, last)
				}
			})
		})
	}
}

// TestOperators: once there is a list, it says who may write, and who may change it; what
// somebody changed stays when they go.
func TestOperators(t *testing.T) {
	f := newFleet(t)
	ben, key := signer(t, "ben"), signer(t, "acme's own")
	write := func(by *registry.Signer, k registry.Key, body any) error {
		_, err := f.store.Write(t.Context(), by, k, body, "a test", f.last(k))
		return err
	}
	if err := write(ben, registry.OperatorsKey, operators(f.ann)); !errors.Is(err, registry.ErrNotAllowed) {
		t.Errorf("the first list by somebody who is not on it: %v", err)
	}
	if err := write(ben, registry.TenantKey("acme"), paper); err != nil {
		t.Errorf("before there is a list: %v", err)
	}
	all := operators(f.ann, ben)
	all.Operators = append(all.Operators, registry.Operator{Name: "acme", Key: key.Public(), Tenant: "acme"})
	credential := registry.Credential{Digest: strings.Repeat("0a", 32), Kind: tenant.KeyPair, Recipients: []string{"age1" + strings.Repeat("q", 58)}}
	for _, step := range []struct {
		what string
		by   *registry.Signer
		k    registry.Key
		body any
		want error
	}{
		{"the first list", f.ann, registry.OperatorsKey, all, nil},
		{"an operator", ben, registry.TenantKey("beta"), paper, nil},
		{"a tenant's own credential", key, registry.CredentialKey("acme"), credential, nil},
		{"another's credential", key, registry.CredentialKey("beta"), credential, registry.ErrNotAllowed},
		{"a tenant's own switch", key, registry.SwitchKey(registry.OfTenant("acme")), registry.Throw{Mode: tenant.Run}, registry.ErrNotAllowed},
		{"a list by a tenant", key, registry.OperatorsKey, operators(key), registry.ErrNotAllowed},
		{"a list without ben", f.ann, registry.OperatorsKey, operators(f.ann), nil},
		{"ben", ben, registry.TenantKey("beta"), nil, registry.ErrNotAllowed},
		{"a list without anybody", f.ann, registry.OperatorsKey, registry.OperatorList{}, registry.ErrMalformed},
		{"no list", f.ann, registry.OperatorsKey, nil, registry.ErrMalformed},
	} {
		if err := write(step.by, step.k, step.body); !errors.Is(err, step.want) || step.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", step.what, err, step.want)
		}
	}
	f.both(f.watch(), func(t *testing.T, r *registry.Registry) {
		if names := r.Names(); len(names) != 2 || len(r.Operators()) != 1 {
			t.Errorf("tenants %v, operators %v", names, r.Operators())
		}
		if c, ok := r.Credential("acme"); !ok || c.Digest != credential.Digest {
			t.Error("acme's credential is not there")
		}
	})
}

// TestDecodeRefuses: what is no record is none, and says why.
func TestDecodeRefuses(t *testing.T) {
	ann, k := signer(t, "ann"), registry.TenantKey("acme")
	good := registry.Forge(ann, k, 7, paper)
	if r, err := registry.Decode(k, 7, good); err != nil || r.Signer != ann.Public() || r.After != 7 {
		t.Fatalf("%+v: %v", r, err)
	}
	replace := func(old, by string) []byte {
		changed := bytes.Replace(good, []byte(old), []byte(by), 1)
		if bytes.Equal(changed, good) {
			t.Fatalf("there is no %s in %s", old, good)
		}
		return changed
	}
	for _, tc := range []struct {
		name  string
		key   registry.Key
		after uint64
		data  []byte
		want  error
	}{
		{"another key", registry.TenantKey("beta"), 7, good, registry.ErrMisplaced},
		{"another place", k, 8, good, registry.ErrMisplaced},
		{"another reason", k, 7, replace(`"reason":"forged"`, `"reason":"please"`), registry.ErrSignature},
		{"another signer", k, 7, replace(ann.Public(), signer(t, "ben").Public()), registry.ErrSignature},
		{"space between", k, 7, replace(`{"v":1`, `{ "v":1`), registry.ErrSignature},
		{"a field more", k, 7, replace(`"v":1`, `"v":1,"w":1`), registry.ErrMalformed},
		{"a field twice", k, 7, replace(`"v":1`, `"v":1,"v":1`), registry.ErrMalformed},
		{"a newer version", k, 7, replace(`"v":1`, `"v":2`), registry.ErrMalformed},
		{"no signer", k, 7, replace(ann.Public(), "UABC"), registry.ErrMalformed},
		{"something behind it", k, 7, append(bytes.Clone(good), '{'), registry.ErrMalformed},
		{"half of it", k, 7, good[:len(good)/2], registry.ErrMalformed},
		{"nothing", k, 7, nil, registry.ErrMalformed},
		{"too much", k, 7, bytes.Repeat([]byte(" "), ledger.MaxRecord+1), registry.ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := registry.Decode(tc.key, tc.after, tc.data); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// TestWritesNothingInvalid: what is no content of its key is not written.
func TestWritesNothingInvalid(t *testing.T) {
	f := newFleet(t)
	for name, tc := range map[string]struct {
		key  registry.Key
		body any
	}{
		"no broker":          {registry.TenantKey("acme"), tenant.Settings{}},
		"a huge number":      {registry.LimitsKey(registry.All), jsontext.Value(`{"max_qty":"1e100000"}`)},
		"no number":          {registry.LimitsKey(registry.All), jsontext.Value(`{"credit":"+5"}`)},
		"a negative limit":   {registry.LimitsKey(registry.All), tenant.Limits{OpenOrders: -1}},
		"an unknown mode":    {registry.SwitchKey(registry.All), registry.Throw{Mode: "stop"}},
		"a short digest":     {registry.CredentialKey("acme"), registry.Credential{Digest: "0a", Kind: tenant.OAuth, Recipients: []string{"age1qqqqqqqqqqqqqqqqqqqqqqqq"}}},
		"no recipients":      {registry.RecipientsKey, registry.RecipientList{}},
		"a list":             {registry.PoolKey("desk"), []int{1}},
		"a tenant's limits":  {registry.LimitsKey(registry.OfTenant("acme")), tenant.Limits{}},
		"a name with a dot":  {registry.TenantKey("a.b"), paper},
		"a name with a star": {registry.TenantKey("*"), paper},
	} {
		if _, err := f.store.Write(t.Context(), f.ann, tc.key, tc.body, "a test", 0); err == nil {
			t.Errorf("%s: it was written", name)
		}
	}
	if end, err := f.ledger.Bucket(ledger.TenantsBucket).End(t.Context()); err != nil || end != 0 {
		t.Errorf("the bucket ends at %d: %v", end, err)
	}
}

// TestCompareAndSet: of two who change a key at once, one has to look again.
func TestCompareAndSet(t *testing.T) {
	f := newFleet(t)
	k := registry.SwitchKey(registry.All)
	f.write(f.ann, k, registry.Throw{Mode: tenant.Pause})
	if _, err := f.store.Write(t.Context(), f.ann, k, registry.Throw{Mode: tenant.Run}, "too late", 0); !ledger.IsConflict(err) {
		t.Errorf("got %v, want a conflict", err)
	}
	tries := 0
	revision, err := registry.Edit(t.Context(), f.store, f.ann, k, "again", func(now *registry.Throw) (*registry.Throw, error) {
		if tries++; tries == 1 {
			f.write(f.ann, k, registry.Throw{Mode: tenant.Halt}) // somebody else is faster
		} else if now.Mode != tenant.Halt {
			t.Errorf("it is changed from %s", now.Mode)
		}
		return &registry.Throw{Mode: tenant.Run}, nil
	})
	if err != nil || tries != 2 || revision != f.last(k) {
		t.Errorf("after %d tries at %d: %v", tries, revision, err)
	}
}
