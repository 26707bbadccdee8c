package registry

import (
	"fmt"
	"os"

	"github.com/nats-io/nkeys"
)

// ReadSigner makes a signer from the seed in a file, be it a seed alone or among NATS
// credentials. No error quotes it.
func ReadSigner(name, file string) (*Signer, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("registry: the signing key: %w", err)
	}
	defer clear(data)
	pair, err := nkeys.ParseDecoratedNKey(data)
	if err != nil {
		return nil, fmt.Errorf("registry: the signing key: there is no seed of an nkey in %s", file)
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("registry: the signing key: %s: %w", file, err)
	}
	defer clear(seed)
	return NewSigner(name, seed)
}
