package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/spf13/cobra"
)

// changing is what the commands have in common that change the registry: they say why, and
// sign it.
type changing struct {
	*common
	reason string
}

func (e *changing) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.reason, "reason", "", "why; kept with the change, for ever (required)")
}

// signer is who signs.
func (c *common) signer(cmd *cobra.Command) (*registry.Signer, error) {
	s, err := fleetctl.Signer(cliUser(), c.nats, cmd.ErrOrStderr())
	if err != nil {
		return nil, cli.Usage(err)
	}
	return s, nil
}

// desk is where the registry is changed. Close it.
type desk struct {
	nc     *nats.Conn
	ledger *ledger.Ledger
	store  *registry.Store
	by     *registry.Signer
}

func (d *desk) close() {
	d.by.Wipe()
	d.nc.Close()
}

// open checks the reason, and then connects.
func (e *changing) open(cmd *cobra.Command) (*desk, error) {
	if err := checkReason(e.reason, order.MaxControlReason); err != nil {
		return nil, err
	}
	by, err := e.signer(cmd)
	if err != nil {
		return nil, err
	}
	l, nc, err := e.connect(cmd.Context())
	if err != nil {
		by.Wipe()
		return nil, err
	}
	d := &desk{nc, l, registry.NewStore(l), by}
	unclaimed, err := d.store.Unclaimed(cmd.Context())
	if err != nil {
		d.close()
		return nil, err
	}
	if unclaimed && cmd.Parent().Name() != "operator" {
		fmt.Fprintln(cmd.ErrOrStderr(), "NOBODY IS AN OPERATOR: every signature counts, and whoever comes first can claim the registry; see fleetctl operator --help")
	}
	return d, nil
}

// changed shows a change of the registry.
type changed struct {
	Key      string `json:"key"`
	Revision uint64 `json:"revision"`
	By       string `json:"by"`
	Signer   string `json:"signer"`
	Reason   string `json:"reason"`
}

// report says what was changed.
func (e *changing) report(cmd *cobra.Command, d *desk, k registry.Key, revision uint64, text string) error {
	if e.output == cli.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(changed{k.String(), revision, d.by.Name(), d.by.Public(), e.reason})
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s, at revision %d\n", text, revision)
	return err
}

// readRegistry opens the registry as it is now, and says which keys hold changes that do not
// count. Close the connection.
func (c *common) readRegistry(cmd *cobra.Command) (*registry.Registry, *ledger.Ledger, *nats.Conn, error) {
	l, nc, err := c.connect(cmd.Context())
	if err != nil {
		return nil, nil, nil, err
	}
	var bad []string
	r, err := fleetctl.ReadRegistry(cmd.Context(), l, func(c registry.Change) { bad = append(bad, c.Name) })
	if err != nil {
		nc.Close()
		return nil, nil, nil, err
	}
	if len(bad) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "NOT VERIFIED: the last changes of %s do not count; see fleetctl history\n", ledger.Printable(strings.Join(bad, ", "), 400))
	}
	return r, l, nc, nil
}

// whom is the flags that say on whom something lies: a tenant, a group, or all.
type whom struct {
	all   bool
	label string
}

func (w *whom) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&w.all, "all", false, "the whole fleet")
	cmd.Flags().StringVar(&w.label, "label", "", "the tenants with a label, `key=value`")
}

// scope is what the arguments and the flags say, of which there must be one.
func (w *whom) scope(args []string) (registry.Scope, error) {
	said := len(args)
	for _, flag := range []bool{w.all, w.label != ""} {
		if flag {
			said++
		}
	}
	var scope registry.Scope
	switch {
	case said != 1:
		return scope, cli.Usagef("say whom: TENANT, --label key=value, or --all")
	case w.all:
		return registry.All, nil
	case w.label != "":
		key, value, _ := strings.Cut(w.label, "=")
		scope = registry.OfLabel(key, value)
	default:
		scope = registry.OfTenant(args[0])
	}
	if _, err := registry.ParseScope(scope.String()); err != nil {
		return scope, cli.Usage(err)
	}
	return scope, nil
}

// edit is one thing that the command line changes.
type edit[T any] func(*T) error

// field is a flag that changes a field.
type field[T any] struct {
	name, usage string
	set         func(*T, string) error
}

// addFields gives a command flags, which add to edits when they are given. An empty value
// takes the field away.
func addFields[T any](cmd *cobra.Command, edits *[]edit[T], fields []field[T]) {
	for _, f := range fields {
		cmd.Flags().Func(f.name, f.usage, func(value string) error {
			if err := f.set(new(T), value); err != nil { // a mistake shows before anything is read
				return err
			}
			*edits = append(*edits, func(t *T) error { return f.set(t, value) })
			return nil
		})
	}
}

func apply[T any](t *T, edits []edit[T]) error {
	for _, e := range edits {
		if err := e(t); err != nil {
			return err
		}
	}
	return nil
}

// errNoChange ends an edit that would change nothing.
var errNoChange = errors.New("that is how it is already: nothing to change")
