package registry

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// File is a tenants file as a registry, for development: the same tenants, limits, labels and
// switches, and their keys, with nobody's signature. [File.Run] reads it again when it changes,
// or a secret file that it names; a file with a mistake changes nothing. It implements [tenant.Directory]. Safe for concurrent
// use.
type File struct {
	path    string
	problem func(error)

	mu   sync.RWMutex
	seen tenant.Sum // as it was last read, good or bad
	file *tenant.File
	book *book
	// any is of every tenant that the file's template makes out.
	any      entry
	revision uint64 // how often it was read and good
	changed  chan struct{}
}

var _ tenant.Directory = (*File)(nil)

// OpenFile reads a tenants file; see [tenant.LoadFile]. Problem, which may be nil, is told of
// what is wrong with it later.
func OpenFile(path string, problem func(error)) (*File, error) {
	if problem == nil {
		problem = func(error) {}
	}
	f := &File{path: path, problem: problem, book: newBook(), changed: make(chan struct{})}
	file, err := tenant.LoadFile(path)
	if err != nil {
		return nil, err
	}
	f.become(file)
	f.seen = file.Sum()
	return f, nil
}

// glance is how often the file is looked at.
const glance = 250 * time.Millisecond

// Run reads the file again whenever it is another one, until ctx ends.
func (f *File) Run(ctx context.Context) error {
	ticks := time.NewTicker(glance)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			f.read()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Sync reads the file if it is another one.
func (f *File) Sync(context.Context) error {
	f.read()
	return nil
}

// read reads the file if it is another one. What is wrong with it is told once.
func (f *File) read() {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.file.SumNow()
	if seen == f.seen {
		return
	}
	f.seen = seen
	file, err := tenant.LoadFile(f.path)
	if err != nil {
		f.problem(err)
		return
	}
	f.become(file)
	f.seen = file.Sum()
}

// become takes over what a file says. What did not change keeps its revision.
func (f *File) become(now *tenant.File) {
	before := f.file
	if before == nil {
		before = new(tenant.File)
	}
	f.file = now
	f.revision++
	names := now.Names()
	for text := range f.book.entries {
		if k, err := ParseKey(text); err == nil && k.Kind == KindTenant {
			names = append(names, k.Name) // it may be gone, or made out by the template now
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		k := TenantKey(name).String()
		f.book.entries[k] = f.entry(name, f.book.entries[k], before, now)
	}
	f.any = f.entry(template, f.any, before, now)
	old, shared := before.Shared(), now.Shared()
	f.set(LimitsKey(All), &shared.Limits)
	for _, s := range []tenant.Shared{old, shared} {
		for key, values := range s.Labels {
			for value := range values {
				f.set(LimitsKey(OfLabel(key, value)), new(shared.Labels[key][value]))
			}
		}
		for text := range s.Switches {
			scope, err := ParseScope(text)
			if err != nil {
				continue // which was checked
			}
			var thrown any
			if t, ok := shared.Switches[text]; ok {
				thrown = &tenant.Switch{Mode: t.Mode, Until: t.Until, By: "the tenants file", Reason: t.Reason, Scope: text}
			}
			f.set(SwitchKey(scope), thrown)
		}
	}
	for _, s := range []tenant.Shared{old, shared} {
		for name := range s.Pools {
			var held any
			if p, ok := shared.Pools[name]; ok {
				held = &p
			}
			f.set(PoolKey(name), held)
		}
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// template is a name that stands for those that the file's template makes out.
const template = "whoever-the-template-makes-out"

// entry is what a file says of a tenant now, as against before.
func (f *File) entry(name string, was entry, before, now *tenant.File) entry {
	settings, there := now.Settings(name)
	e := entry{revision: was.revision, line: was.line}
	if there {
		e.held = &settings
	}
	if !reflect.DeepEqual(e.held, was.held) {
		e.revision = f.revision
	}
	ctx := context.Background()
	one, _ := before.Lookup(ctx, name)
	other, _ := now.Lookup(ctx, name)
	if one != other {
		e.revision, e.line = f.revision, f.revision
	}
	e.disabled = disabling(e.held, was.disabled, tenant.Switch{By: "the tenants file", Reason: "status", Scope: OfTenant(name).String()})
	return e
}

// set makes a key hold something, if that is something else.
func (f *File) set(k Key, held any) {
	e := f.book.entries[k.String()]
	if !reflect.DeepEqual(e.held, held) {
		f.book.entries[k.String()] = entry{revision: f.revision, held: held}
	}
}

// Lookup implements [tenant.Directory].
func (f *File) Lookup(ctx context.Context, name string) (tenant.Tenant, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	t, err := f.file.Lookup(ctx, name)
	if err == nil {
		t.Keys = fmt.Sprint("as of reading ", f.of(name).line)
	}
	return t, err
}

// Settings are a tenant's; false if it is neither in the file nor made out by its template.
func (f *File) Settings(name string) (tenant.Settings, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.file.Settings(name)
}

// Names are the tenants that stand in the file, in order.
func (f *File) Names() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Clone(f.file.Names())
}

// Terms are those under which a tenant trades, as of now; never nil, and never changed.
func (f *File) Terms(name string) *tenant.Terms {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.book.termsOf(name, f.of(name))
}

// of is what the file says of a tenant, also of one that its template makes out.
func (f *File) of(name string) entry {
	of := f.book.entries[TenantKey(name).String()]
	if of.held == nil {
		if s, made := f.file.Settings(name); made {
			revision, line := max(of.revision, f.any.revision), max(of.line, f.any.line)
			of = entry{revision: revision, line: line, disabled: f.any.disabled, held: &s}
		}
	}
	return of
}

// Pool is the rate pool of a name; false if there is none.
func (f *File) Pool(name string) (tenant.Pool, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if p, _ := held[tenant.Pool](f.book, PoolKey(name)); p != nil {
		return *p, true
	}
	return tenant.Pool{}, false
}

// Revision is how often the file was read anew and good.
func (f *File) Revision() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.revision
}

// Changed returns a channel that is closed at the next change.
func (f *File) Changed() <-chan struct{} {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.changed
}
