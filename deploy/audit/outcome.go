package audit

import (
	"fmt"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// outcome takes an outcome: one an intent, in the order of the intents, by owners in their
// order, and true to its intent.
func (s *shard) outcome(e *ledger.Entry) {
	o, err := order.DecodeOutcome(e.Data)
	if err != nil {
		s.find(Unreadable, e.Tenant, fmt.Sprintf("an outcome of %s: %v", e.Tenant, err), e.Seq)
		return
	}
	s.report.Statuses[o.Status]++
	t := s.tenant(e.Tenant)
	s.owner(e, &o)
	w := t.find(o.IntentSeq)
	switch {
	case w != nil:
	case s.ended(t, &o):
		s.find(proof.SecondOutcome, t.name, fmt.Sprintf("intent %d of %s has another outcome, %s, at %d", o.IntentSeq, t.name, o.Status, e.Seq), o.IntentSeq, e.Seq)
		return
	case o.IntentSeq < s.first:
		s.report.Earlier++
	default:
		s.find(proof.StrayOutcome, t.name, fmt.Sprintf("outcome %d of %s is of %d, which is no intent of its", e.Seq, t.name, o.IntentSeq), o.IntentSeq, e.Seq)
		return
	}
	if o.IntentSeq < t.done {
		s.find(proof.OutcomeOrder, t.name, fmt.Sprintf("the outcome of intent %d of %s, %d, comes behind that of %d", o.IntentSeq, t.name, e.Seq, t.done), o.IntentSeq, e.Seq)
	}
	if o.Epoch < t.epoch {
		s.find(proof.Fenced, t.name, fmt.Sprintf("outcome %d of %s is of epoch %d, behind one of epoch %d", e.Seq, t.name, o.Epoch, t.epoch), e.Seq)
	}
	t.done, t.epoch = max(t.done, o.IntentSeq), max(t.epoch, o.Epoch)
	t.driven = t.driven || !o.Submitted.IsZero() || verdictOf(o.Status, o.Kind) != denies
	if t.failed = 0; o.Status == order.Failed {
		t.failed = e.Seq
	}
	s.accept(e, w, &o)
	s.answered(e, w, &o)
	if w == nil {
		return
	}
	s.judge(e, w, &o)
	w.done = true
	s.open--
	t.drop()
}

// ended says whether an intent that does not wait had its outcome before.
func (s *shard) ended(t *account, o *order.Outcome) bool {
	if o.IntentSeq == t.done {
		return true
	}
	key := s.key(t.name, o.IntentID)
	if of, odd := s.odd[o.IntentSeq]; odd {
		return of == 0 || of == key
	}
	return s.ids[key].seq == o.IntentSeq && o.IntentSeq != 0
}

// judge holds an outcome against its intent.
func (s *shard) judge(e *ledger.Entry, w *waiting, o *order.Outcome) {
	s.names(e, w, o)
	if w.first != 0 && o.Status != order.Duplicate && o.Status != order.Invalid {
		s.find(proof.Repeated, e.Tenant, fmt.Sprintf("intent %d of %s has the id of %d, and ended as %s", w.seq, e.Tenant, w.first, o.Status), w.seq, e.Seq)
	}
	switch {
	case o.Status == order.Invalid && w.valid:
		s.find(proof.NeverInvalid, e.Tenant, fmt.Sprintf("intent %d of %s ended as invalid (%s), but reads and validates", w.seq, e.Tenant, o.Message), w.seq, e.Seq)
	case o.Status == order.Expired && w.expires.Sub(e.Time) > s.slack:
		s.find(proof.Early, e.Tenant, fmt.Sprintf("intent %d of %s ended as expired %s before its time", w.seq, e.Tenant, w.expires.Sub(e.Time)), w.seq, e.Seq)
	case proof.Books(w.kind) && !w.expires.IsZero() && o.Submitted.Sub(w.expires) > s.slack:
		s.find(proof.Stale, e.Tenant, fmt.Sprintf("a request for intent %d of %s was written %s after it had expired", w.seq, e.Tenant, o.Submitted.Sub(w.expires)), w.seq, e.Seq)
	}
}

// names holds the names in an outcome against its intent.
func (s *shard) names(e *ledger.Entry, w *waiting, o *order.Outcome) {
	misnamed := func(format string, args ...any) {
		s.find(proof.Misnamed, e.Tenant, fmt.Sprintf("outcome %d of %s ", e.Seq, e.Tenant)+fmt.Sprintf(format, args...), w.seq, e.Seq)
	}
	if o.IntentID != w.id {
		misnamed("names %q; intent %d is %q", o.IntentID, w.seq, w.id)
	}
	accepted := o.Status == order.Accepted && proof.Books(w.kind)
	if id := order.ClientOrderID(e.Tenant, w.orderID()); accepted && o.ClientOrderID != id {
		misnamed("names the order %q, not %q", o.ClientOrderID, id)
	}
	if accepted && o.BrokerOrderID == "" {
		misnamed("names no order of the broker's")
	}
	if o.Status == order.Duplicate && !s.used(e.Tenant, w, o.DuplicateOf) {
		misnamed("says that intent %d has the id of %d", w.seq, o.DuplicateOf)
	}
}

// used says whether an earlier intent has the id of one; of those before the stretch nothing is
// known.
func (s *shard) used(tenant string, w *waiting, first uint64) bool {
	if first < s.first && first != 0 {
		return true
	}
	key := s.key(tenant, w.id)
	return first < w.seq && (s.ids[key].seq == first && first != 0 || s.odd[first] == key)
}
