package registry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"pgregory.net/rapid"
)

// model is the registry as its rules say, with no signature and no server: a list of what was
// written, and for each key what counts.
type model struct {
	written []message
	last    map[string]uint64 // of each key, whether it counts or not
	held    map[string]any    // what counts
	at      map[string]uint64 // since when
	allowed map[string]bool   // public keys; nil: all
}

// message is what somebody wrote to a key.
type message struct {
	name string // of the key
	data []byte
	// What was signed; nobody signed garbage.
	by     *registry.Signer
	key    registry.Key
	after  uint64
	body   any
	counts bool // where it was written
}

func (m *model) revision() uint64 { return uint64(len(m.written)) }

// put writes a message to a key.
func (m *model) put(name string, msg message) {
	msg.name = name
	msg.counts = msg.by != nil && msg.key.String() == name && m.last[name] <= msg.after && msg.after <= m.revision() && m.may(msg)
	m.written = append(m.written, msg)
	m.last[name] = m.revision()
	if !msg.counts {
		return
	}
	m.held[name], m.at[name] = msg.body, m.revision()
	if msg.key == registry.OperatorsKey {
		m.allowed = make(map[string]bool)
		for _, o := range msg.body.(*registry.OperatorList).Operators {
			m.allowed[o.Key] = true
		}
	}
}

// may says whether a signature counts.
func (m *model) may(msg message) bool {
	if m.allowed != nil {
		return m.allowed[msg.by.Public()]
	}
	return msg.key != registry.OperatorsKey || slices.ContainsFunc(msg.body.(*registry.OperatorList).Operators, func(o registry.Operator) bool { return o.Key == msg.by.Public() })
}

// TestIsItsModel: whatever honest and other hands write, a registry that saw it come, one that
// read it afterwards, and the history say what a simple model says.
func TestIsItsModel(t *testing.T) {
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 1))
	people := []*registry.Signer{registrytest.Signer(t, "ann"), registrytest.Signer(t, "ben"), registrytest.Signer(t, "mallory")}
	settings := ledger.DefaultSettings()
	settings.Shards, settings.Storage = 1, "memory"
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		if err := js.DeleteStream(t.Context(), "KV_TENANTS"); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			rt.Fatal(err)
		}
		if _, err := ledger.Provision(t.Context(), nc, settings); err != nil {
			rt.Fatal(err)
		}
		l, err := ledger.Open(t.Context(), nc)
		if err != nil {
			rt.Fatal(err)
		}
		live, stop := running(rt, l)
		defer stop()
		m := &model{last: map[string]uint64{}, held: map[string]any{}, at: map[string]uint64{}}
		for range rapid.IntRange(1, 25).Draw(rt, "changes") {
			m.step(rt, people)
			msg := m.written[len(m.written)-1]
			ack, err := js.Publish(t.Context(), "$KV.TENANTS."+msg.name, msg.data)
			if err != nil || ack.Sequence != m.revision() {
				rt.Fatalf("%+v, want %d: %v", ack, m.revision(), err)
			}
		}
		if err := live.Sync(t.Context()); err != nil {
			rt.Fatal(err)
		}
		m.check(rt, "as it was made", live)
		fresh, stopFresh := running(rt, l)
		defer stopFresh()
		m.check(rt, "read afterwards", fresh)
		i := 0
		if err := registry.NewStore(l).History(t.Context(), registry.Key{}, func(c registry.Change) error {
			if want := m.written[i]; (c.Err == nil) != want.counts || c.Name != want.name {
				rt.Errorf("history at %d, %s: %v, want that it counts: %v", c.Revision, c.Name, c.Err, want.counts)
			}
			i++
			return nil
		}); err != nil || i != len(m.written) {
			rt.Errorf("the history has %d of %d changes: %v", i, len(m.written), err)
		}
	})
}

// running runs a registry until stop, and waits until it has everything.
func running(t *rapid.T, l *ledger.Ledger) (r *registry.Registry, stop func()) {
	r = registry.New(l, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(ctx) // its end is that of its context
	}()
	if err := r.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	return r, func() { cancel(); <-done }
}

var modelKeys = []string{
	"tenant.a", "tenant.b", "limits.all", "limits.label.g.x", "switch.all", "switch.tenant.a", "switch.label.g.x", "operators",
}

// step writes one thing, honest or not.
func (m *model) step(t *rapid.T, people []*registry.Signer) {
	name := rapid.SampledFrom(modelKeys).Draw(t, "key")
	how := rapid.SampledFrom([]string{"signed", "signed", "signed", "signed", "misplaced", "again", "garbage"}).Draw(t, "how")
	if how == "again" && len(m.written) > 0 {
		m.put(name, m.written[rapid.IntRange(0, len(m.written)-1).Draw(t, "which")])
		return
	}
	if how == "garbage" || how == "again" {
		m.put(name, message{data: []byte(rapid.String().Draw(t, "garbage"))})
		return
	}
	k, err := registry.ParseKey(name)
	if err != nil {
		t.Fatal(err)
	}
	msg := message{by: rapid.SampledFrom(people).Draw(t, "by"), key: k, after: m.last[name]}
	if how == "misplaced" {
		msg.after = rapid.Uint64Range(0, m.revision()+2).Draw(t, "after")
	}
	msg.body = content(t, k, people)
	msg.data = registry.Forge(msg.by, k, msg.after, msg.body)
	m.put(name, msg)
}

// content is something that a key may hold; nil: it is removed.
func content(t *rapid.T, k registry.Key, people []*registry.Signer) any {
	switch k.Kind {
	case registry.KindOperators:
		l := operators(people[rapid.IntRange(0, 1).Draw(t, "operator")])
		return &l
	default:
	}
	if rapid.IntRange(0, 4).Draw(t, "removed") == 0 {
		return nil
	}
	n := rapid.IntRange(1, 9).Draw(t, "n")
	switch k.Kind {
	case registry.KindTenant:
		s := tenant.Settings{Broker: "paper", RequestsPerMinute: n, Limits: tenant.Limits{OpenOrders: 10 * n}}
		if rapid.Bool().Draw(t, "in the group") {
			s.Labels = map[string]string{"g": "x"}
		}
		return &s
	case registry.KindLimits:
		l := tenant.Limits{OpenOrders: 9 * n}
		return &l
	default:
		s := registry.Throw{Mode: rapid.SampledFrom([]tenant.Mode{tenant.Run, tenant.Pause, tenant.Halt}).Draw(t, "mode")}
		return &s
	}
}

// check compares a registry with the model.
func (m *model) check(t *rapid.T, which string, r *registry.Registry) {
	if r.Revision() != m.revision() {
		t.Fatalf("%s: revision %d, want %d", which, r.Revision(), m.revision())
	}
	var names []string
	for _, name := range []string{"a", "b"} {
		s, _ := m.held["tenant."+name].(*tenant.Settings)
		got, ok := r.Settings(name)
		if ok != (s != nil) || ok && !reflect.DeepEqual(got, *s) {
			t.Errorf("%s: %s is %+v, want %+v", which, name, got, s)
		}
		if s != nil {
			names = append(names, name)
		}
		m.checkTerms(t, which, name, s, r.Terms(name))
	}
	if got := r.Names(); !slices.Equal(got, names) {
		t.Errorf("%s: tenants %v, want %v", which, got, names)
	}
}

func (m *model) checkTerms(t *rapid.T, which, name string, s *tenant.Settings, got *tenant.Terms) {
	open, modes, revision := 0, map[string]tenant.Mode{}, m.at["tenant."+name]
	least := func(n int) {
		if open == 0 || n < open {
			open = n
		}
	}
	scopes := []string{"all"}
	if s != nil {
		least(s.Limits.OpenOrders)
		if s.Labels != nil {
			scopes = append(scopes, "label.g.x")
		}
	}
	for _, scope := range scopes {
		if l, ok := m.held["limits."+scope].(*tenant.Limits); ok {
			least(l.OpenOrders)
		}
		revision = max(revision, m.at["limits."+scope])
	}
	for _, scope := range append(scopes, "tenant."+name) {
		if s, ok := m.held["switch."+scope].(*registry.Throw); ok {
			modes[scope] = s.Mode
		}
		revision = max(revision, m.at["switch."+scope])
	}
	lie := map[string]tenant.Mode{}
	for _, s := range got.Switches {
		lie[s.Scope] = s.Mode
	}
	if got.Limits.OpenOrders != open || !maps.Equal(lie, modes) || got.Revision != revision {
		t.Errorf("%s: the terms of %s are %+v, want %d open orders, switches %v, revision %d", which, name, got, open, modes, revision)
	}
	if got.Line > got.Revision {
		t.Errorf("%s: the line of %s is newer than its terms: %s", which, name, fmt.Sprint(got))
	}
}
