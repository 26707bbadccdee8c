// Package registrytest is for tests of what changes the registry: somebody who signs.
package registrytest

import (
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/registry"
)

// Signer makes a signer with a key of its own, which is wiped when the test ends.
func Signer(t testing.TB, name string) *registry.Signer {
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
