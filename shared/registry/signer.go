package registry

import (
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"
)

// SigningKey names the file with the key that signs changes, if it is not that of the NATS
// identity: an environment variable.
const SigningKey = "ORDERFLEET_SIGNING_KEY"

// Signer is whose changes are signed: a name, and the key of a NATS user. It shows nothing of
// the key. Safe for concurrent use; wipe it in the end.
type Signer struct {
	name, public string
	pair         nkeys.KeyPair
}

// NewSigner makes a signer from a seed, SU..., which is no longer needed then.
func NewSigner(name string, seed []byte) (*Signer, error) {
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return nil, errors.New("registry: the signing key is no seed of an nkey, as SU and letters")
	}
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		pair.Wipe()
		return nil, errors.New("registry: the signing key is not the seed of a user, as SU and letters")
	}
	return &Signer{name, public, pair}, nil
}

// Name is who signs.
func (s *Signer) Name() string { return s.name }

// Public is the public key.
func (s *Signer) Public() string { return s.public }

// Wipe forgets the key.
func (s *Signer) Wipe() { s.pair.Wipe() }

// Format implements [fmt.Formatter]: the public part.
func (s *Signer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s (%s)", s.name, s.public) }
