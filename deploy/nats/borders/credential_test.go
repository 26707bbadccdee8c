package borders_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/shared/vault"
)

// TestATenantSetsItsKeys: a tenant's own user sets, shows and removes its tenant's credentials,
// which only a worker can read and open; another tenant's it can neither see nor change.
func TestATenantSetsItsKeys(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		open := func(who string) (*ledger.Ledger, *nats.Conn) {
			t.Helper()
			nc := f.connect(t, who)
			l, err := ledger.Open(ctx, nc)
			if err != nil {
				t.Fatal(err)
			}
			return l, nc
		}
		line, recipient, err := seal.Keygen()
		if err != nil {
			t.Fatal(err)
		}
		identity, err := age.ParseX25519Identity(string(line))
		if err != nil {
			t.Fatal(err)
		}
		ann, own := someSigner(t, "ann"), someSigner(t, acme)
		operator, _ := open("operator ann")
		if _, err := registry.NewStore(operator).Write(ctx, ann, registry.RecipientsKey, &registry.RecipientList{Recipients: []string{recipient}}, "a test", 0); err != nil {
			t.Fatal(err)
		}
		if _, err := vault.New(operator).Set(ctx, ann, beta, tenant.Credentials{OAuth: "betas"}, "a test"); err != nil {
			t.Fatal(err)
		}

		self, _ := open("producer " + acme)
		v := vault.OfTenant(self)
		for _, secret := range []string{"first", "second"} {
			h, err := v.Set(ctx, own, acme, tenant.Credentials{OAuth: secret}, "a test")
			if err != nil {
				t.Fatal(err)
			}
			if shown, err := v.Show(ctx, acme); err != nil || shown.Digest != h.Digest {
				t.Errorf("%+v, %v", shown, err)
			}
			inside, _ := open("worker w")
			blob, err := inside.Bucket(ledger.CredentialsBucket).Value(ctx, seal.Key(acme, h.Digest))
			if err != nil {
				t.Fatal(err)
			}
			if c, err := seal.Open(acme, h.Digest, blob, []age.Identity{identity}); err != nil || c.OAuth != secret {
				t.Errorf("the worker opens others: %v", err)
			}
			if _, err := operator.Bucket(ledger.CredentialsBucket).Value(briefly(ctx, t), seal.Key(acme, h.Digest)); err == nil {
				t.Error("an operator reads what is sealed")
			}
		}
		if _, err := v.Remove(ctx, own, acme, "a test"); err != nil {
			t.Error(err)
		}
		if _, err := v.Show(briefly(ctx, t), beta); err == nil || strings.Contains(err.Error(), "betas") {
			t.Errorf("another's: %v", err)
		}
		if _, err := v.Set(briefly(ctx, t), own, beta, tenant.Credentials{OAuth: "mine"}, "a test"); err == nil {
			t.Error("it set another's keys")
		}
		if shown, err := vault.New(operator).Show(ctx, beta); err != nil || shown.By != "ann" {
			t.Errorf("another's keys are %+v, %v", shown, err)
		}
	})
}

// briefly bounds what is refused, by nobody answering.
func briefly(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func someSigner(t *testing.T, name string) *registry.Signer {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	s, err := registry.NewSigner(name, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Wipe)
	return s
}
