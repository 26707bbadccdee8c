package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Unsettled are the intents that can be driven again, in their order: they ended as failed
// or expired, nothing has settled them since, and what they asked for can be read. Of
// several that are about one order, it is the last.
func Unsettled(all []*Asked) []fleetctl.Failed {
	last := make(map[string]*Asked)
	for _, a := range all {
		if a.unsettled() {
			last[a.clientOrderID()] = a
		}
	}
	var found []fleetctl.Failed
	for _, a := range all {
		if last[a.clientOrderID()] == a && a.unsettled() {
			found = append(found, a.failed())
		}
	}
	return found
}

func (a *Asked) unsettled() bool {
	if a.Intent == nil || a.Status() != order.Failed && a.Status() != order.Expired {
		return false
	}
	f := a.failed()
	return !f.Settled()
}

// failed is the intent as those who look after failed ones see it.
func (a *Asked) failed() fleetctl.Failed {
	return fleetctl.Failed{
		Tenant: a.Tenant, Shard: a.Shard, Seq: a.Seq, OutcomeSeq: a.OutcomeSeq, Outcome: *a.Outcome,
		Intent: a.Intent, Retries: a.Retries, Dropped: a.Dropped,
	}
}

// ErrNotSettled says that an intent that was driven again did not find out either what
// became of the order, or expired too.
var ErrNotSettled = errors.New("not settled")

// Drive drives intents again, as new ones that are linked to the old ones, for the fleet's
// workers to carry out: one at a time, in the order given, and no more than so many a second
// (0: as fast as they go). So a tenant's keep their order. It calls report for each that was published, and goes on
// behind those that are not settled; a tenant whose intent does not come to its end in time
// is left alone from there on. The error names all that is not settled; publishing that
// fails ends it.
func Drive(ctx context.Context, p *producer.Producer, all []fleetctl.Failed, why fleetctl.Why, perSecond float64, report func(fleetctl.Result) error) error {
	var open []error
	stuck := make(map[string]bool)
	begun := time.Now()
	driven := 0
	for i := range all {
		f := &all[i]
		if stuck[f.Tenant] {
			open = append(open, fmt.Errorf("%s of %s: %w: an earlier one still waits; nothing was published", f.Outcome.IntentID, f.Tenant, ErrNotSettled))
			continue
		}
		if perSecond > 0 {
			turn := begun.Add(time.Duration(float64(driven) / perSecond * float64(time.Second)))
			if err := sleepUntil(ctx, turn); err != nil {
				return errors.Join(append(open, err)...)
			}
		}
		driven++
		again, err := f.Again(why)
		if err != nil {
			return errors.Join(append(open, err)...)
		}
		r, err := fleetctl.Drive(ctx, p, f.Tenant, again)
		switch {
		case errors.Is(err, fleetctl.ErrWaits):
			stuck[f.Tenant] = true
			open = append(open, fmt.Errorf("%s of %s, as %s: %w: %w", f.Outcome.IntentID, f.Tenant, r.ID, ErrNotSettled, err))
			continue
		case err != nil:
			return errors.Join(append(open, err)...)
		case r.Outcome.Status == order.Failed || r.Outcome.Status == order.Expired:
			open = append(open, fmt.Errorf("%s of %s, as %s: %w: %s: %s", f.Outcome.IntentID, f.Tenant, r.ID, ErrNotSettled, r.Outcome.Status, r.Outcome.Message))
		}
		if err := report(r); err != nil {
			return errors.Join(append(open, err)...)
		}
	}
	return errors.Join(open...)
}
