package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/shared/vault"
)

// granting has so many workers grant wishes until the test ends; what they refuse comes out.
func (d *desk) granting(workers int) <-chan error {
	refusals := make(chan error, 1000)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, workers)
	for range workers {
		go func() {
			ended <- vault.New(d.ledger).Grant(ctx, func(_ string, why error) { refusals <- why })
		}()
	}
	d.Cleanup(func() {
		stop()
		for range workers {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				d.Error(err)
			}
		}
	})
	return refusals
}

// keys are how many keys the bucket of credentials has for a tenant.
func (d *desk) keys(name string) (n int) {
	d.Helper()
	bucket := d.ledger.Bucket(ledger.CredentialsBucket)
	end, err := bucket.End(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	if err := bucket.Read(d.Context(), name+".>", ledger.Start{}, end, func(c ledger.KeyChange) error {
		if c.Value != nil {
			n++
		}
		return nil
	}); err != nil {
		d.Fatal(err)
	}
	return n
}

// TestWishes: three workers grant what a tenant asks for, each wish once, until there are too
// many in a day; what was before is gone, and an operator still changes it.
func TestWishes(t *testing.T) {
	d := newDesk(t)
	refusals := d.granting(3)
	acme, own := newSigner(t, "acme"), vault.OfTenant(d.ledger)
	for n := range vault.MostWishes - 1 {
		want := tenant.Credentials{KeyID: "AK", Secret: fmt.Sprint("PRIVATE-", n)}
		held, err := own.Set(t.Context(), acme, "acme", want, "drill")
		if err != nil {
			t.Fatal(n, err)
		}
		if c, err := d.Open(t.Context(), "acme", held.Digest, d.ids); err != nil || c.Secret != want.Secret {
			t.Fatalf("wish %d: a worker opens %v", n, err)
		}
	}
	if _, err := own.Remove(t.Context(), acme, "acme", "drill"); err != nil {
		t.Fatal(err)
	}
	if _, err := own.Show(t.Context(), "acme"); !errors.Is(err, tenant.ErrNoCredentials) {
		t.Error(err)
	}
	if _, err := own.Set(t.Context(), acme, "acme", first, "drill"); !errors.Is(err, vault.ErrOften) {
		t.Errorf("one wish too many: %v", err)
	}
	if _, err := d.Set(t.Context(), d.ann, "acme", second, "by an operator"); err != nil {
		t.Error(err)
	}
	changes := 0
	if err := d.records.History(t.Context(), registry.CredentialKey("acme"), func(c registry.Change) error {
		changes++
		return c.Err
	}); err != nil || changes != vault.MostWishes+1 {
		t.Errorf("%d changes: %v", changes, err)
	}
	for left := d.keys("acme"); left != 1; left = d.keys("acme") { // the last wish is being put away
		if t.Context().Err() != nil {
			t.Fatalf("%d keys are left", left)
		}
	}
	if len(refusals) > 0 {
		t.Error(<-refusals)
	}
}

// TestWishesThatAreRefused change nothing and leave nothing, whatever the tenant writes.
func TestWishesThatAreRefused(t *testing.T) {
	d := newDesk(t)
	acme, eve := newSigner(t, "acme"), newSigner(t, "eve")
	list := registry.OperatorList{Operators: []registry.Operator{{Name: "ann", Key: d.ann.Public()}, {Name: "acme", Key: acme.Public(), Tenant: "acme"}}}
	if _, err := d.records.Write(t.Context(), d.ann, registry.OperatorsKey, &list, "the first", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.OfTenant(d.ledger).Set(t.Context(), eve, "acme", first, "theft"); !errors.Is(err, registry.ErrNotAllowed) {
		t.Errorf("eve may wish: %v", err)
	}
	credential := registry.Credential{Digest: strings.Repeat("0", 64), Kind: tenant.KeyPair, Recipients: []string{"age1" + strings.Repeat("q", 58)}}
	sign := func(name string) json.RawMessage {
		data, err := d.records.Sign(t.Context(), acme, registry.CredentialKey(name), &credential, "drill", 0)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	wish := func(record json.RawMessage, blob []byte) []byte {
		data, err := json.Marshal(map[string]any{"record": record, "blob": blob})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	refusals := d.granting(1)
	for _, tc := range []struct {
		name string
		data []byte
		says string
	}{
		{"no wish", []byte("{"), "makes no sense"},
		{"an unknown member", []byte(`{"more":1}`), "makes no sense"},
		{"no record", []byte(`{}`), "no record"},
		{"a record of nothing", wish(json.RawMessage(`{}`), nil), "no record"},
		{"another content than recorded", wish(sign("acme"), []byte("other")), "not about what is sealed"},
		{"a record that is large", wish(json.RawMessage(`{"record":"`+strings.Repeat("x", 20<<10)+`"}`), nil), "more than"},
		{"a signature that is broken", wish(json.RawMessage(strings.Replace(string(sign("acme")), "drill", "DRILL", 1)), nil), "signature is wrong"},
	} {
		if err := d.ledger.Bucket(ledger.CredentialsBucket).Set(t.Context(), "acme."+vault.WishKey, tc.data); err != nil {
			t.Fatal(err)
		}
		if err := <-refusals; !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	// The own record under another's name: it was signed for another place.
	if err := d.ledger.Bucket(ledger.CredentialsBucket).Set(t.Context(), "beta."+vault.WishKey, wish(sign("acme"), nil)); err != nil {
		t.Fatal(err)
	}
	for d.keys("acme")+d.keys("beta") > 0 {
		if t.Context().Err() != nil {
			t.Fatal("something is left")
		}
	}
	for _, name := range []string{"acme", "beta"} {
		if n, err := d.records.Last(t.Context(), registry.CredentialKey(name)); err != nil || n != 0 {
			t.Errorf("the credentials of %s are changed: %d %v", name, n, err)
		}
	}
}

// TestAWishThatWaits is granted when a worker comes, also after it was waited for.
func TestAWishThatWaits(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	own, acme := vault.OfTenant(d.ledger), newSigner(t, "acme")
	asked := make(chan error, 1)
	go func() {
		_, err := own.Set(ctx, acme, "acme", first, "drill")
		asked <- err
	}()
	for d.keys("acme") == 0 {
		if t.Context().Err() != nil {
			t.Fatal("nothing is asked for")
		}
	}
	cancel(gone)
	if err := <-asked; !errors.Is(err, gone) {
		t.Error(err)
	}
	d.granting(1)
	for {
		held, err := own.Show(t.Context(), "acme")
		if err == nil {
			if c, err := d.Open(t.Context(), "acme", held.Digest, d.ids); err != nil || c.Secret != first.Secret {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, tenant.ErrNoCredentials) {
			t.Fatal(err)
		}
	}
}
