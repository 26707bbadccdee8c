package seal

import (
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"
)

// MaxRecipients bounds to how many recipients credentials are sealed: a few identities, the old
// and the new one of each while they change.
const MaxRecipients = 64

// ErrNoRecipients says that nobody could open what would be sealed.
var ErrNoRecipients = errors.New("seal: no recipients are known, so nobody could open it: make an identity for the workers (worker keygen) and add its recipient (fleetctl recipient add)")

// Recipients are the public halves of the workers' identities (age1…): to whom credentials are
// sealed.
type Recipients []string

// Validate says what is wrong with recipients. It does not quote them: somebody may have
// taken the secret half for the public one.
func (r Recipients) Validate() error {
	_, err := r.parse()
	return err
}

func (r Recipients) parse() ([]age.Recipient, error) {
	switch {
	case len(r) == 0:
		return nil, ErrNoRecipients
	case len(r) > MaxRecipients:
		return nil, fmt.Errorf("seal: %d recipients are more than %d", len(r), MaxRecipients)
	}
	parsed := make([]age.Recipient, len(r))
	for i, key := range r {
		one, err := age.ParseX25519Recipient(key)
		if err != nil {
			return nil, fmt.Errorf("seal: recipient %d is no X25519 public key of age's (age1…, as worker keygen prints it)", i+1)
		}
		if slices.Contains(r[:i], key) {
			return nil, fmt.Errorf("seal: recipient %d is there twice", i+1)
		}
		parsed[i] = one
	}
	return parsed, nil
}
