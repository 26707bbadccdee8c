package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// Scene is what a running fleet says of a tenant, beside its ledger.
type Scene struct {
	// Now is when it said so.
	Now time.Time
	// Owner is the worker that owns the tenant's shard; empty if none does.
	Owner string
	Epoch uint64
	// State is the owner's own word; nil if it did not say, for the reason Silent.
	State  *inquiry.TenantState
	Silent error
}

// askTimeout bounds what an owner is asked.
const askTimeout = 5 * time.Second

// Look reads the fleet's bucket, and asks the owner of the tenant's shard. It disturbs nobody.
func Look(ctx context.Context, l *ledger.Ledger, tenant string) (Scene, error) {
	seen, err := fleet.Look(ctx, l)
	if err != nil {
		return Scene{}, fmt.Errorf("explain: %w", err)
	}
	shard := l.ShardOf(tenant)
	lease := seen.Leases[shard]
	s := Scene{Now: time.Now(), Owner: seen.Members[lease.Owner].Name, Epoch: lease.Epoch}
	if s.Owner == "" {
		return s, nil
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	a, err := inquiry.Ask(asking, l.JetStream().Conn(), shard, inquiry.Question{Verb: inquiry.State, Tenant: tenant})
	switch {
	case ctx.Err() != nil:
		return Scene{}, context.Cause(ctx)
	case err != nil:
		s.Silent = err
	case a.State == nil:
		s.Silent = errors.New("its answer has no state in it")
	default:
		s.State = a.State
	}
	return s, nil
}

// See adds to what a life waits for what the fleet says of it. It does nothing to one that
// is done.
func (l *Life) See(s Scene) {
	w := l.Waiting
	if w == nil {
		return
	}
	if s.State != nil { // the ledger's guess is settled
		w.For = slices.DeleteFunc(w.For, func(r Reason) bool { return r.Code == MayHold })
	}
	if r, ok := w.closest(l.Tenant, s); ok {
		w.For = slices.Insert(w.For, 0, r)
	}
	if w.overdue(s.Now) {
		w.For = append(w.For, Reason{Code: Overdue, Since: w.ExpiresAt, Text: fmt.Sprintf(
			"it expired %s ago: when its turn comes it ends as expired, unless an order of it may be at the broker", Brief(s.Now.Sub(w.ExpiresAt)))})
	}
}

// closest is the reason that stands next to the intent; false if the ones before it are all
// that there is.
func (w *Waiting) closest(tenant string, s Scene) (Reason, bool) {
	st := s.State
	switch {
	case s.Owner == "":
		return Reason{Code: Unowned, Text: "no worker owns the shard: is one running? fleetctl status shows who owns what"}, true
	case st == nil:
		return Reason{Code: NoAnswer, Text: fmt.Sprintf("worker %s, which owns the shard with epoch %d, does not say: %v", s.Owner, s.Epoch, s.Silent)}, true
	case st.HeldBy != 0:
		return Reason{Code: Held, Text: fmt.Sprintf("the tenant is held: the outcome at sequence %d is a failure; look into it, then: fleetctl release %s --reason ...", st.HeldBy, tenant)}, true
	case st.Read < w.Seq:
		return Reason{Code: Unread, Text: fmt.Sprintf("worker %s has read the ledger up to sequence %d only", s.Owner, st.Read)}, true
	case st.Why != "":
		text := fmt.Sprintf("worker %s waits %s", s.Owner, why(st.Why))
		if st.Phase == inquiry.Aside {
			text += "; others have its place meanwhile"
		}
		return Reason{Code: Code(st.Why), Text: text, Since: st.Since, Until: st.Until}, true
	case st.Phase == inquiry.Waiting:
		return Reason{Code: Code(order.WhyPlace), Text: why(order.WhyPlace)}, true
	case st.First > w.Seq, st.First == 0, st.Phase == inquiry.Idle:
		return Reason{Code: Over, Text: fmt.Sprintf("worker %s has nothing to do for it any more: it was done a moment ago; ask again", s.Owner)}, true
	case w.Ahead > 0:
		return Reason{}, false
	}
	return Reason{Code: AtWork, Text: fmt.Sprintf("worker %s is at it: a request is at the broker, or about to be made", s.Owner)}, true
}

// Recorded says that the ledger was not read to its end, which is known up to a moment: zero
// if that is not known either.
func (l *Life) Recorded(asOf time.Time) {
	if l.Waiting == nil {
		return
	}
	l.Waiting.For = append(l.Waiting.For, Reason{Code: AsOf, Text: l.Source + " does not show what became of it later", Since: asOf})
}
