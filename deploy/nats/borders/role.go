package borders

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Role is what somebody is to the fleet.
type Role string

// The roles.
const (
	// Worker serves shards and provisions the ledger. It is the only one inside the ledger's
	// account, and the only one that reads CREDENTIALS.
	Worker Role = "worker"
	// Operator reads everything but CREDENTIALS, changes tenants, limits and switches, asks
	// workers, releases tenants, and publishes for every tenant.
	Operator Role = "operator"
	// Observer reads what an operator reads, and writes nothing.
	Observer Role = "observer"
	// Producer is one tenant, by its name.
	Producer Role = "producer"
	// Gateway publishes for every tenant, and reads all outcomes and updates.
	Gateway Role = "gateway"
	// Prices publishes reference prices.
	Prices Role = "prices"
)

// Roles are all roles.
func Roles() []Role { return []Role{Worker, Operator, Observer, Producer, Gateway, Prices} }

// ParseRole reads a role.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("borders: %q is no role: one of %v", s, Roles())
}

// User is somebody whom the server knows.
type User struct {
	Role Role   `json:"role"`
	Name string `json:"name"` // a producer's is its tenant's
	// Key is the user's public nkey. The server has no secret of anybody.
	Key string `json:"key"`
	// Account is the public key of the user's account, if JWTs say who is who.
	Account string `json:"account,omitempty"`
}

func (u User) String() string { return string(u.Role) + " " + u.Name }

// id names the user in files, and its consumers: no two users share one, since a role has no
// underscore.
func (u User) id() string { return string(u.Role) + "_" + u.Name }

// account is the user's account, the ledger's for a worker.
func (u User) account() string {
	if u.Role == Worker {
		return LedgerAccount
	}
	return strings.ToUpper(string(u.Role)) + "_" + u.Name
}

// Validate says what is wrong with a user's role or name.
func (u User) Validate() error {
	if _, err := ParseRole(string(u.Role)); err != nil {
		return err
	}
	if err := order.ValidTenant(u.Name); err != nil {
		return fmt.Errorf("borders: the name of a %s: %w", u.Role, err)
	}
	return nil
}
