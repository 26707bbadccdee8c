package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// shard is what is known of a shard at a place of it. Names stand in it as 64-bit hashes with a
// seed of the run's.
type shard struct {
	*audit
	n           int
	chain       Chain
	messages    int
	first, last uint64    // sequence numbers of the stretch's ends
	begin, end  time.Time // and their times
	open        int       // intents without an outcome

	tenants map[string]*account
	ids     map[uint64]use    // by intent id: its first use
	odd     map[uint64]uint64 // intents that ids does not show: their ids, 0 for those without one
	owners  map[uint64]string // by epoch
	newest  uint64            // epoch that began
	orders  map[uint64]*track // by broker order id
	claims  map[uint64]*claim // by client order id; only with a broker
	trimmed bool              // the ledger began with something that it has no more
	oldest  time.Time         // when the first of the intents before the stretch was published
	ancient bool              // an order may be older than all that is known of it
}

// use is the first use of an intent id.
type use struct {
	seq    uint64
	placed bool // it was accepted, or it may have been
}

func newShard(a *audit, n int) *shard {
	return &shard{
		audit: a, n: n,
		tenants: make(map[string]*account), ids: make(map[uint64]use), odd: make(map[uint64]uint64),
		owners: make(map[uint64]string), orders: make(map[uint64]*track), claims: make(map[uint64]*claim),
	}
}

// take takes a message of the stretch.
func (s *shard) take(e *ledger.Entry) {
	if s.messages == 0 {
		s.first, s.begin = e.Seq, e.Time
	}
	s.last, s.end = e.Seq, e.Time
	s.messages++
	s.chain.Add(e)
	switch e.Class {
	case ledger.Intents:
		s.report.Intents++
		s.intent(e)
	case ledger.Outcomes:
		s.report.Outcomes++
		s.outcome(e)
	case ledger.Updates:
		s.report.Updates++
		s.update(e)
	case ledger.Controls:
		s.report.Controls++
		s.control(e)
	case ledger.Epochs:
		s.report.Epochs++
		s.epoch(e)
	}
}

// behind takes a message behind the end of the stretch, which matters while intents of the
// stretch have no outcome.
func (s *shard) behind(e *ledger.Entry) error {
	if s.open == 0 {
		return history.ErrSkipShard
	}
	switch e.Class {
	case ledger.Outcomes:
		before := s.open
		if seq, err := ledger.PeekIntentSeq(e.Data); err == nil && seq <= s.last {
			s.outcome(e)
		}
		s.report.Later += before - s.open
	case ledger.Controls:
		s.control(e)
	case ledger.Epochs:
		s.epoch(e)
	case ledger.Intents, ledger.Updates:
	}
	return nil
}

// tenant is what is known of a tenant.
func (s *shard) tenant(name string) *account {
	t := s.tenants[name]
	if t == nil {
		t = &account{name: name}
		s.tenants[name] = t
	}
	return t
}

// intent takes an intent.
func (s *shard) intent(e *ledger.Entry) {
	in, err := order.DecodeIntent(e.Data)
	w := waiting{seq: e.Seq, at: e.Time}
	if err != nil {
		w.id = order.PeekID(e.Data)
	} else {
		w.kind, w.expires, w.retryOf = in.Kind, in.ExpiresAt, in.RetryOf
		if order.ValidID(in.ID) == nil {
			w.id = in.ID
		}
		w.valid = in.Validate() == nil && order.ValidTenant(e.Tenant) == nil && ledger.ShardOf(e.Tenant, s.src.Shards()) == s.n
	}
	if w.id == "" {
		s.odd[e.Seq] = 0
	} else {
		key := s.key(e.Tenant, w.id)
		if first, used := s.ids[key]; used {
			w.first, s.odd[e.Seq] = first.seq, key
		} else {
			s.ids[key] = use{seq: e.Seq}
		}
		s.asked(e.Tenant, &w, &in)
	}
	t := s.tenant(e.Tenant)
	t.queue = append(t.queue, w)
	s.open++
}

// control takes an operator's word.
func (s *shard) control(e *ledger.Entry) {
	c, err := order.DecodeControl(e.Data)
	switch {
	case err != nil:
		s.find(Unreadable, e.Tenant, fmt.Sprintf("a control of %s: %v", e.Tenant, err), e.Seq)
	case c.Verb == order.Release:
		s.tenant(e.Tenant).released = e.Seq
	}
}

// whole says that the reading began where the ledger does, so that nothing is before it.
func (s *shard) whole() bool {
	if s.messages == 0 {
		return !s.trimmed && s.stretch.From <= 1 && s.stretch.Since.IsZero() && s.extent.From <= 1 && s.extent.Since.IsZero()
	}
	return s.first == 1
}

// finish judges what is left when a shard is read.
func (s *shard) finish(ctx context.Context) error {
	if s.messages > 0 {
		s.report.Messages += s.messages
		s.report.Shards = append(s.report.Shards, Shard{s.n, s.messages, s.first, s.last, s.chain.String()})
	}
	for _, t := range s.tenants {
		s.left(t)
	}
	s.finishUpdates()
	return s.compare(ctx)
}

// left judges the intents of a tenant that have no outcome. Those before an intent make it wait.
func (s *shard) left(t *account) {
	var over time.Time // when nothing excuses an intent any more
	held := t.failed > t.released
	for i := range t.queue {
		w := &t.queue[i]
		if w.done {
			continue
		}
		for _, at := range []time.Time{w.at, w.expires} {
			if at.After(over) {
				over = at
			}
		}
		switch {
		case w.seq < t.done:
			s.find(proof.MissingOutcome, t.name, fmt.Sprintf("intent %d of %s (%s) has no outcome, but intent %d behind it has", w.seq, t.name, w.id, t.done), w.seq, t.done)
		case s.cut():
			s.report.Unknown++
		case held:
			s.report.Held++
		case s.asOf.Sub(over) > s.grace:
			s.find(Overdue, t.name, fmt.Sprintf("intent %d of %s (%s) has no outcome, %s after its time", w.seq, t.name, w.id, s.asOf.Sub(over).Round(time.Second)), w.seq)
		default:
			s.report.Due++
		}
	}
}
