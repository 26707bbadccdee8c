package registry

import (
	"reflect"
	"slices"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// book is what the keys hold, and what follows from it for a tenant.
type book struct{ entries map[string]entry }

// entry is what a key holds. Of one that was removed the revisions stay.
type entry struct {
	// revision is that of the change that counts, last that of the last one of all.
	revision, last uint64
	// line is of a tenant: the revision since which a line to its broker would be the same.
	line uint64
	// disabled is of a tenant: the switch that its status comes to, as whoever disabled it
	// said; nil if it is active.
	disabled *tenant.Switch
	held     any // *tenant.Settings, *tenant.Limits, *tenant.Switch, *Credential, ...; nil: nothing
}

func newBook() *book { return &book{entries: make(map[string]entry)} }

// put takes in what the last change of a key comes to.
func (b *book) put(v verdict) {
	if v.Key == (Key{}) {
		return
	}
	name := v.Key.String()
	e := b.entries[name]
	e.last = v.last
	if v.Err == nil && v.Revision > e.revision {
		now := holding(v.Key, &v.Record)
		if !sameLine(e.held, now) {
			e.line = v.Revision
		}
		e.held, e.revision = now, v.Revision
		e.disabled = disabling(now, e.disabled, tenant.Switch{By: v.Record.By, Reason: v.Record.Reason, At: v.Record.At, Scope: OfTenant(v.Key.Name).String()})
	}
	b.entries[name] = e
}

// holding is what a record that was judged says that its key holds, as it is kept.
func holding(k Key, r *Record) any {
	switch v := r.held.(type) {
	case nil:
		return nil // removed
	case *settings:
		return (*tenant.Settings)(v)
	case *limits:
		return (*tenant.Limits)(v)
	case *Throw:
		return &tenant.Switch{Mode: v.Mode, Until: v.Until, By: r.By, Reason: r.Reason, At: r.At, Scope: k.Scope.String()}
	case *pool:
		return (*tenant.Pool)(v)
	}
	return r.held
}

// disabling is the switch of a tenant that is disabled: as it was, if it was, else as s has it.
func disabling(held any, was *tenant.Switch, s tenant.Switch) *tenant.Switch {
	of, ok := held.(*tenant.Settings)
	switch {
	case !ok || of.Status != tenant.Disabled:
		return nil
	case was != nil:
		return was
	}
	s.Mode, s.Reason = tenant.Halt, "the tenant is disabled: "+s.Reason
	return &s
}

// sameLine says that what a tenant's key held and holds makes the same line to a broker.
func sameLine(before, now any) bool {
	a, ok := before.(*tenant.Settings)
	b, too := now.(*tenant.Settings)
	if !ok || !too {
		return false
	}
	return reflect.DeepEqual(lineOf(*a), lineOf(*b))
}

// lineOf is what of settings makes a line.
func lineOf(s tenant.Settings) tenant.Settings {
	s.Limits, s.Labels, s.Pool, s.Weight = tenant.Limits{}, nil, "", 0
	return s
}

// held is what a key holds, and its revision; nil if it holds nothing.
func held[T any](b *book, k Key) (*T, uint64) {
	e := b.entries[k.String()]
	v, _ := e.held.(*T)
	return v, e.revision
}

// terms are a tenant's.
func (b *book) terms(name string) *tenant.Terms {
	return b.termsOf(name, b.entries[TenantKey(name).String()])
}

// termsOf are a tenant's of whom the book has this, and who is in further groups, too.
func (b *book) termsOf(name string, of entry, groups ...Scope) *tenant.Terms {
	_, keys := held[Credential](b, CredentialKey(name))
	t := &tenant.Terms{Revision: max(of.revision, keys), Line: max(of.line, keys)}
	s, _ := of.held.(*tenant.Settings)
	if s != nil {
		t.Limits, t.Pool, t.Weight = s.Limits, s.Pool, s.Weight
	}
	if of.disabled != nil {
		t.Switches = append(t.Switches, *of.disabled)
	}
	in := Scopes(s)
	for _, group := range groups {
		if !slices.Contains(in, group) {
			in = append(in, group)
		}
	}
	for _, scope := range in {
		l, revision := held[tenant.Limits](b, LimitsKey(scope))
		t.Revision = max(t.Revision, revision)
		if l != nil {
			t.Limits = t.Limits.And(*l)
		}
	}
	for _, scope := range append(in, OfTenant(name)) {
		s, revision := held[tenant.Switch](b, SwitchKey(scope))
		t.Revision = max(t.Revision, revision)
		if s != nil {
			t.Switches = append(t.Switches, *s)
		}
	}
	return t
}

// names are the tenants that are there, in order, of those that a scope covers.
func (b *book) names(s Scope) []string {
	var names []string
	for text, e := range b.entries {
		of, ok := e.held.(*tenant.Settings)
		if !ok {
			continue
		}
		name := text[len(KindTenant)+1:]
		if s == All || s.Tenant == name || s.Label != "" && of.Labels[s.Label] == s.Value {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// pools are the names of the pools, in order.
func (b *book) pools() []string {
	var names []string
	for text, e := range b.entries {
		if _, ok := e.held.(*tenant.Pool); !ok {
			continue
		}
		if k, err := ParseKey(text); err == nil {
			names = append(names, k.Name)
		}
	}
	slices.Sort(names)
	return names
}
