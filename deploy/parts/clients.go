package parts

import (
	"net/http"

	"github.com/orderfleet/orderfleet/worker/alpaca"
)

// Clients is how the worker holds its HTTP clients.
type Clients string

// The ways.
const (
	// Own: each session owns a client and its connection. What the worker does.
	Own Clients = "own"
	// Shared: all sessions share one client with a pool of connections.
	Shared Clients = "shared"
	// Locked: all sessions share one client behind a mutex.
	Locked Clients = "locked"
)

// AllClients lists the ways.
var AllClients = []Clients{Own, Shared, Locked}

// sharedIdle is how many connections the shared client keeps open.
const sharedIdle = 4096

// transport is what the sessions share; nil if nothing.
func (c Clients) transport() http.RoundTripper {
	switch c {
	case Shared:
		return alpaca.SharedTransport(alpaca.Timeouts{}, nil, sharedIdle)
	case Locked:
		return alpaca.LockedTransport(alpaca.SharedTransport(alpaca.Timeouts{}, nil, sharedIdle))
	default:
		return nil
	}
}
