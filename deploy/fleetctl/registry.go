package fleetctl

import (
	"context"
	"errors"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
)

// ReadRegistry reads the registry as it is now. What it returns does not follow changes.
// Rejected, which may be nil, is told of the keys whose last change does not count.
func ReadRegistry(ctx context.Context, l *ledger.Ledger, rejected func(registry.Change)) (*registry.Registry, error) {
	r := registry.New(l, rejected)
	reading, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := r.Run(reading)
		stop(err) // whoever waits for what it reads waits no longer
		ended <- err
	}()
	err := r.Sync(reading)
	stop(errRead)
	if failed := <-ended; err != nil || !errors.Is(failed, errRead) {
		return nil, errors.Join(err, failed)
	}
	return r, nil
}

// errRead says that as much was read as is wanted.
var errRead = errors.New("fleetctl: the registry is read")
