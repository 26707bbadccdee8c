package chaos

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// operator is whose hand is on the switch. Its lane alone throws it; what it remembers is read
// when the lanes have ended.
type operator struct {
	signer *registry.Signer
	throws []throw
}

// throw is what the operator did once.
type throw struct {
	name  string // of what was thrown, empty if it was lifted
	scope registry.Scope
	mode  tenant.Mode
	began time.Time // before its record was written
	until time.Time // zero: until it is lifted
	calm  bool      // nothing else was going on
	// revision of the record; 0: whether it was written is not known.
	revision      uint64
	problem       error // why it is not
	confirmations []fleetctl.Confirmation
}

// newOperator has a key of its own.
func newOperator() (*operator, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("chaos: make a key: %w", err)
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("chaos: make a key: %w", err)
	}
	signer, err := registry.NewSigner("chaos", seed)
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	return &operator{signer: signer}, nil
}

// govern makes the operator the only one whose changes count, and sets the tenants' limits.
func (s *system) govern(ctx context.Context) error {
	store := registry.NewStore(s.ledger)
	list := &registry.OperatorList{Operators: []registry.Operator{{Name: s.operator.signer.Name(), Key: s.operator.signer.Public()}}}
	return retry(ctx, func(ctx context.Context) error {
		_, err := registry.Edit(ctx, store, s.operator.signer, registry.OperatorsKey, "chaos", func(*registry.OperatorList) (*registry.OperatorList, error) {
			return list, nil
		})
		return cmp.Or(err, s.setLimits(ctx, store))
	})
}

const (
	// confirmPatience is how long the operator waits for confirmations: longer than a shard
	// takes to change its owner.
	confirmPatience = 4 * time.Second
	// readPatience is how long it may take to read the registry after that.
	readPatience = time.Second
	// lapse is how much later a switch that ends by itself does: until then it is confirmed.
	lapse = 500 * time.Millisecond
)

// operate has the operator stop some tenants, and let them go on after a while.
func (st *storming) operate(ctx context.Context, f *Fault) error {
	h := fleetctl.Hand{Scope: st.scope(f), Mode: f.Mode, Reason: "chaos", Patience: confirmPatience}
	if f.Lapses {
		h.Until = time.Now().Add(f.For + lapse)
	}
	calm := f.Alone && st.busy.Load() == 1 && st.leases.served()
	st.tell(Event{At: time.Now(), Fault: f.Name(), Target: h.Scope.String(), For: f.For, Alone: calm})
	written := st.throw(ctx, h, throw{name: f.Kind, calm: calm})
	if f.Lapses && written {
		sleep(ctx, time.Until(h.Until))
		return nil
	}
	sleep(ctx, f.For)
	h.Mode, h.Until = tenant.Run, time.Time{}
	for !st.throw(ctx, h, throw{calm: calm}) { // it may have been written after all
		if !sleep(ctx, 100*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// throw throws the switch, and remembers what came of it. False if it may not be written.
func (st *storming) throw(ctx context.Context, h fleetctl.Hand, t throw) (written bool) {
	ctx, cancel := context.WithTimeout(ctx, confirmPatience+readPatience)
	defer cancel()
	t.scope, t.mode, t.until, t.began = h.Scope, h.Mode, h.Until, time.Now()
	thrown, err := h.Throw(ctx, st.ledger, st.nc, st.operator.signer, func(string, int, int) {})
	if thrown != nil { // it is written, whatever the error says
		t.revision, t.confirmations = thrown.Revision, thrown.Confirmations
	} else {
		t.problem = err
	}
	st.operator.throws = append(st.operator.throws, t)
	return thrown != nil
}

// The reaches of a switch.
const (
	OneTenant = "of a tenant"
	OneDesk   = "of a desk"
	Everybody = "of all"
)

// scope is on whom a switch is to lie.
func (st *storming) scope(f *Fault) registry.Scope {
	switch f.Reach {
	case OneTenant:
		return registry.OfTenant(roleOf(int(f.Pick % uint64(st.Tenants))).name)
	case OneDesk:
		return registry.OfLabel(deskLabel, roleOf(int(f.Pick%desks)).desk)
	}
	return registry.All
}

// stops is what the throws came to for each tenant.
func (o *operator) stops(roles []role, shardOf func(string) int) (all []proof.Stop) {
	for i := range o.throws {
		t := &o.throws[i]
		if t.mode == tenant.Run {
			continue
		}
		lifted, revision := o.lifted(i)
		for _, r := range roles {
			if !r.in(t.scope) {
				continue
			}
			shard := shardOf(r.name)
			s := proof.Stop{Tenant: r.name, Mode: t.mode, Written: t.began, Lifted: lifted, Over: o.obeyed(shard, revision)}
			if revision == 0 {
				s.Over = t.until // zero: it is not known
			}
			if c := t.confirmation(shard); c != nil {
				s.Confirmed = t.began.Add(c.After)
				s.Open = slices.Contains(c.Open, r.name) || len(c.Open) >= inquiry.MaxNames
			}
			all = append(all, s)
		}
	}
	return all
}

// lifted is when a throw was over, or before it was lifted, and the revision of that; 0 if it
// was over by itself.
func (o *operator) lifted(i int) (at time.Time, revision uint64) {
	t := &o.throws[i]
	for _, next := range o.throws[i+1:] {
		if next.scope != t.scope || !t.until.IsZero() && next.began.After(t.until) {
			continue
		}
		if at.IsZero() {
			at = next.began
		}
		if revision = next.revision; revision != 0 {
			break
		}
	}
	if at.IsZero() {
		at = t.until
	}
	return at, revision
}

// obeyed is when a shard's owner had confirmed a revision, or a later one; zero if it is not
// known.
func (o *operator) obeyed(shard int, revision uint64) (first time.Time) {
	for i := range o.throws {
		t := &o.throws[i]
		c := t.confirmation(shard)
		if c == nil || t.revision < revision {
			continue
		}
		if at := t.began.Add(c.After); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// confirmation is that of a shard's owner; nil if it did not give one, or was not asked.
func (t *throw) confirmation(shard int) *fleetctl.Confirmation {
	for i := range t.confirmations {
		if c := &t.confirmations[i]; c.Shard == shard && c.Confirmed {
			return c
		}
	}
	return nil
}

// Switches is what the operator did, and how soon the owners of shards confirmed it.
type Switches struct {
	Thrown map[string]int `json:"thrown"` // by what it was
	Total  int            `json:"total"`
	// Unsure is how many may not have been written; they were lifted all the same.
	Unsure int           `json:"unsure"`
	Storm  Confirmations `json:"storm"`
	Calm   Confirmations `json:"calm"`
	// Problem is that of the last one in a calm that was not written, or not confirmed.
	Problem string `json:"problem,omitzero"`
}

// Confirmations are those that were asked for, each of a shard, also when a switch was
// lifted. Latencies are in milliseconds, from before the switch was written.
type Confirmations struct {
	Asked int     `json:"asked"`
	Given int     `json:"given"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// switches sums up.
func (o *operator) switches() Switches {
	s := Switches{Thrown: make(map[string]int)}
	latencies := make(map[bool][]time.Duration)
	for i := range o.throws {
		t := &o.throws[i]
		if t.name != "" {
			s.Thrown[t.name]++
			s.Total++
		}
		if t.revision == 0 {
			s.Unsure++
		}
		if t.revision == 0 && t.calm {
			s.Problem = fmt.Sprintf("%s at %s: %v", t.scope, t.began.UTC().Format(time.RFC3339), t.problem)
		}
		into := &s.Storm
		if t.calm {
			into = &s.Calm
		}
		for _, c := range t.confirmations {
			into.Asked++
			if c.Confirmed {
				into.Given++
				latencies[t.calm] = append(latencies[t.calm], c.After)
			} else if t.calm {
				s.Problem = fmt.Sprintf("%s at %s: shard %d (%s): %s %s", t.scope, t.began.UTC().Format(time.RFC3339), c.Shard, c.Worker, c.Problem, strings.Join(c.Missing, ", "))
			}
		}
	}
	for calm, into := range map[bool]*Confirmations{false: &s.Storm, true: &s.Calm} {
		p := proof.Percentiles(latencies[calm], 0.5, 0.99, 1)
		into.P50, into.P99, into.Max = p[0], p[1], p[2]
	}
	return s
}
