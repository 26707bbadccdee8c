package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
	"golang.org/x/sync/errgroup"
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

// ErrNotSettled says that an intent that was driven again did not find out either what
// became of the order, or expired too.
var ErrNotSettled = errors.New("not settled")

// driveAtOnce bounds how many tenants' intents are driven at a time.
const driveAtOnce = 64

// Drive drives intents again, as new ones that are linked to the old ones, for the fleet's
// workers to carry out: those of a tenant one at a time in the order given, and of all no
// more than so many a second (0: as fast as they go). It calls report, never twice at a time,
// for each that came to its end, and goes on behind those that are not settled; a tenant
// whose intent does not come to its end in time, or cannot be published, is left alone from
// there on. The error names all that is not settled.
func Drive(ctx context.Context, p *producer.Producer, all []*Asked, why fleetctl.Why, perSecond float64, report func(fleetctl.Result) error) error {
	d := &drive{producer: p, why: why, perSecond: perSecond, begun: time.Now(), report: report}
	its := make(map[string][]*Asked)
	var tenants []string
	for _, a := range all {
		if its[a.Tenant] == nil {
			tenants = append(tenants, a.Tenant)
		}
		its[a.Tenant] = append(its[a.Tenant], a)
	}
	open := make([]error, len(tenants))
	var group errgroup.Group
	group.SetLimit(driveAtOnce)
	for i, tenant := range tenants {
		group.Go(func() error {
			open[i] = d.tenant(ctx, its[tenant])
			return nil
		})
	}
	return errors.Join(append(open, group.Wait())...)
}

// drive is one Drive.
type drive struct {
	producer  *producer.Producer
	why       fleetctl.Why
	perSecond float64
	begun     time.Time
	turns     atomic.Int64 // given so far

	mu     sync.Mutex // one report at a time
	report func(fleetctl.Result) error
}

// tenant drives a tenant's intents, and says what is not settled.
func (d *drive) tenant(ctx context.Context, its []*Asked) error {
	var open []error
	for i, a := range its {
		settled, err := d.one(ctx, a)
		if err != nil {
			open = append(open, fmt.Errorf("%s of %s: %w", a.ID, a.Tenant, err))
		}
		if !settled {
			for _, later := range its[i+1:] {
				open = append(open, fmt.Errorf("%s of %s: %w: nothing was published, since an earlier one has no outcome", later.ID, later.Tenant, ErrNotSettled))
			}
			break
		}
	}
	return errors.Join(open...)
}

// one drives an intent. It came to an end, or those behind it must not be tried.
func (d *drive) one(ctx context.Context, a *Asked) (ended bool, err error) {
	if d.perSecond > 0 {
		n := d.turns.Add(1) - 1
		if err := sleepUntil(ctx, d.begun.Add(time.Duration(float64(n)/d.perSecond*float64(time.Second)))); err != nil {
			return false, err
		}
	}
	again, err := a.Again(d.why)
	if err != nil {
		return false, err
	}
	r, err := fleetctl.Drive(ctx, d.producer, a.Tenant, again)
	if err != nil {
		return false, fmt.Errorf("driven again as %s: %w: %w", again.ID, ErrNotSettled, err)
	}
	d.mu.Lock()
	err = d.report(r)
	d.mu.Unlock()
	if s := r.Outcome.Status; s == order.Failed || s == order.Expired {
		err = errors.Join(fmt.Errorf("driven again as %s: %w: %s: %s", r.ID, ErrNotSettled, s, r.Outcome.Message), err)
	}
	return true, err
}
