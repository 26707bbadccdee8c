package replay

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Selection says which intents are meant: those published in a stretch which bear all the
// labels, with these values. The zero value is all.
type Selection struct {
	history.Stretch
	Labels map[string]string
}

// holds says whether an intent is meant. One that cannot be read bears no labels.
func (s *Selection) holds(e ledger.Entry, in *order.Intent) bool {
	if !s.Holds(e) || in == nil && len(s.Labels) > 0 {
		return false
	}
	for key, value := range s.Labels {
		if got, ok := in.Labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// Read reads what was asked in a selection, in the order in which the ledger took it, and
// what became of it, which may stand behind the stretch.
func Read(ctx context.Context, src history.Source, s Selection, progress history.Progress) ([]*Asked, error) {
	r := &reading{
		selection: s,
		at:        make(map[place]*Asked),
		tenants:   make(map[string]bool),
		byClient:  make(map[string][]*Asked),
		retries:   make(map[place]*fleetctl.Retry),
		first:     make(map[string]string),
		dropped:   make(map[string]*order.Control),
	}
	if err := src.Read(ctx, s.Open(), progress, r.take); err != nil {
		return nil, err
	}
	r.assign()
	slices.SortFunc(r.all, func(a, b *Asked) int {
		return cmp.Or(a.turn.Compare(b.turn), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Seq, b.Seq))
	})
	return r.all, nil
}

// place is a message's on the ledger.
type place struct {
	shard int
	seq   uint64
}

// reading is a selection, as far as it is read.
type reading struct {
	selection Selection
	all       []*Asked
	at        map[place]*Asked
	tenants   map[string]bool           // of all
	byClient  map[string][]*Asked       // by the client order id that their orders bear
	retries   map[place]*fleetctl.Retry // intents that drive selected ones again
	updates   []update
	// first is the client order id that an intent bears which drives another one again, by
	// tenant and its own id; dropped is what was said of those that bear a client order id.
	first   map[string]string
	dropped map[string]*order.Control

	shard int       // that is being read
	clock time.Time // the latest time in it so far
}

// update is one of a tenant.
type update struct {
	tenant string
	order.Update
}

// take looks at one message.
func (r *reading) take(shard int, e ledger.Entry) error {
	var err error
	switch e.Class {
	case ledger.Intents:
		r.intent(shard, e)
	case ledger.Outcomes:
		err = r.outcome(shard, e)
	case ledger.Updates:
		err = r.update(e)
	case ledger.Controls:
		err = r.control(e)
	case ledger.Epochs:
	}
	if err != nil {
		return fmt.Errorf("replay: %s at %s sequence %d: %w", e.Class, ledger.StreamName(shard), e.Seq, err)
	}
	return nil
}

func (r *reading) intent(shard int, e ledger.Entry) {
	if r.selection.After(e) && !bytes.Contains(e.Data, []byte(`"retry_of"`)) {
		return // most are, and need not be decoded
	}
	a := &Asked{Tenant: e.Tenant, Shard: shard, Seq: e.Seq, At: e.Time, Data: e.Data, ID: order.PeekID(e.Data)}
	if in, err := order.DecodeIntent(e.Data); err == nil {
		a.Intent = &in
	}
	client := a.clientOrderID()
	if a.Intent != nil && a.Intent.RetryOf != "" {
		retry := &fleetctl.Retry{ID: a.ID, Seq: e.Seq}
		r.retries[place{shard, e.Seq}] = retry
		r.first[order.ClientOrderID(e.Tenant, a.ID)] = client
		for _, first := range r.byClient[client] {
			first.Retries = append(first.Retries, retry)
		}
	}
	if !r.selection.holds(e, a.Intent) {
		return
	}
	if r.shard != shard {
		r.shard, r.clock = shard, time.Time{}
	}
	if a.At.After(r.clock) {
		r.clock = a.At
	}
	a.turn = r.clock
	r.all = append(r.all, a)
	r.at[place{shard, e.Seq}], r.tenants[e.Tenant] = a, true
	if client != "" {
		r.byClient[client] = append(r.byClient[client], a)
	}
}

func (r *reading) outcome(shard int, e ledger.Entry) error {
	o, err := order.DecodeOutcome(e.Data)
	if err != nil {
		return err
	}
	of := place{shard, o.IntentSeq}
	if retry := r.retries[of]; retry != nil {
		retry.Status = o.Status
	}
	if a := r.at[of]; a != nil && a.Outcome == nil {
		a.Outcome, a.OutcomeSeq = &o, e.Seq
	}
	return nil
}

// update keeps what may be about an intent: it stands behind it.
func (r *reading) update(e ledger.Entry) error {
	u, err := order.DecodeUpdate(e.Data)
	if err == nil && r.tenants[e.Tenant] {
		r.updates = append(r.updates, update{e.Tenant, u})
	}
	return err
}

// control notes that an intent, and those that drove it again, are not to be driven again.
func (r *reading) control(e ledger.Entry) error {
	c, err := order.DecodeControl(e.Data)
	if err != nil || c.Verb != order.Drop {
		return err
	}
	own := order.ClientOrderID(e.Tenant, c.IntentID)
	r.dropped[cmp.Or(r.first[own], own)] = &c
	return nil
}

// assign gives each intent the word that it is not to be driven again, and each update to the
// intent whose order it is of: the broker may tell of an order before the outcome does.
func (r *reading) assign() {
	for client, said := range r.dropped {
		for _, a := range r.byClient[client] {
			a.Dropped = said
		}
	}
	byOrder := make(map[string]*Asked)
	for _, a := range r.all {
		if id := a.orderID(); id != "" && byOrder[id] == nil {
			byOrder[id] = a
		}
	}
	for _, u := range r.updates {
		a := byOrder[u.BrokerOrderID]
		if its := r.byClient[order.ClientOrderID(u.tenant, u.IntentID)]; a == nil && len(its) > 0 {
			a = its[0] // of a leg
		}
		if a != nil {
			a.Updates = append(a.Updates, u.Update)
		}
	}
}
