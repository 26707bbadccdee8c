package registry

import (
	"context"
	"slices"
	"sync"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Registry is the bucket of tenants in memory, as new as a message is fast. Safe for
// concurrent use; [Registry.Run] keeps it so.
type Registry struct {
	store    *Store
	rejected func(Change)

	mu       sync.RWMutex
	book     *book
	revision uint64                   // of the last change that was looked at
	loaded   bool                     // all that was there at the beginning is in
	terms    map[string]*tenant.Terms // of known tenants, as they were asked for
	changed  chan struct{}            // closed at the next change
}

// New makes a registry of a ledger's bucket. Rejected, which may be nil, is told of each change
// that does not count, from the goroutine of Run.
func New(l *ledger.Ledger, rejected func(Change)) *Registry {
	if rejected == nil {
		rejected = func(Change) {}
	}
	return &Registry{
		store:    NewStore(l),
		rejected: rejected,
		book:     newBook(),
		terms:    make(map[string]*tenant.Terms),
		changed:  make(chan struct{}),
	}
}

// unread are everybody's terms before the bucket is read: nobody trades without limits
// because a worker is quick.
var unread = &tenant.Terms{Switches: []tenant.Switch{{
	Mode: tenant.Pause, By: "orderfleet", Reason: "the registry of tenants is not read yet", Scope: All.String(),
}}}

// Terms are those under which a tenant trades, as of now; never nil, and never changed. A
// tenant that nobody registered has those of everybody.
func (r *Registry) Terms(name string) *tenant.Terms {
	r.mu.RLock()
	t, loaded := r.terms[name], r.loaded
	r.mu.RUnlock()
	switch {
	case !loaded:
		return unread
	case t != nil:
		return t
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t = r.book.terms(name)
	if s, _ := held[tenant.Settings](r.book, TenantKey(name)); s != nil {
		r.terms[name] = t
	}
	return t
}

// termsIn are those of a tenant that is in further groups, too, as is known from elsewhere.
func (r *Registry) termsIn(name string, groups []Scope) *tenant.Terms {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.loaded {
		return unread
	}
	return r.book.termsOf(name, r.book.entries[TenantKey(name).String()], groups...)
}

// Revision is that of the last change: it and all before it are in the terms.
func (r *Registry) Revision() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.revision
}

// Changed returns a channel that is closed at the next change.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changed
}

// Sync waits until every change that was made before it was called is in the terms.
func (r *Registry) Sync(ctx context.Context) error {
	end, err := r.store.bucket.End(ctx)
	if err != nil {
		return err
	}
	for {
		r.mu.RLock()
		there, changed := r.loaded && r.revision >= end, r.changed
		r.mu.RUnlock()
		if there {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Settings are a tenant's; false if nobody registered it. The maps and lists in them are
// shared: nobody changes them.
func (r *Registry) Settings(name string) (tenant.Settings, bool) {
	s := look[tenant.Settings](r, TenantKey(name))
	if s == nil {
		return tenant.Settings{}, false
	}
	return *s, true
}

// Credential says which keys a tenant has; false if it has none.
func (r *Registry) Credential(name string) (Credential, bool) {
	c := look[Credential](r, CredentialKey(name))
	if c == nil {
		return Credential{}, false
	}
	return *c, true
}

// Limits are those of everybody or of a group; false if there are none.
func (r *Registry) Limits(s Scope) (tenant.Limits, bool) {
	l := look[tenant.Limits](r, LimitsKey(s))
	if l == nil {
		return tenant.Limits{}, false
	}
	return *l, true
}

// Recipients are to whom keys are sealed: the workers.
func (r *Registry) Recipients() []string {
	if l := look[RecipientList](r, RecipientsKey); l != nil {
		return slices.Clone(l.Recipients)
	}
	return nil
}

// Operators are those whose signatures count; none if everybody's do.
func (r *Registry) Operators() []Operator {
	if l := look[OperatorList](r, OperatorsKey); l != nil {
		return slices.Clone(l.Operators)
	}
	return nil
}

// Pool is the rate pool of a name; false if there is none.
func (r *Registry) Pool(name string) (tenant.Pool, bool) {
	p := look[tenant.Pool](r, PoolKey(name))
	if p == nil {
		return tenant.Pool{}, false
	}
	return *p, true
}

// Pools are the names of the pools, in order.
func (r *Registry) Pools() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.book.pools()
}

// Names are the registered tenants, in order.
func (r *Registry) Names() []string { return r.Affected(All) }

// Affected are the registered tenants that a scope covers, in order.
func (r *Registry) Affected(s Scope) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.book.names(s)
}

// Last is the revision of a key's last change: what to [Store.Write] after.
func (r *Registry) Last(k Key) uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.book.entries[k.String()].last
}

// look is what a key holds; nil if it holds nothing.
func look[T any](r *Registry, k Key) *T {
	r.mu.RLock()
	defer r.mu.RUnlock()
	v, _ := held[T](r.book, k)
	return v
}
