package fleetctl

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Profile is what there is to say of a tenant. Its names in JSON are part of the contract.
type Profile struct {
	Tenant   string          `json:"tenant"`
	Settings tenant.Settings `json:"settings"`
	// Limits are those that hold, with the scopes that they come from.
	Limits []HeldLimit `json:"limits,omitempty"`
	// Mode is what the tenant may do now, by the Switches that lie on it.
	Mode     tenant.Mode     `json:"mode"`
	Switches []tenant.Switch `json:"switches,omitempty"`
	// Keys says what keys it has; nil if it has none.
	Keys *HeldKeys `json:"keys,omitzero"`
	// Revision is that of the last change of all this.
	Revision uint64 `json:"revision"`
}

// HeldLimit is a limit that holds for a tenant.
type HeldLimit struct {
	Field string `json:"field"`
	Value string `json:"value"`
	// From are the scopes that it comes from: tenant.<name>, label.<key>.<value>, all.
	From []string `json:"from"`
}

// HeldKeys are a tenant's keys, but for the keys.
type HeldKeys struct {
	Kind   tenant.Kind `json:"kind"`
	Since  time.Time   `json:"since"`
	By     string      `json:"by"`
	Digest string      `json:"digest"`
	// Recipients is to how many of the workers' keys they are sealed.
	Recipients int `json:"recipients"`
}

// ReadProfile says what there is to say of a tenant; [tenant.ErrUnknown] if nobody registered it.
func ReadProfile(ctx context.Context, s *registry.Store, r *registry.Registry, name string) (Profile, error) {
	settings, ok := r.Settings(name)
	if !ok {
		return Profile{}, fmt.Errorf("%w: %s", tenant.ErrUnknown, name)
	}
	terms := r.Terms(name)
	p := Profile{
		Tenant: name, Settings: settings, Revision: terms.Revision,
		Mode: terms.Mode(time.Now()), Switches: terms.Switches,
		Limits: heldLimits(r, name, &settings, terms.Limits),
	}
	p.Settings.Limits = tenant.Limits{} // which are among those that hold
	if c, ok := r.Credential(name); ok {
		change, _, err := s.Get(ctx, registry.CredentialKey(name))
		if err != nil {
			return p, err
		}
		p.Keys = &HeldKeys{c.Kind, change.Time, change.Record.By, c.Digest, len(c.Recipients)}
	}
	return p, nil
}

// heldLimits finds from where each limit that holds comes: from those scopes that set it so, or
// if none alone does, from all that say anything.
func heldLimits(r *registry.Registry, name string, settings *tenant.Settings, hold tenant.Limits) []HeldLimit {
	type scoped struct {
		scope  string
		fields map[string]string
	}
	scopes := []scoped{{registry.OfTenant(name).String(), fieldsOf(settings.Limits)}}
	for _, s := range registry.Scopes(settings) {
		if l, ok := r.Limits(s); ok {
			scopes = append(scopes, scoped{s.String(), fieldsOf(l)})
		}
	}
	var all []HeldLimit
	for field, value := range fieldsOf(hold) {
		h := HeldLimit{Field: field, Value: value}
		var saying []string
		for _, s := range scopes {
			if said, ok := s.fields[field]; ok {
				saying = append(saying, s.scope)
				if said == value {
					h.From = append(h.From, s.scope)
				}
			}
		}
		if len(h.From) == 0 {
			h.From = saying
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b HeldLimit) int { return cmp.Compare(a.Field, b.Field) })
	return all
}

// Print writes a profile for people.
func (p *Profile) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "tenant\t%s\n", p.Tenant)
	fields := fieldsOf(p.Settings)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(table, "%s\t%s\n", field, fields[field])
	}
	if k := p.Keys; k != nil {
		fmt.Fprintf(table, "keys\t%s, since %s by %s, sealed to %s\n", k.Kind, stamp(k.Since), k.By, cli.Count(k.Recipients, "recipient"))
	} else {
		fmt.Fprint(table, "keys\tnone: fleetctl credential set\n")
	}
	fmt.Fprintf(table, "mode\t%s\n", p.Mode)
	for _, s := range p.Switches {
		if s.Mode == tenant.Run || s.Over(time.Now()) {
			continue
		}
		until := ""
		if !s.Until.IsZero() {
			until = " until " + stamp(s.Until)
		}
		fmt.Fprintf(table, "switch\t%s%s on %s, by %s at %s: %s\n", s.Mode, until, s.Scope, s.By, stamp(s.At), s.Reason)
	}
	for _, l := range p.Limits {
		fmt.Fprintf(table, "limit\t%s\t%s\tfrom %s\n", l.Field, l.Value, strings.Join(l.From, ", "))
	}
	fmt.Fprintf(table, "revision\t%d\n", p.Revision)
	return table.Flush()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Listed is a tenant in a list. Its names in JSON are part of the contract.
type Listed struct {
	Tenant string        `json:"tenant"`
	Status tenant.Status `json:"status"`
	Mode   tenant.Mode   `json:"mode"`
	Broker string        `json:"broker"`
	// Keys is what kind they are; none if there are none.
	Keys   string            `json:"keys"`
	Labels map[string]string `json:"labels,omitempty"`
}

// LabelText is the labels on one line.
func (l *Listed) LabelText() string {
	words := make([]string, 0, len(l.Labels))
	for _, key := range slices.Sorted(maps.Keys(l.Labels)) {
		words = append(words, key+"="+l.Labels[key])
	}
	return strings.Join(words, " ")
}

// ListTenants lists the tenants that a scope covers.
func ListTenants(r *registry.Registry, s registry.Scope) []Listed {
	var all []Listed
	for _, name := range r.Affected(s) {
		settings, _ := r.Settings(name)
		keys := "none"
		if c, ok := r.Credential(name); ok {
			keys = string(c.Kind)
		}
		all = append(all, Listed{
			Tenant: name, Status: cmp.Or(settings.Status, tenant.Active), Mode: r.Terms(name).Mode(time.Now()),
			Broker: settings.Broker, Keys: keys, Labels: settings.Labels,
		})
	}
	return all
}
