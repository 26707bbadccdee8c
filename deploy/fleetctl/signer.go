package fleetctl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/registry"
)

// Signer finds the key that signs an operator's changes: in the file that [registry.SigningKey] names,
// else that of the identity towards NATS, else one that is the user's own. That one is made
// when there is none, and note is told. Wipe what it returns.
func Signer(name string, nats natsconn.Options, note io.Writer) (*registry.Signer, error) {
	for _, from := range []struct{ what, file string }{
		{registry.SigningKey, os.Getenv(registry.SigningKey)},
		{"NATS_NKEY", nats.NKey},
		{"NATS_CREDS", nats.Creds},
	} {
		if from.file == "" {
			continue
		}
		s, err := registry.ReadSigner(name, from.file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from.what, err)
		}
		return s, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, fmt.Errorf("a key to sign with: %w; name a file with one in %s", err, registry.SigningKey)
	}
	file := filepath.Join(dir, "orderfleet", "operator.nk")
	made, err := makeKey(file)
	if err != nil {
		return nil, fmt.Errorf("a key to sign with: %w; name a file with one in %s", err, registry.SigningKey)
	}
	s, err := registry.ReadSigner(name, file)
	if err == nil && made {
		fmt.Fprintf(note, "made a key of yours to sign changes with, %s: %s\n", file, s.Public())
	}
	return s, err
}

// makeKey writes a new seed to a file, which only its owner can read, unless there is one.
func makeKey(file string) (made bool, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return false, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, private(file)
	}
	if err != nil {
		return false, err
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err == nil {
		_, err = f.Write(append(seed, '\n'))
	}
	clear(seed)
	return true, errors.Join(err, f.Close())
}

// private says whether others can read a key.
func private(file string) error {
	info, err := os.Stat(file)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s can be read by others (mode %o): whoever has it can sign as you; make a new one, or chmod 600", file, info.Mode().Perm())
	}
	return err
}
