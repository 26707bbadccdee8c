package fleetctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
)

// Deed is one change of the registry: who did what. Its names in JSON are part of the contract.
type Deed struct {
	Revision uint64    `json:"revision"`
	Time     time.Time `json:"time"` // when the server took it
	Key      string    `json:"key"`
	// By, Signer, At and Reason are as the record has them, whether it counts or not.
	By     string    `json:"by,omitzero"`
	Signer string    `json:"signer,omitzero"`
	At     time.Time `json:"at,omitzero"`
	Reason string    `json:"reason,omitzero"`
	// Removed says that the key holds nothing since.
	Removed bool `json:"removed,omitzero"`
	// Changes are the fields that it changed, against what the key held before.
	Changes []Difference `json:"changes,omitempty"`
	// Verified: it is signed by who may, for its place; it counts. Otherwise Problem says why not.
	Verified bool   `json:"verified"`
	Problem  string `json:"problem,omitzero"`
}

// DeedFilter says which changes are shown.
type DeedFilter struct {
	Tenant string        // of one tenant; empty is all
	Kind   registry.Kind // of one kind; empty is all
	Since  time.Time     // taken by the server since then; zero is all
}

func (f DeedFilter) shows(c registry.Change) bool {
	return (f.Kind == "" || c.Key.Kind == f.Kind) && !c.Time.Before(f.Since)
}

// ReadHistory calls deliver with the changes of the registry, in their order: all of them are
// read, since what a change changed is told by the one before. Those of a tenant are of its
// own keys.
func ReadHistory(ctx context.Context, s *registry.Store, f DeedFilter, deliver func(Deed) error) error {
	held := make(map[string]jsontext.Value) // by each key, as far as counts
	read := func(c registry.Change, deliver func(Deed) error) error {
		d := deed(c, held[c.Name])
		if c.Err == nil {
			held[c.Name] = c.Record.Body
		}
		if !f.shows(c) {
			return nil
		}
		return deliver(d)
	}
	if f.Tenant == "" {
		return s.History(ctx, registry.Key{}, func(c registry.Change) error { return read(c, deliver) })
	}
	var all []Deed
	for _, k := range []registry.Key{
		registry.TenantKey(f.Tenant), registry.CredentialKey(f.Tenant), registry.SwitchKey(registry.OfTenant(f.Tenant)),
	} {
		err := s.History(ctx, k, func(c registry.Change) error {
			return read(c, func(d Deed) error {
				all = append(all, d)
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b Deed) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, d := range all {
		if err := deliver(d); err != nil {
			return err
		}
	}
	return nil
}

func deed(c registry.Change, before jsontext.Value) Deed {
	r := c.Record
	d := Deed{
		Revision: c.Revision, Time: c.Time, Key: c.Name,
		By: r.By, Signer: r.Signer, At: r.At, Reason: r.Reason, Verified: c.Err == nil,
	}
	if c.Err != nil {
		d.Problem = c.Err.Error()
	}
	if !errors.Is(c.Err, registry.ErrMalformed) && r.Signer != "" {
		d.Removed = r.Removed()
		d.Changes = differences(before, r.Body)
	}
	return d
}

// Print writes a change for people.
func (d *Deed) Print(w io.Writer) {
	by := "by nobody who says so"
	if d.Signer != "" {
		by = "by " + clean(d.By, order.MaxControlBy) + " (" + d.Signer + ")"
	}
	fmt.Fprintf(w, "%d  %s  %s  %s\n", d.Revision, d.Time.UTC().Format(time.RFC3339), clean(d.Key, 200), by)
	if !d.Verified {
		fmt.Fprintf(w, "    NOT VERIFIED, and changed nothing: %s\n", clean(d.Problem, 400))
	}
	if d.Reason != "" {
		fmt.Fprintf(w, "    why: %s\n", clean(d.Reason, order.MaxControlReason))
	}
	if d.Removed {
		fmt.Fprintln(w, "    removed")
	}
	for _, c := range d.Changes {
		fmt.Fprintf(w, "    %s\n", clean(c.String(), 400))
	}
}

// clean makes what a stranger wrote fit to be printed.
func clean(s string, most int) string { return ledger.Printable(s, most) }
