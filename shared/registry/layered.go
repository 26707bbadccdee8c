package registry

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Layered is a tenants file beneath the registry of the server: who the tenants are says the
// file; to its limits, switches and pools come those of the server, so that an operator's hand
// reaches everybody. Safe for concurrent use; [Layered.Run] keeps it up to date.
type Layered struct {
	file   *File
	server *Registry

	mu      sync.Mutex
	changed chan struct{} // closed at the next change of either
}

// NewLayered puts a file beneath a registry, both of which it runs.
func NewLayered(file *File, server *Registry) *Layered {
	return &Layered{file: file, server: server, changed: make(chan struct{})}
}

// Run reads both until ctx ends, or one of them ends.
func (l *Layered) Run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var reading sync.WaitGroup
	for _, run := range []func(context.Context) error{l.file.Run, l.server.Run} {
		reading.Go(func() { end(run(ctx)) })
	}
	defer reading.Wait()
	for {
		file, server := l.file.Changed(), l.server.Changed()
		l.tell() // also of what changed before these were made
		select {
		case <-file:
		case <-server:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *Layered) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
}

// Terms are those of the file, and on top the limits and switches that the server has for the
// tenant, for its groups by the labels that either gives it, and for all: what an operator reads
// in the registry holds. They have a revision of their own, which grows with either's.
func (l *Layered) Terms(name string) *tenant.Terms {
	settings, _ := l.file.Settings(name)
	below, above := l.file.Terms(name), l.server.termsIn(name, Scopes(&settings))
	t := *below
	t.Revision = below.Revision<<32 | above.Revision // other labels may bring the server's back
	t.Limits = below.Limits.And(above.Limits)
	t.Switches = slices.Concat(below.Switches, above.Switches)
	return &t
}

// Pool is the rate pool of a name, the server's or, if it has none, the file's; false if there
// is none.
func (l *Layered) Pool(name string) (tenant.Pool, bool) {
	if p, ok := l.server.Pool(name); ok {
		return p, true
	}
	return l.file.Pool(name)
}

// Revision is that of the server, which operators ask for.
func (l *Layered) Revision() uint64 { return l.server.Revision() }

// Changed returns a channel that is closed at the next change.
func (l *Layered) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Sync waits until every change that was made before it was called is in the terms.
func (l *Layered) Sync(ctx context.Context) error {
	return errors.Join(l.file.Sync(ctx), l.server.Sync(ctx))
}
