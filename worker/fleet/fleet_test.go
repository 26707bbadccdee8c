package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/rs/zerolog"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// realm is a server with a ledger, and who serves which of its shards.
type realm struct {
	testing.TB
	url    string
	shards int

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	owners  map[int]owner
	epochs  map[int]uint64
	moves   int
}

// owner is a member that serves a shard.
type owner struct {
	name  string
	lease fleet.Lease
}

func newRealm(t testing.TB, shards int) *realm {
	nc := ledgertest.Provision(t, shards)
	return &realm{TB: t, url: nc.ConnectedUrl(), shards: shards, changed: make(chan struct{}), owners: make(map[int]owner), epochs: make(map[int]uint64)}
}

// note records a change and wakes those who await one.
func (r *realm) note(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

// begin is a take-over. Nobody may begin while another could still write.
func (r *realm) begin(name string, l fleet.Lease) {
	r.note(func() {
		if o, ok := r.owners[l.Shard]; ok && time.Now().Before(o.lease.Until()) {
			r.Errorf("%s takes shard %d at epoch %d while %s may write at epoch %d for %v more",
				name, l.Shard, l.Epoch, o.name, o.lease.Epoch, time.Until(o.lease.Until()))
		}
		if l.Epoch <= r.epochs[l.Shard] {
			r.Errorf("%s takes shard %d at epoch %d after %d", name, l.Shard, l.Epoch, r.epochs[l.Shard])
		}
		r.epochs[l.Shard] = l.Epoch
		r.owners[l.Shard] = owner{name, l}
		r.moves++
	})
}

func (r *realm) end(l fleet.Lease) {
	r.note(func() {
		if r.owners[l.Shard].lease.Epoch == l.Epoch {
			delete(r.owners, l.Shard)
		}
	})
}

// await waits until what is asked holds of how many shards each member serves.
func (r *realm) await(what string, holds func(has map[string]int) bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	for {
		r.mu.Lock()
		has, changed := make(map[string]int), r.changed
		for _, o := range r.owners {
			has[o.name]++
		}
		r.mu.Unlock()
		if holds(has) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			r.Fatalf("not so: %s; the shards are served by %v", what, has)
		}
	}
}

// settled says that all shards are served, by just these members, within the bound.
func (r *realm) settled(names ...string) func(map[string]int) bool {
	return func(has map[string]int) bool {
		served := 0
		for _, name := range names {
			if has[name] > (r.shards+len(names)-1)/len(names) {
				return false
			}
			served += has[name]
		}
		return served == r.shards
	}
}

// member is a worker of the fleet.
type member struct {
	*realm
	name   string
	line   *ledgertest.Line
	states chan string
	drain  chan struct{}
	kill   context.CancelFunc
	ended  chan error
}

// join starts a member. It serves by waiting.
func (r *realm) join(name string) *member {
	r.Helper()
	line := new(ledgertest.Line)
	l, err := ledger.Open(r.Context(), ledgertest.ConnectOver(r, line, r.url))
	if err != nil {
		r.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	m := &member{r, name, line, make(chan string, 1000), make(chan struct{}), kill, make(chan error, 1)}
	cfg := fleet.Config{
		Ledger: l, Name: name, TTL: fleet.DefaultTTL, Log: zerolog.Nop(),
		Load:  func() fleet.Load { return fleet.Load{} },
		Ready: func(why string) { m.states <- why },
	}
	go func() {
		defer close(m.ended)
		m.ended <- cfg.Run(ctx, m.drain, m.serve)
	}()
	r.Cleanup(func() {
		kill()
		for range m.ended {
		}
	})
	return m
}

func (m *member) serve(ctx context.Context, l fleet.Lease) (fleet.Legacy, error) {
	m.begin(m.name, l)
	defer m.end(l)
	l.Settled(fleet.Mark{Low: 100 + l.Epoch, Behind: map[string]uint64{m.name: 7}})
	select {
	case <-l.Draining:
		return fleet.Legacy{Clean: true, Tenants: []string{m.name}}, nil
	case <-ctx.Done():
		return fleet.Legacy{}, context.Cause(ctx)
	}
}

// stop drains a member.
func (m *member) stop() {
	m.Helper()
	close(m.drain)
	if err := <-m.ended; err != nil {
		m.Errorf("%s ends with %v", m.name, err)
	}
}

// says waits until the member's readiness is what contains text.
func (m *member) says(text string) {
	m.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case why := <-m.states:
			if why == text || text != "" && strings.Contains(why, text) {
				return
			}
		case <-late:
			m.Fatalf("%s does not say %q", m.name, text)
		}
	}
}

// TestMembersShare: who comes gets its part, who leaves moves its own shards and no others.
func TestMembersShare(t *testing.T) {
	r := newRealm(t, 12)
	a := r.join("a")
	r.await("a serves all", r.settled("a"))
	b := r.join("b")
	r.await("a and b share", r.settled("a", "b"))
	c := r.join("c")
	r.await("three share", r.settled("a", "b", "c"))

	before := r.moved()
	b.stop()
	r.await("a and c share", r.settled("a", "c"))
	if moved := r.moved() - before; moved != 4 {
		t.Errorf("%d shards moved as a member with 4 of 12 left", moved)
	}
	before = r.moved()
	c.kill()
	r.await("a serves all again", r.settled("a"))
	if moved := r.moved() - before; moved != 6 {
		t.Errorf("%d shards moved as a member with 6 of 12 was abandoned", moved)
	}
	a.stop()
	r.await("nobody serves", func(has map[string]int) bool { return len(has) == 0 })
}

func (r *realm) moved() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moves
}

// TestHandOver: the next owner begins at the low watermark of the last one, and knows what
// that left behind: what it said in peace, anything after its end.
func TestHandOver(t *testing.T) {
	r := newRealm(t, 1)
	lease := func() fleet.Lease {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.owners[0].lease
	}
	a := r.join("a")
	r.await("a serves", r.settled("a"))
	if l := lease(); l.Legacy.Clean || l.Mark.Low != 0 || l.Epoch != 1 {
		t.Errorf("of nobody: %+v", l)
	}
	a.stop()
	b := r.join("b")
	r.await("b serves", r.settled("b"))
	if l := lease(); !l.Legacy.Clean || fmt.Sprint(l.Legacy.Tenants) != "[a]" || l.Mark.Low != 101 || l.Mark.Behind["a"] != 7 || l.Epoch != 2 {
		t.Errorf("after a drain: %+v", l)
	}
	b.kill()
	if err := <-b.ended; err == nil {
		t.Error("an abandonment is no peaceful end")
	}
	c := r.join("c")
	r.await("c serves", r.settled("c"))
	if l := lease(); l.Legacy.Clean || len(l.Legacy.Tenants) != 0 || l.Mark.Low != 102 || l.Epoch != 3 {
		t.Errorf("after an abandonment: %+v", l)
	}
	c.line.Cut()
	c.says("no heartbeat acknowledged")
	d := r.join("d")
	r.await("d serves", r.settled("d"))
	if l := lease(); l.Legacy.Clean || l.Epoch != 4 || time.Since(l.Legacy.Before) < fleet.DefaultTTL/4 {
		t.Errorf("after a cut: %+v", l)
	}
	d.stop()
}

// TestCutOff: a member that is cut off says so, loses what it has before others take it,
// and joins again when the line is mended.
func TestCutOff(t *testing.T) {
	r := newRealm(t, 4)
	a, b := r.join("a"), r.join("b")
	r.await("both share", r.settled("a", "b"))
	a.line.Cut()
	a.says("no heartbeat acknowledged")
	r.await("b serves all", r.settled("b"))
	a.line.Mend()
	a.says("")
	r.await("both share again", r.settled("a", "b"))
	a.stop()
	b.stop()
}

// TestEverybodyCutOff: a fleet that has lost its server altogether serves again when it is
// back, however long that takes.
func TestEverybodyCutOff(t *testing.T) {
	r := newRealm(t, 4)
	a, b := r.join("a"), r.join("b")
	r.await("both share", r.settled("a", "b"))
	a.line.Cut()
	b.line.Cut()
	r.await("nobody serves", func(has map[string]int) bool { return len(has) == 0 })
	a.line.Mend()
	b.line.Mend()
	r.await("both share again", r.settled("a", "b"))
	a.stop()
	b.stop()
}

// TestComingAndGoing: in any order of joins, drains, deaths and cuts, nobody takes a shard
// that another may still write to, and what is left settles.
func TestComingAndGoing(t *testing.T) {
	r := newRealm(t, 8)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var members []*member
	cut := make(map[*member]bool)
	for step := range 24 {
		if len(members) < 2 || len(members) < 6 && random.IntN(2) == 0 {
			members = append(members, r.join(fmt.Sprintf("m%d", step)))
			continue
		}
		i := random.IntN(len(members))
		m := members[i]
		switch kind := random.IntN(4); {
		case kind == 0 && !cut[m]:
			close(m.drain)
		case kind == 1:
			m.line.Cut() // its death: nothing that it would say arrives
			m.kill()
		case cut[m]:
			m.line.Mend()
			delete(cut, m)
			continue
		default:
			m.line.Cut()
			cut[m] = true
			continue
		}
		members = append(members[:i], members[i+1:]...)
		delete(cut, m)
		select { // a moment in which things happen
		case <-r.changeSoon():
		case <-time.After(time.Duration(random.IntN(400)) * time.Millisecond):
		}
	}
	names := make([]string, len(members))
	for i, m := range members {
		m.line.Mend()
		names[i] = m.name
	}
	r.await("all share", r.settled(names...))
}

func (r *realm) changeSoon() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// TestNotProvisioned: without the bucket there is no fleet, and the error says what to do.
func TestNotProvisioned(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	if err := l.JetStream().DeleteKeyValue(t.Context(), ledger.FleetBucket); err != nil {
		t.Fatal(err)
	}
	cfg := fleet.Config{Ledger: l, Name: "a", TTL: time.Second, Load: func() fleet.Load { return fleet.Load{} }, Ready: func(string) {}, Log: zerolog.Nop()}
	if err := cfg.Run(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "worker provision") {
		t.Errorf("%v", err)
	}
	cfg.TTL = 1500 * time.Millisecond
	if err := cfg.Run(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "whole seconds") {
		t.Errorf("%v", err)
	}
}

// TestFenced: a shard whose ledger has a newer epoch than its lease is taken with one that
// is newer still.
func TestFenced(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	_ = nc
	leases, drain := make(chan fleet.Lease, 2), make(chan struct{})
	cfg := fleet.Config{Ledger: l, Name: "a", TTL: time.Second, Load: func() fleet.Load { return fleet.Load{} }, Ready: func(string) {}, Log: zerolog.Nop()}
	ended := make(chan error, 1)
	go func() {
		ended <- cfg.Run(t.Context(), drain, func(ctx context.Context, lease fleet.Lease) (fleet.Legacy, error) {
			leases <- lease
			if lease.Epoch <= 7 {
				return fleet.Legacy{}, fmt.Errorf("an outcome: %w", &fleet.NewerError{Epoch: 7})
			}
			<-lease.Draining
			return fleet.Legacy{Clean: true}, nil
		})
	}()
	if first, second := <-leases, <-leases; first.Epoch != 1 || second.Epoch != 8 {
		t.Errorf("epochs %d and %d", first.Epoch, second.Epoch)
	}
	close(drain)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := error(&fleet.NewerError{Epoch: 7}); !errors.Is(err, fleet.ErrLost) {
		t.Errorf("%v is not ErrLost", err)
	}
}

// TestLook: an observer sees members and leases, and is none.
func TestLook(t *testing.T) {
	r := newRealm(t, 3)
	l, err := ledger.Open(t.Context(), ledgertest.Connect(t, r.url))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := fleet.Look(t.Context(), l); err != nil || len(s.Members) != 0 || len(s.Leases) != 3 || s.Leases[0].Epoch != 0 {
		t.Errorf("of nobody: %+v: %v", s, err)
	}
	a := r.join("a")
	r.await("a serves", r.settled("a"))
	s, err := fleet.Look(t.Context(), l)
	if err != nil || len(s.Members) != 1 {
		t.Fatalf("%+v: %v", s, err)
	}
	for id, m := range s.Members {
		for shard, lease := range s.Leases {
			if lease.Owner != id || lease.Epoch != 1 || m.Name != "a" {
				t.Errorf("shard %d: %+v; member %s: %+v", shard, lease, id, m)
			}
		}
	}
	a.stop()
}

// TestALostHeartbeatCostsNothing: the next one comes in time, and no shard moves.
func TestALostHeartbeatCostsNothing(t *testing.T) {
	r := newRealm(t, 4)
	a, b := r.join("a"), r.join("b")
	r.await("both share", r.settled("a", "b"))
	before := r.moved()
	for range 3 {
		a.line.Lose(1, "$KV.FLEET.member.")
		for !a.line.Lost() {
			r.pass(50 * time.Millisecond)
		}
		r.pass(fleet.DefaultTTL)
	}
	if moved := r.moved() - before; moved != 0 {
		t.Errorf("%d shards moved", moved)
	}
	a.stop()
	b.stop()
}

// pass lets time pass.
func (r *realm) pass(d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// TestAnUnknownWriteIsMended: a lease was written and nobody acknowledged it. Its owner gives
// the shard up all the same, as somebody joins, and as it drains.
func TestAnUnknownWriteIsMended(t *testing.T) {
	r := newRealm(t, 4)
	a := r.join("a")
	r.await("a serves all", r.settled("a"))
	r.rewriteLeases()
	b := r.join("b")
	r.await("both share", r.settled("a", "b"))
	r.rewriteLeases()
	a.stop()
	r.await("b serves all", r.settled("b"))
	r.rewriteLeases()
	b.stop()
	l, err := ledger.Open(t.Context(), ledgertest.Connect(t, r.url))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := fleet.Look(t.Context(), l); err != nil || len(s.Members) != 0 {
		t.Errorf("left behind: %+v: %v", s, err)
	}
}

// rewriteLeases writes every lease as it is, behind its owner's back.
func (r *realm) rewriteLeases() {
	r.Helper()
	l, err := ledger.Open(r.Context(), ledgertest.Connect(r, r.url))
	if err != nil {
		r.Fatal(err)
	}
	kv, err := l.JetStream().KeyValue(r.Context(), ledger.FleetBucket)
	if err != nil {
		r.Fatal(err)
	}
	for shard := range r.shards {
		key := fmt.Sprintf("shard.%d", shard)
		e, err := kv.Get(r.Context(), key)
		if err != nil {
			r.Fatal(err)
		}
		if _, err := kv.Update(r.Context(), key, e.Value(), e.Revision()); err != nil {
			r.Fatal(err)
		}
	}
}
