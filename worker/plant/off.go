//go:build !planted

package plant

import (
	"context"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// Is says whether this worker has a bug.
func Is(Bug) bool { return false }

// Connect is connect, with the worker's bug between a session and its broker if it has one.
func Connect(connect func(context.Context, string) (broker.Line, error)) func(context.Context, string) (broker.Line, error) {
	return connect
}
