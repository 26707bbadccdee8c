package stress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/parts"
)

// Options of a stress test.
type Options struct {
	Tenants int // at least 1
	Orders  int // of each tenant, at least 1
	Clients parts.Clients
	Shards  int
	// Rate is how many orders a second are published in all; 0 is all at once.
	Rate int
	// IdleTenants is how many tenants besides are known to the ledger and have no work.
	IdleTenants int
	// IdleFor is how long the worker is watched while they are all that it knows.
	IdleFor time.Duration
	// Calm is how long everything may settle before it is measured: the disks write a backlog
	// back, the worker has taken its shards.
	Calm time.Duration
	// NoDuplicateCheck switches the broker's check of client order ids off.
	NoDuplicateCheck bool
	// Patience is how long the run may stand still before it is given up.
	Patience time.Duration
	// Progress, if set, is told how far a phase is.
	Progress func(phase string, done, of int)
}

// The order that everybody places: it rests at the broker.
const (
	orderSymbol = "AAPL"
	orderQty    = "1"
	orderPrice  = "1.25"
)

// Validate says which option is out of range.
func (o Options) Validate() error {
	switch {
	case o.Tenants < 1, o.Tenants > 1_000_000:
		return fmt.Errorf("tenants: %d is not 1 to 1000000", o.Tenants)
	case o.Orders < 1:
		return fmt.Errorf("orders: %d is less than 1", o.Orders)
	case o.Shards < 1, o.Shards > 256:
		return fmt.Errorf("shards: %d is not 1 to 256", o.Shards)
	case o.Rate < 0, o.IdleTenants < 0:
		return fmt.Errorf("rate and idle-tenants cannot be negative")
	case !slices.Contains(parts.AllClients, o.Clients):
		names := make([]string, len(parts.AllClients))
		for i, c := range parts.AllClients {
			names[i] = string(c)
		}
		return fmt.Errorf("clients: %q is not one of %s", o.Clients, strings.Join(names, ", "))
	}
	return nil
}
