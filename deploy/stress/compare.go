package stress

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
)

// compare reads both ledgers and compares them.
func (s *system) compare(ctx context.Context, o Options) (*Report, error) {
	o.progress("comparing the ledgers", 0, o.total())
	h, err := proof.Read(ctx, s.ledger)
	if err != nil {
		return nil, err
	}
	h.Intents = slices.DeleteFunc(h.Intents, func(in proof.Intent) bool { return strings.HasPrefix(in.Tenant, idlePrefix) })
	h.Outcomes = slices.DeleteFunc(h.Outcomes, func(o proof.Outcome) bool { return strings.HasPrefix(o.Tenant, idlePrefix) })
	if h.Arrivals, h.Bookings, err = proof.ReadBroker(ctx, s.broker.Admin); err != nil {
		return nil, err
	}
	r := &Report{Clients: o.Clients, Tenants: o.Tenants, Report: proof.Check(h)}
	if missing := o.total() - len(h.Bookings); missing > 0 && r.Lost < missing {
		// Every order of this load is one that the broker takes.
		r.Lost = missing
	}
	measureTimes(r, h.Intents, h.Outcomes, h.Bookings)
	o.progress("comparing the ledgers", o.total(), o.total())
	r.Audit, err = s.audit(ctx, o, h.Intents)
	return r, err
}

// audit has both ledgers audited: what a stress test wrote is clean in an auditor's eyes, too.
func (s *system) audit(ctx context.Context, o Options, intents []proof.Intent) (*audit.Report, error) {
	var load history.Stretch
	if o.IdleTenants > 0 { // which no fleet served
		tenants := make(map[string]bool)
		for i := range intents {
			tenants[intents[i].Tenant] = true
		}
		load.Tenants = slices.Sorted(maps.Keys(tenants))
	}
	return audit.Run(ctx, history.Live(s.ledger), audit.Paper(s.broker.Admin), load, audit.Options{Progress: o.progress})
}

// measureTimes fills in throughput and latencies, all of them from the times that the
// two ledgers bear.
func measureTimes(r *Report, intents []proof.Intent, outcomes []proof.Outcome, bookings []proof.Booking) {
	if len(intents) == 0 || len(outcomes) == 0 {
		return
	}
	published := make(map[string]time.Time, len(intents))
	first := intents[0].At
	for _, in := range intents {
		published[order.ClientOrderID(in.Tenant, in.ID)] = in.At
		if in.At.Before(first) {
			first = in.At
		}
	}
	last, again := outcomes[0].At, 0
	toOutcome := make([]time.Duration, 0, len(outcomes))
	for _, o := range outcomes {
		toOutcome = append(toOutcome, o.At.Sub(o.Published))
		if o.At.After(last) {
			last = o.At
		}
		if o.Attempts > 1 {
			again++
		}
	}
	toBroker := make([]time.Duration, 0, len(bookings))
	for _, b := range bookings {
		if at, ok := published[b.ClientOrderID]; ok {
			toBroker = append(toBroker, b.Received.Sub(at))
		}
	}
	r.OrdersPerSecond = float64(len(toBroker)) / last.Sub(first).Seconds()
	r.SecondAttempts = float64(again) / float64(len(intents))
	r.PublishToBroker, r.PublishToOutcome = percentiles(toBroker), percentiles(toOutcome)
}
