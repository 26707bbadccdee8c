package tenant_test

import (
	"testing"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// TestWipe: wiped credentials are gone under every copy of the value, and nobody else's are.
func TestWipe(t *testing.T) {
	file := tenant.Credentials{KeyID: "KEY", Secret: "SECRET", Account: "acct"}
	one, other := file.Own(), file.Own()
	held := one
	one.Wipe()
	one.Wipe()
	if held.KeyID != "\x00\x00\x00" || held.Secret != "\x00\x00\x00\x00\x00\x00" || held.Account != "\x00\x00\x00\x00" {
		t.Error("something of them is left")
	}
	if one.KeyID != "" || one.Secret != "" {
		t.Error("wiped credentials are not empty")
	}
	if other.KeyID != "KEY" || other.Secret != "SECRET" || other.Account != "acct" || file.Secret != "SECRET" {
		t.Error("another copy was wiped, too")
	}
	file.Wipe() // which has no buffer
}

// TestBufferDoesNotGrow: a secret is never moved.
func TestBufferDoesNotGrow(t *testing.T) {
	b := tenant.NewBuffer(4)
	b.Add(func(to []byte) []byte { return append(to, "abc"...) })
	defer func() {
		if recover() == nil {
			t.Error("it grew")
		}
	}()
	b.Add(func(to []byte) []byte { return append(to, "de"...) })
}
