package replay

import (
	"context"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Unsettled are the intents that can be driven again, in their order: they ended as failed
// or expired, nothing has settled them since, and what they asked for can be read. Of
// several that are about one order, it is the last.
func Unsettled(all []*Asked) []*Asked {
	last := make(map[string]*Asked)
	for _, a := range all {
		if a.unsettled() {
			last[a.clientOrderID()] = a
		}
	}
	var found []*Asked
	for _, a := range all {
		if last[a.clientOrderID()] == a && a.unsettled() {
			found = append(found, a)
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

// Again is the intent that drives it again, under the same client order id.
func (a *Asked) Again(why fleetctl.Why) (order.Intent, error) {
	f := a.failed()
	return f.Again(why)
}

// Drive drives intents again, as [fleetctl.Drive] does.
func Drive(ctx context.Context, p *producer.Producer, all []*Asked, why fleetctl.Why, perSecond float64, report func(fleetctl.Result) error) error {
	found := make([]fleetctl.Failed, len(all))
	for i, a := range all {
		found[i] = a.failed()
	}
	return fleetctl.Drive(ctx, p, found, why, perSecond, report)
}
