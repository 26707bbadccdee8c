package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/updates"
)

const (
	// mendTime bounds a repair: a broker that does not answer is not waited for without end.
	mendTime = 5 * time.Minute
	// mendTries is how often a repair begins anew because a follower wrote meanwhile.
	mendTries = 10
)

// mend has the updates written that are missing, as whoever follows the tenant's orders would
// have written them, and looks what is left.
func (c *run) mend(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, mendTime, ErrUnanswered)
	defer cancel()
	m := updates.NewMender(c.cfg.Updates, updates.Start{
		Tenant: c.Tenant, Shard: c.owner.Shard, Epoch: c.owner.Epoch, Until: c.owner.Until,
	}, c.reader.books)
	err := c.write(ctx, m)
	c.repaired = m.Written()
	if err != nil {
		return fmt.Errorf("reconcile: write the missing updates of tenant %s: %w", c.Tenant, err)
	}
	left := make(map[sign]struct{})
	for _, d := range Compare(c.book, c.account) {
		left[signOf(&d)] = struct{}{}
	}
	for i := range c.lasting {
		d := &c.lasting[i]
		if _, still := left[signOf(d)]; d.Kind.Repairable() && !still {
			d.Repaired = true
		}
	}
	return nil
}

// write writes first what comes behind everything that the ledger tells of an order, then
// what comes before some of it.
func (c *run) write(ctx context.Context, m *updates.Mender) error {
	m.Read(c.book.Read())
	if err := m.Open(ctx, c.lacking()); err != nil {
		return err
	}
	for range mendTries {
		if err := c.catchUp(ctx); err != nil {
			return err
		}
		holes := c.holes(nil, c.account.Orders)
		if len(holes) == 0 {
			return nil
		}
		m.Read(c.book.Read())
		if err := m.Late(ctx, holes); err != nil && !errors.Is(err, updates.ErrStale) {
			return err
		}
	}
	return updates.ErrStale
}

// lacking are the orders of which, or of whose legs, something is missing.
func (c *run) lacking() []broker.Record {
	ids := make(map[string]bool)
	for i := range c.lasting {
		if c.lasting[i].Kind.Repairable() {
			ids[c.lasting[i].BrokerOrderID] = true
		}
	}
	var orders []broker.Record
	for i := range c.account.Orders {
		if among(ids, &c.account.Orders[i]) {
			orders = append(orders, c.account.Orders[i])
		}
	}
	return orders
}

func among(ids map[string]bool, r *broker.Record) bool {
	if ids[r.ID] {
		return true
	}
	for i := range r.Nested {
		if among(ids, &r.Nested[i]) {
			return true
		}
	}
	return false
}

// holes adds what is missing of orders' fills before something that the ledger tells of them.
func (c *run) holes(all []updates.Hole, orders []broker.Record) []updates.Hole {
	for i := range orders {
		r := &orders[i]
		all = c.holes(all, r.Nested)
		en := c.book.orders[r.ID]
		if en == nil || r.Submitted.Before(c.told) {
			continue
		}
		missing := c.account.missing(r, en)
		for _, one := range missing {
			if en.ended == "" && !one.to.LessThan(en.fills.end()) {
				continue // it is the follower's to tell
			}
			hole := updates.Hole{Order: *r, IntentID: en.intent, From: one.from, To: one.to}
			if len(missing) == 1 {
				hole.Cost = &en.cost
			}
			all = append(all, hole)
		}
	}
	return all
}
