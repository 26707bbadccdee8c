package seal

import (
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// MaxRecipients bounds to how many recipients credentials are sealed: a few identities, the old
// and the new one of each while they change.
const MaxRecipients = 32

// ErrNoRecipients: nobody could open what would be sealed.
var ErrNoRecipients = errors.New("seal: no recipients are known, so nobody could open it: make an identity for the workers (worker keygen) and add its recipient (fleetctl recipient add)")

// Recipient is the public half of an identity of the workers', and what it is called.
type Recipient struct {
	Name string `json:"name"`
	Key  string `json:"key"` // age1…
}

// Validate says what is wrong with a recipient. It does not quote a key: somebody may have
// taken the secret half for the public one.
func (r *Recipient) Validate() error {
	if err := tenant.ValidWord(r.Name); err != nil {
		return fmt.Errorf("seal: the recipient's name %w", err)
	}
	if _, err := age.ParseX25519Recipient(r.Key); err != nil {
		return fmt.Errorf("seal: recipient %s is no public key of age's (age1…, as worker keygen prints it)", r.Name)
	}
	return nil
}

// Recipients are those to whom credentials are sealed, by their names.
type Recipients []Recipient

// Validate says what is wrong with recipients.
func (r Recipients) Validate() error {
	if len(r) > MaxRecipients {
		return fmt.Errorf("seal: %d recipients are more than %d", len(r), MaxRecipients)
	}
	for i := range r {
		if err := r[i].Validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(r[:i], func(o Recipient) bool { return o.Name == r[i].Name || o.Key == r[i].Key }) {
			return fmt.Errorf("seal: recipient %s, or its key, is there twice", r[i].Name)
		}
	}
	return nil
}

// Names are the recipients' names, in order.
func (r Recipients) Names() []string {
	names := make([]string, len(r))
	for i := range r {
		names[i] = r[i].Name
	}
	slices.Sort(names)
	return names
}

func (r Recipients) parse() ([]age.Recipient, error) {
	if len(r) == 0 {
		return nil, ErrNoRecipients
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	parsed := make([]age.Recipient, len(r))
	for i := range r {
		one, err := age.ParseX25519Recipient(r[i].Key)
		if err != nil {
			return nil, fmt.Errorf("seal: recipient %s: %w", r[i].Name, err)
		}
		parsed[i] = one
	}
	return parsed, nil
}
