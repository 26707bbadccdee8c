package producer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/order"
)

// repeats names messages, so that a stream drops one that is published again. It is the server
// that remembers the names, those of all tenants of a shard together: somebody who knew the
// name of another's next intent could publish something under it first, and have that intent
// dropped. So behind a border, where tenants are strangers, a name has in it what only who
// holds the user's key can know. It is the same in every process of that user.
type repeats struct {
	secret []byte // nil: names can be known
}

func newRepeats(nc *nats.Conn, strangers bool) (repeats, error) {
	if !strangers || nc.Opts.SignatureCB == nil {
		return repeats{}, nil
	}
	secret, err := nc.Opts.SignatureCB([]byte("orderfleet: names of messages")) // the same each time
	if err != nil {
		return repeats{}, fmt.Errorf("producer: sign with the user's key: %w", err)
	}
	return repeats{secret}, nil
}

// name is the message id of a tenant's intent.
func (r repeats) name(tenant, id string) string {
	name := order.ClientOrderID(tenant, id)
	if r.secret == nil {
		return name
	}
	mac := hmac.New(sha256.New, r.secret)
	mac.Write([]byte(name))
	return name + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
