package borders

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nats-io/nkeys"
)

// newKey makes a pair of keys and keeps its seed in a new file that nobody else may read.
func newKey(path string, kind nkeys.PrefixByte) (nkeys.KeyPair, error) {
	pair, err := nkeys.CreatePair(kind)
	if err != nil {
		return nil, fmt.Errorf("borders: make a key: %w", err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("borders: make a key: %w", err)
	}
	return pair, writeSecret(path, seed)
}

// writeSecret writes a new file that nobody else may read, and overwrites none.
func writeSecret(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("borders: %s is there already, and keys are never overwritten: %w", path, err)
	}
	if err != nil {
		return fmt.Errorf("borders: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("borders: write %s: %w", path, err)
	}
	return nil
}

// readKey reads a pair of keys.
func readKey(path string) (nkeys.KeyPair, error) {
	seed, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("borders: %w", err)
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("borders: %s: %w", path, err)
	}
	return pair, nil
}
