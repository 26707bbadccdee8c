package fleetctl

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"golang.org/x/sync/errgroup"
)

// Tenants are those of a file.
type Tenants struct {
	settings map[string]tenant.Settings
	limits   map[registry.Scope]tenant.Limits
}

// tenantLine is a tenant as a line of JSON.
type tenantLine struct {
	Tenant          string `json:"tenant"`
	tenant.Settings `json:",inline"`
}

// ReadTenants reads a tenants file, or JSON lines of a tenant each. Errors name the line or
// the field.
func ReadTenants(path string) (*Tenants, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &Tenants{make(map[string]tenant.Settings), make(map[registry.Scope]tenant.Limits)}
	if start := bytes.TrimLeft(data, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		return t, t.readLines(path, bytes.NewReader(data))
	}
	f, err := tenant.LoadFile(path)
	if err != nil {
		return nil, err
	}
	for _, name := range f.Names() {
		t.settings[name], _ = f.Settings(name)
	}
	shared := f.Shared()
	if !Same(shared.Limits, tenant.Limits{}) {
		t.limits[registry.All] = shared.Limits
	}
	for key, values := range shared.Labels {
		for value, l := range values {
			t.limits[registry.OfLabel(key, value)] = l
		}
	}
	return t, nil
}

func (t *Tenants) readLines(path string, from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, order.MaxMessage)
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := t.readLine(lines.Bytes()); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s, line %d: %w", path, n+1, err)
	}
	return nil
}

func (t *Tenants) readLine(line []byte) error {
	var l tenantLine
	if err := json.Unmarshal(line, &l, json.RejectUnknownMembers(true), order.Decimals()); err != nil {
		return err
	}
	if err := order.ValidTenant(l.Tenant); err != nil {
		return err
	}
	if _, twice := t.settings[l.Tenant]; twice {
		return fmt.Errorf("%s stands twice", l.Tenant)
	}
	if err := l.Settings.Validate(); err != nil {
		return err
	}
	t.settings[l.Tenant] = l.Settings
	return nil
}

// Live is how many of them trade real money.
func (t *Tenants) Live() int {
	n := 0
	for _, s := range t.settings {
		if s.Live() {
			n++
		}
	}
	return n
}

// Todo is what makes a registry what a file says. Its names in JSON are part of the contract.
type Todo struct {
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
	// Limits is how many limits of groups and of everybody change.
	Limits int `json:"limits"`

	writes []write
}

// write is one change to be made.
type write struct {
	key   registry.Key
	body  any
	after uint64
}

// Against compares the file with a registry.
func (t *Tenants) Against(r *registry.Registry) *Todo {
	todo := new(Todo)
	add := func(k registry.Key, body any) { todo.writes = append(todo.writes, write{k, body, r.Last(k)}) }
	for scope, l := range t.limits {
		if now, _ := r.Limits(scope); !Same(now, l) {
			todo.Limits++
			add(registry.LimitsKey(scope), l)
		}
	}
	for name, s := range t.settings {
		switch now, there := r.Settings(name); {
		case !there:
			todo.Added++
		case !Same(now, s):
			todo.Changed++
		default:
			todo.Same++
			continue
		}
		add(registry.TenantKey(name), s)
	}
	return todo
}

// writers is how many changes are on their way at once.
const writers = 64

// CarryOut writes what is to be done, and calls progress as it goes: the limits of groups and
// everybody first, so that no tenant trades before those that are meant for it. After an error, a part is
// done; doing it again does the rest.
func (t *Todo) CarryOut(ctx context.Context, s *registry.Store, by *registry.Signer, reason string, progress func(phase string, done, of int)) error {
	shared := t.writes[:t.Limits]
	for _, part := range [][]write{shared, t.writes[t.Limits:]} {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(writers)
		var done atomic.Int64
		for _, w := range part {
			group.Go(func() error {
				if _, err := s.Write(ctx, by, w.key, w.body, reason, w.after); err != nil {
					return fmt.Errorf("%s: %w", w.key, err)
				}
				done.Add(1)
				return nil
			})
			progress("writing", int(done.Load()), len(part))
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("%d of %d changes are made; run it again for the rest: %w", done.Load(), len(part), err)
		}
		progress("writing", len(part), len(part))
	}
	return nil
}
