package fleetctl

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"golang.org/x/sync/errgroup"
)

// Hand is what an operator does to the switch of a tenant, of a group or of the fleet.
type Hand struct {
	Scope registry.Scope
	Mode  tenant.Mode
	// Until is when it is over by itself; zero is never.
	Until  time.Time
	Reason string
	// CancelOpen has the open orders cancelled of every tenant of the scope: by an intent of
	// its own, which has its place behind those that wait, and its outcome on the ledger.
	CancelOpen bool
	// Patience is how long to wait for confirmations.
	Patience time.Duration
}

// Thrown is what came of it. Its names in JSON are part of the contract.
type Thrown struct {
	Scope    string      `json:"scope"`
	Mode     tenant.Mode `json:"mode"`
	Until    time.Time   `json:"until,omitzero"`
	By       string      `json:"by"`
	Reason   string      `json:"reason"`
	Revision uint64      `json:"revision"`
	// Tenants is how many registered tenants it lies on.
	Tenants int `json:"tenants"`
	// Confirmed says that all have confirmed.
	Confirmed     bool           `json:"confirmed"`
	Confirmations []Confirmation `json:"confirmations"`
	// Others are the switches that lie on the tenant beside this one, if it is one tenant.
	Others []tenant.Switch `json:"others,omitempty"`
	// Cancels are what became of the cancels of open orders.
	Cancels []Canceled `json:"cancels,omitempty"`
}

// Canceled is what became of the cancel of a tenant's open orders.
type Canceled struct {
	Tenant   string       `json:"tenant"`
	IntentID string       `json:"intent_id"`
	Status   order.Status `json:"status,omitzero"` // empty if there is no outcome
	Rule     string       `json:"rule,omitzero"`   // that it broke
	// Left is how many open orders the broker refused to cancel.
	Left    int    `json:"left,omitzero"`
	Message string `json:"message,omitzero"`
}

// done says that no open order is left.
func (c *Canceled) done() bool { return c.Status == order.Accepted && c.Left == 0 }

// OK says that all of it is confirmed and done.
func (t *Thrown) OK() bool {
	return t.Confirmed && !slices.ContainsFunc(t.Cancels, func(c Canceled) bool { return !c.done() })
}

// Throw writes what the switch is set to, asks the owners of all shards that it concerns to
// confirm that they obey, and has open orders cancelled. What is not confirmed is part of the
// answer; an error says that the switch may not be set, or that tenants were not found out.
func (h Hand) Throw(ctx context.Context, l *ledger.Ledger, nc *nats.Conn, by *registry.Signer, progress func(phase string, done, of int)) (*Thrown, error) {
	began, store := time.Now(), registry.NewStore(l)
	revision, err := store.Set(ctx, by, registry.SwitchKey(h.Scope), registry.Throw{Mode: h.Mode, Until: h.Until}, h.Reason)
	if err != nil {
		return nil, err
	}
	t := &Thrown{Scope: h.Scope.String(), Mode: h.Mode, Until: h.Until, By: by.Name(), Reason: h.Reason, Revision: revision}
	if t.Confirmations, err = Confirm(ctx, nc, h.shards(l), revision, began, h.Patience, progress); err != nil {
		return t, err
	}
	t.Confirmed = len(Unconfirmed(t.Confirmations)) == 0
	if err := h.counts(ctx, store, revision); err != nil {
		return t, fmt.Errorf("fleetctl: whether the switch is set: %w", err)
	}
	names, others, err := h.look(ctx, l, store)
	if err != nil {
		return t, err
	}
	t.Tenants, t.Others = len(names), others
	if h.CancelOpen {
		err = h.cancelOpen(ctx, l, nc, t, names, progress)
	}
	return t, err
}

// counts says why the change does not count that was written as a revision; nil if it does.
func (h Hand) counts(ctx context.Context, store *registry.Store, revision uint64) error {
	var void error
	err := store.History(ctx, registry.SwitchKey(h.Scope), func(c registry.Change) error {
		if c.Revision == revision {
			void = c.Err
		}
		return nil
	})
	return cmp.Or(err, void)
}

// shards are those whose tenants it may lie on.
func (h Hand) shards(l *ledger.Ledger) []int {
	if h.Scope.Tenant != "" {
		return []int{l.ShardOf(h.Scope.Tenant)}
	}
	all := make([]int, l.Shards())
	for i := range all {
		all[i] = i
	}
	return all
}

// look finds out on which registered tenants it lies and, if it is one, under which other
// switches that one stands. Of one tenant nobody else's keys are read.
func (h Hand) look(ctx context.Context, l *ledger.Ledger, store *registry.Store) (names []string, others []tenant.Switch, err error) {
	if h.Scope.Tenant == "" {
		r, err := ReadRegistry(ctx, l, nil)
		if err != nil {
			return nil, nil, err
		}
		return r.Affected(h.Scope), nil, nil
	}
	c, _, err := store.Get(ctx, registry.TenantKey(h.Scope.Tenant))
	if err != nil {
		return nil, nil, err
	}
	settings, err := registry.Held[tenant.Settings](c)
	if err != nil {
		return nil, nil, err
	}
	if settings != nil {
		names = []string{h.Scope.Tenant}
	}
	lie, err := store.Switches(ctx, time.Now())
	if err != nil {
		return nil, nil, err
	}
	for _, scope := range registry.Scopes(settings) {
		for _, s := range lie {
			if s.Scope == scope.String() {
				others = append(others, s)
			}
		}
	}
	return names, others, nil
}

// cancelLifetime is how long a cancel of open orders may take.
const cancelLifetime = 10 * time.Minute

// cancelOpen publishes a cancel of all open orders for each tenant, and awaits the outcomes. Of
// a group, or of everybody, these are the tenants that have traded; of everybody, registered or
// not.
func (h Hand) cancelOpen(ctx context.Context, l *ledger.Ledger, nc *nats.Conn, t *Thrown, names []string, progress func(phase string, done, of int)) error {
	switch {
	case h.Scope.Tenant != "":
		names = []string{h.Scope.Tenant}
	default:
		traded, err := traders(ctx, l)
		if err != nil {
			return err
		}
		if h.Scope == registry.All {
			names = traded
			break
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			_, has := slices.BinarySearch(traded, name)
			return !has
		})
	}
	p, err := producer.New(ctx, nc, producer.By("fleetctl "+t.By))
	if err != nil {
		return err
	}
	expires := time.Now().Add(cancelLifetime)
	var receipts []producer.Receipt
	for r := range p.PublishAll(ctx, func(yield func(producer.Item) bool) {
		for _, name := range names {
			if !yield(producer.Item{Tenant: name, Intent: order.Intent{
				ID: fmt.Sprintf("%s-%d", h.Mode, t.Revision), Kind: order.KindCancelAll, ExpiresAt: expires,
			}}) {
				return
			}
		}
	}) {
		c := Canceled{Tenant: r.Item.Tenant, IntentID: r.Item.Intent.ID}
		if r.Err != nil {
			c.Message = r.Err.Error()
		}
		t.Cancels = append(t.Cancels, c)
		receipts = append(receipts, r.Receipt)
	}
	return t.await(ctx, p, receipts, progress)
}

// cancelPatience is how long the outcomes of cancels are waited for.
const cancelPatience = time.Minute

// await waits for the outcomes of the cancels.
func (t *Thrown) await(ctx context.Context, p *producer.Producer, receipts []producer.Receipt, progress func(phase string, done, of int)) error {
	patient, cancel := context.WithTimeout(ctx, cancelPatience)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(driveAtOnce)
	var (
		mu   sync.Mutex // one word of progress at a time
		done int
	)
	for i := range t.Cancels {
		c := &t.Cancels[i]
		if c.Message != "" {
			continue // it was not published
		}
		group.Go(func() error {
			o, err := p.Await(patient, receipts[i])
			if c.Status, c.Rule, c.Left, c.Message = o.Status, o.Rule, o.Uncanceled, o.Message; err != nil {
				c.Message = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			progress("cancelling open orders", done, len(t.Cancels))
			return nil
		})
	}
	_ = group.Wait() // none fails
	return context.Cause(ctx)
}

// Print writes for people what came of it.
func (t *Thrown) Print(w io.Writer) {
	until := ""
	if !t.Until.IsZero() {
		until = " until " + t.Until.Format(time.RFC3339)
	}
	fmt.Fprintf(w, "%s: %s%s, by %s: %s (%s, revision %d)\n", t.Scope, t.Mode, until, printable(t.By), printable(t.Reason), cli.Count(t.Tenants, "registered tenant"), t.Revision)
	if t.Tenants == 0 && t.Scope != registry.All.String() {
		fmt.Fprintln(w, cli.Alarm(w, "NOBODY IS REGISTERED whom it lies on: is it written as it should be? fleetctl tenant list"))
	}
	fmt.Fprintln(w)
	PrintConfirmations(w, t.Confirmations)
	for _, s := range t.Others {
		fmt.Fprintf(w, "the tenant is also under %s of %s, by %s: %s\n", s.Mode, s.Scope, s.By, printable(s.Reason))
	}
	if len(t.Cancels) == 0 {
		return
	}
	failed := make(map[string][]string) // tenants, by why
	accepted := 0
	for _, c := range t.Cancels {
		if c.done() {
			accepted++
			continue
		}
		why := cmp.Or(c.Rule, strings.TrimSpace(string(c.Status)+" "+c.Message))
		failed[why] = append(failed[why], c.Tenant)
	}
	for _, why := range slices.Sorted(maps.Keys(failed)) {
		fmt.Fprintf(w, "%s of %s: %s: %s\n", cli.Alarm(w, "OPEN ORDERS NOT CANCELLED"), cli.Count(len(failed[why]), "tenant"), printable(why), firstOf(failed[why]))
	}
	fmt.Fprintf(w, "open orders of %s cancelled\n", cli.Count(accepted, "tenant"))
}

// firstOf are the first of names.
func firstOf(names []string) string {
	const most = 10
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more: -o json", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
