package fleetctl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
	"golang.org/x/sync/errgroup"
)

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
func Drive(ctx context.Context, p *producer.Producer, all []Failed, why Why, perSecond float64, report func(Result) error) error {
	d := &drive{producer: p, why: why, perSecond: perSecond, begun: time.Now(), report: report}
	its := make(map[string][]*Failed)
	var tenants []string
	for i := range all {
		f := &all[i]
		if its[f.Tenant] == nil {
			tenants = append(tenants, f.Tenant)
		}
		its[f.Tenant] = append(its[f.Tenant], f)
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
	why       Why
	perSecond float64
	begun     time.Time
	turns     atomic.Int64 // given so far

	mu     sync.Mutex // one report at a time
	report func(Result) error
}

// tenant drives a tenant's intents, and says what is not settled.
func (d *drive) tenant(ctx context.Context, its []*Failed) error {
	var open []error
	for i, f := range its {
		settled, err := d.one(ctx, f)
		if err != nil {
			open = append(open, fmt.Errorf("%s of %s: %w", f.Outcome.IntentID, f.Tenant, err))
		}
		if !settled {
			for _, later := range its[i+1:] {
				open = append(open, fmt.Errorf("%s of %s: %w: nothing was published, since an earlier one has no outcome", later.Outcome.IntentID, later.Tenant, ErrNotSettled))
			}
			break
		}
	}
	return errors.Join(open...)
}

// one drives an intent. It came to an end, or those behind it must not be tried.
func (d *drive) one(ctx context.Context, f *Failed) (ended bool, err error) {
	if d.perSecond > 0 {
		n := d.turns.Add(1) - 1
		turn := d.begun.Add(time.Duration(float64(n) / d.perSecond * float64(time.Second)))
		select {
		case <-time.After(time.Until(turn)):
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	again, err := f.Again(d.why)
	if err != nil {
		return false, err
	}
	r, err := driveOne(ctx, d.producer, f.Tenant, again)
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

// driveOne publishes an intent that drives another one again and waits for its outcome, for a
// minute beyond its expiry at most.
func driveOne(ctx context.Context, p *producer.Producer, tenant string, again order.Intent) (Result, error) {
	r := Result{Tenant: tenant, RetryOf: again.RetryOf, ID: again.ID}
	receipt, err := p.Publish(ctx, tenant, again)
	if err != nil {
		return r, err
	}
	patient, cancel := context.WithDeadlineCause(ctx, again.ExpiresAt.Add(time.Minute), ErrWaits)
	defer cancel()
	r.Outcome, err = p.Await(patient, receipt)
	return r, err
}
