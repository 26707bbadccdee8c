package registry

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Throw is what a switch is set to. Who did it, when and why is the record's to say.
type Throw struct {
	Mode tenant.Mode `json:"mode"`
	// Until is when it is over by itself; zero is never.
	Until time.Time `json:"until,omitzero"`
}

func (t *Throw) validate() error {
	_, err := tenant.ParseMode(string(t.Mode))
	return err
}

// Credential points to a tenant's sealed keys, in the bucket CREDENTIALS.
type Credential struct {
	// Digest is the SHA-256 of what is sealed, as 64 hexadecimal digits: its key there is
	// <tenant>.<digest>.
	Digest string `json:"digest"`
	// Kind is what is sealed.
	Kind tenant.Kind `json:"kind"`
	// Recipients are to whom it was sealed: age recipients.
	Recipients []string `json:"recipients"`
}

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (c *Credential) validate() error {
	switch {
	case !digest.MatchString(c.Digest):
		return errors.New("digest: is not 64 hexadecimal digits")
	case !slices.Contains([]tenant.Kind{tenant.KeyPair, tenant.OAuth, tenant.BrokerAPI}, c.Kind):
		return fmt.Errorf("kind: is not %s, %s or %s", tenant.KeyPair, tenant.OAuth, tenant.BrokerAPI)
	}
	return validRecipients(c.Recipients)
}

// RecipientList is to whom keys are sealed: the workers' age recipients.
type RecipientList struct {
	Recipients []string `json:"recipients"`
}

func (r *RecipientList) validate() error { return validRecipients(r.Recipients) }

// recipient is how age writes one; whether it is one, who seals will see.
var recipient = regexp.MustCompile(`^age1[0-9a-z]{20,}$`)

// maxRecipient has room for the recipients of age that outlast quantum computers.
const maxRecipient = 4 << 10

func validRecipients(all []string) error {
	const most = 64
	if len(all) == 0 || len(all) > most {
		return fmt.Errorf("recipients: are not 1 to %d", most)
	}
	for _, r := range all {
		if len(r) > maxRecipient || !recipient.MatchString(r) {
			return errors.New("recipients: one is no age recipient as age1 and letters")
		}
	}
	return nil
}

// OperatorList is whose signatures count.
type OperatorList struct {
	Operators []Operator `json:"operators"`
}

// Operator is somebody whose signature counts.
type Operator struct {
	// Name is whose key it is, for people.
	Name string `json:"name"`
	// Key is the public nkey, of a user: U...
	Key string `json:"key"`
	// Tenant, if set, says that the key is a tenant's own, and counts for its credential alone.
	Tenant string `json:"tenant,omitzero"`
}

func (l *OperatorList) validate() error {
	const most = 1000
	if len(l.Operators) > most {
		return fmt.Errorf("operators: there are more than %d", most)
	}
	full := false
	keys := make(map[string]bool)
	for _, o := range l.Operators {
		switch {
		case !validText(o.Name, order.MaxControlBy):
			return fmt.Errorf("operators: a name is empty, longer than %d bytes, or not printable", order.MaxControlBy)
		case !nkeys.IsValidPublicUserKey(o.Key):
			return fmt.Errorf("operators: the key of %s is no public nkey of a user, as U and letters", o.Name)
		case keys[o.Key]:
			return fmt.Errorf("operators: the key of %s stands twice", o.Name)
		case o.Tenant != "" && order.ValidTenant(o.Tenant) != nil:
			return fmt.Errorf("operators: %w", order.ValidTenant(o.Tenant))
		}
		keys[o.Key] = true
		full = full || o.Tenant == ""
	}
	if !full {
		return errors.New("operators: nobody would be left who can change anything")
	}
	return nil
}

// may says that a key may sign a record of k.
func (l *OperatorList) may(key string, k Key) bool {
	for _, o := range l.Operators {
		if o.Key == key {
			return o.Tenant == "" || k.Kind == KindCredential && k.Name == o.Tenant
		}
	}
	return false
}

type pool tenant.Pool

func (p *pool) validate() error { return (*tenant.Pool)(p).Validate() }

type settings tenant.Settings

func (s *settings) validate() error { return (*tenant.Settings)(s).Validate() }

type limits tenant.Limits

func (l *limits) validate() error { return (*tenant.Limits)(l).Validate() }

// body is what a key of a kind holds.
type body interface{ validate() error }

func newBody(k Kind) body {
	switch k {
	case KindTenant:
		return new(settings)
	case KindLimits:
		return new(limits)
	case KindSwitch:
		return new(Throw)
	case KindCredential:
		return new(Credential)
	case KindPool:
		return new(pool)
	case KindRecipients:
		return new(RecipientList)
	case KindOperators:
		return new(OperatorList)
	}
	return nil
}

// decodeBody reads and checks what a key holds.
func decodeBody(k Kind, data []byte) (body, error) {
	b := newBody(k)
	if len(data) == 0 || data[0] != '{' {
		return nil, errors.New("is no JSON object")
	}
	if err := json.Unmarshal(data, b, strictly, order.Decimals()); err != nil {
		return nil, err
	}
	if err := b.validate(); err != nil {
		return nil, err
	}
	return b, nil
}
