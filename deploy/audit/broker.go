package audit

import (
	"context"
	"errors"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
)

// ErrNoAccount says that a broker knows no account of a tenant's, or has no keys to it.
var ErrNoAccount = errors.New("no account to look at")

// Broker is the broker's ledger, as far as the broker shows it.
type Broker interface {
	// Name says which broker it is, for people.
	Name() string
	// Tenants are those whose accounts it knows, without those that it cannot list. It is
	// asked anew whenever a shard has been read, and before the orders of its tenants: these
	// must then be there if they were when it was asked.
	Tenants(ctx context.Context) ([]string, error)
	// Orders calls yield for every order on a tenant's account that the broker took after a
	// moment, in the order in which it took them, and maybe for some that it took before. A
	// zero moment is the account's beginning. It ends with yield's error. [ErrNoAccount] says
	// that there is no account of the tenant's to look at.
	Orders(ctx context.Context, tenant string, after time.Time, yield func(proof.Booking) error) error
}
