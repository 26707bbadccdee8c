package explain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// ErrNone says that the source has nothing that is called so.
var ErrNone = errors.New("there is no such intent")

// Read tells the life of what a tenant calls by an intent id, a client order id, a broker
// order id, or # and the sequence number of an intent. It reads the tenant's messages, up to
// three times if it is not called by the first intent's id. [ErrNone] if there is none; an
// [*order.FieldError] if the tenant's name can be none.
func Read(ctx context.Context, src history.Source, tenant, what string, progress history.Progress) (*Life, error) {
	if err := order.ValidTenant(tenant); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	if other, _, ok := order.ParseClientOrderID(what); ok && other != tenant {
		return nil, fmt.Errorf("explain: %w: client order id %s is tenant %s's", ErrNone, ledger.Printable(what, maxName), other)
	}
	t := newTale(tenant, what)
	for range maxLeads {
		if err := t.read(ctx, src, progress); err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		if t.hint == "" || len(t.chapters) > 0 && !t.sure {
			break
		}
		t = &tale{tenant: tenant, what: what, root: t.hint}
	}
	if len(t.chapters) == 0 {
		return nil, t.none(src)
	}
	l := t.life(ledger.ShardOf(tenant, src.Shards()))
	l.Source = src.Name()
	return l, nil
}

const (
	// maxLeads bounds how often a reading leads to another id: a broker order id to an intent
	// that drove another one again, and that one's.
	maxLeads = 3
	// maxName bounds what a user calls something in an error.
	maxName = 128
)

func (t *tale) read(ctx context.Context, src history.Source, progress history.Progress) error {
	return src.Read(ctx, history.Stretch{Tenants: []string{t.tenant}}, progress, func(_ int, e ledger.Entry) error {
		if e.Tenant == t.tenant || e.Class == ledger.Epochs {
			t.take(e)
		}
		return nil
	})
}

// none says that nothing was found, and what there is instead.
func (t *tale) none(src history.Source) error {
	have := "it has no intent at all there: is the name right?"
	if t.seen > 0 {
		have = fmt.Sprintf("its last one of %d is %s; producer watch %s --from-seq 1 lists all outcomes", t.seen, name(t.name, 0), t.tenant)
	}
	return fmt.Errorf("explain: %w: tenant %s has no intent id, client order id or broker order id %q in %s; %s",
		ErrNone, t.tenant, ledger.Printable(t.what, maxName), src.Name(), have)
}

// life is what the tale amounts to.
func (t *tale) life(shard int) *Life {
	l := &Life{Tenant: t.tenant, Shard: shard, Status: Due}
	if t.root != "" {
		l.ClientOrderID = order.ClientOrderID(t.tenant, t.root)
	}
	var lists [][]Step
	for _, c := range t.chapters {
		l.Intents = append(l.Intents, c.Intent)
		lists = append(lists, c.steps())
		if c.Outcome != nil && c.Outcome.BrokerOrderID != "" {
			l.BrokerOrderID = c.Outcome.BrokerOrderID
		}
	}
	if last := l.decisive(); last.Outcome != nil {
		l.Status = last.Outcome.Status
	}
	for _, c := range t.changes {
		lists = append(lists, []Step{c.changed()})
	}
	for _, s := range t.drops {
		lists = append(lists, []Step{s.step()})
	}
	var updates []Step
	for _, u := range t.updates {
		updates = append(updates, u.step())
		if u.OrderStatus != "" && !u.leg {
			l.OrderStatus = u.OrderStatus
		}
	}
	l.Steps = merge(append(lists, updates))
	l.Waiting = t.waiting()
	return l
}

// decisive is the intent whose outcome is the life's: the last one that is no repeat.
func (l *Life) decisive() *Intent {
	for i := len(l.Intents) - 1; i >= 0; i-- {
		if l.Intents[i].Role != Again {
			return &l.Intents[i]
		}
	}
	return &l.Intents[0]
}

// waiting is what the ledger shows of why the life is not done; nil if it is.
func (t *tale) waiting() *Waiting {
	open := t.open()
	if len(open) == 0 {
		return nil
	}
	c := open[0]
	w := &Waiting{Seq: c.Seq, Since: c.Published}
	if in := c.Intent.Intent; in != nil {
		w.ExpiresAt = in.ExpiresAt
	}
	var ahead []waiting
	for _, d := range t.due {
		if d.seq < c.Seq {
			ahead = append(ahead, d)
		}
	}
	if h := t.hold; h != nil && h.release == nil {
		w.For = append(w.For, Reason{Code: MayHold, Since: h.failed.committed, Text: fmt.Sprintf(
			"%s failed, sequence %d: if the tenant's policy is to hold, all waits until somebody has looked, and says fleetctl release %s --reason ...",
			name(h.failed.id, h.failed.seq), h.failed.seq, t.tenant)})
	}
	if w.Ahead = len(ahead); w.Ahead > 0 {
		w.For = append(w.For, Reason{Code: Behind, Since: c.Published, Text: fmt.Sprintf(
			"earlier intents of the tenant have no outcome: %d; the first is %s, sequence %d", w.Ahead, name(ahead[0].id, ahead[0].seq), ahead[0].seq)})
	}
	return w
}

// overdue says that an intent should have ended by now.
func (w *Waiting) overdue(now time.Time) bool {
	return !w.ExpiresAt.IsZero() && now.After(w.ExpiresAt)
}
