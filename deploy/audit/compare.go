package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// compare holds the broker's orders of the shard's tenants against the claims.
func (s *shard) compare(ctx context.Context) error {
	if s.broker == nil {
		return nil
	}
	if src, ok := s.src.(interface {
		First(ctx context.Context, shard int) (uint64, error)
	}); ok && s.messages == 0 {
		first, err := src.First(ctx, s.n)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		s.trimmed = first > 1
	}
	if s.messages == 0 && !s.placed() {
		return nil
	}
	known, err := s.broker.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	for _, name := range slices.Concat(known, s.stretch.Tenants, s.extent.Tenants) { // those without a message too
		if ledger.ShardOf(name, s.src.Shards()) == s.n && s.stretch.Names(name) && s.extent.Names(name) {
			s.tenant(name)
		}
	}
	b := &books{shard: s, strange: make(map[uint64]strange)}
	b.from, b.until = s.window()
	unlisted, err := b.list(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.claims {
		if c.verdict != confirms || c.seen > 0 {
			continue
		}
		if u := unlisted[c.tenant.name]; u != nil {
			u.Orders++
			continue
		}
		s.find(proof.MissingOrder, c.tenant.name, fmt.Sprintf("intent %d of %s was accepted, but the broker has no order", c.intent, c.tenant.name), c.intent, c.outcome)
	}
	for _, u := range unlisted {
		s.report.Unlisted = append(s.report.Unlisted, *u)
	}
	return b.explain(ctx)
}

// list takes the orders of all tenants of the shard. It returns those whose orders it could not
// get to the last one.
func (b *books) list(ctx context.Context) (map[string]*Unlisted, error) {
	doing := fmt.Sprintf("comparing orders of shard %d", b.n)
	unlisted := make(map[string]*Unlisted)
	for i, name := range slices.Sorted(maps.Keys(b.tenants)) {
		b.progress(doing, i, len(b.tenants))
		if order.ValidTenant(name) != nil {
			continue
		}
		b.tenant, b.last = b.tenants[name], 0
		err := b.broker.Orders(ctx, name, b.after(b.from), b.take)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, fmt.Errorf("audit: orders of tenant %s: %w", name, err)
		case errors.Is(err, ErrNoAccount) && !b.tenant.driven: // and the fleet had none either
		default:
			unlisted[name] = &Unlisted{Tenant: name, Why: err.Error()}
		}
	}
	b.progress(doing, 1, 1)
	return unlisted, nil
}

// after is the moment after which the broker may have taken orders that the stretch tells of:
// its first outcomes may be of intents before it.
func (s *shard) after(from time.Time) time.Time {
	switch {
	case s.ancient || from.IsZero():
		return time.Time{}
	case !s.oldest.IsZero() && s.oldest.Before(from):
		from = s.oldest
	}
	return from.Add(-s.slack)
}

// placed says that it is known when a stretch without a message began and ended.
func (s *shard) placed() bool {
	return s.stretch.To == 0 && s.extent.To == 0 && (s.whole() || !s.since().IsZero() && s.stretch.From <= 1 && s.extent.From <= 1)
}

// window is when an order was taken for which an intent or an outcome must be in what was read,
// or an intent before it.
func (s *shard) window() (from, until time.Time) {
	until = s.asOf
	for _, end := range []time.Time{s.stretch.Until, s.extent.Until} {
		if !end.IsZero() && end.Before(until) {
			until = end
		}
	}
	if s.stretch.To != 0 || s.extent.To != 0 {
		until = s.end
	}
	if !s.whole() {
		from = s.since()
	}
	return from, until.Add(-s.slack)
}

// since is when the stretch began in the shard.
func (s *shard) since() time.Time {
	switch since := s.stretch.Since; {
	case s.extent.Since.After(since):
		return s.extent.Since
	case !since.IsZero():
		return since
	}
	return s.begin
}

// books is the broker's ledger, as it is read.
type books struct {
	*shard
	from, until time.Time
	tenant      *account
	last        uint64 // the place of the tenant's last order among its intents
	strange     map[uint64]strange
}

// strange is an order that nothing in the stretch asked for.
type strange struct {
	tenant string
	says   string
}

// take takes an order of the tenant's account.
func (b *books) take(o proof.Booking) error {
	name, id, ours := order.ParseClientOrderID(o.ClientOrderID)
	if !ours {
		if !o.Received.Before(b.from) && !o.Received.After(b.until) {
			b.report.Foreign++
		}
		return nil
	}
	if name != b.tenant.name {
		b.find(proof.OtherAccount, name, fmt.Sprintf("%s is on the account of %s", o.ClientOrderID, b.tenant.name))
		return nil
	}
	key := b.key(name, id)
	c := b.claims[key]
	if c == nil {
		if !o.Received.Before(b.from) && !o.Received.After(b.until) {
			b.strange[key] = strange{name, fmt.Sprintf("the broker has %s under %s, which nobody asked for", o.OrderID, o.ClientOrderID)}
		}
		return nil
	}
	b.report.Orders++
	if c.seen++; c.seen > 1 {
		b.find(proof.SecondOrder, name, fmt.Sprintf("the broker has %d orders under %s, now %s", c.seen, o.ClientOrderID, o.OrderID), c.seqs()...)
		return nil
	}
	b.judge(c, &o)
	return nil
}

// seqs are the messages that a claim is of.
func (c *claim) seqs() []uint64 {
	var all []uint64
	for _, seq := range []uint64{max(c.intent, c.turn), c.outcome} {
		if seq != 0 {
			all = append(all, seq)
		}
	}
	return all
}

// judge holds an order against its claim.
func (b *books) judge(c *claim, o *proof.Booking) {
	name := c.tenant.name
	if c.verdict != confirms && !b.whole() && (o.Received.Before(c.since) || o.Received.Before(b.from.Add(b.slack))) {
		return // the id was used before the stretch, and the order is that intent's
	}
	if c.verdict != confirms && o.Received.After(b.until.Add(b.slack)) {
		return // an operator may have driven it again behind what was read
	}
	if late := o.Received.Sub(c.expires); late > b.slack && !c.expires.IsZero() && !c.elder {
		b.find(proof.Stale, name, fmt.Sprintf("the broker took %s %s after it had expired", o.ClientOrderID, late), c.seqs()...)
	}
	if c.verdict == denies && c.open == 0 {
		b.find(proof.DeniedOrder, name, fmt.Sprintf("intent %d of %s ended as %s, but the broker has order %s", c.intent, name, c.status, o.OrderID), c.seqs()...)
	}
	if c.verdict == confirms {
		b.confirm(c, o)
	}
	switch {
	case c.turn == 0, c.elder:
	case c.turn < b.last:
		b.find(proof.BookingOrder, name, fmt.Sprintf("the order of intent %d of %s was booked behind that of %d", c.turn, name, b.last), c.turn, b.last)
	default:
		b.last = c.turn
	}
}

// confirm holds an order against the outcome that says it is there.
func (b *books) confirm(c *claim, o *proof.Booking) {
	name := c.tenant.name
	if early := o.Received.Sub(c.at); early > b.slack {
		b.find(proof.Premature, name, fmt.Sprintf("intent %d of %s was accepted %s before the broker took it", c.intent, name, early), c.seqs()...)
	}
	if b.key(name, o.OrderID) != c.order {
		b.find(proof.OtherOrder, name, fmt.Sprintf("intent %d of %s was accepted as another order than %s, which the broker has", c.intent, name, o.OrderID), c.seqs()...)
	}
	if diff := c.wanted.differs(o); diff != "" && !c.elder {
		b.find(proof.OtherOrder, name, fmt.Sprintf("intent %d of %s was accepted, but the broker booked it with another %s", c.intent, name, diff), c.seqs()...)
	}
}

// explain looks for the intents of strange orders before the stretch: one may be due since then.
func (b *books) explain(ctx context.Context) error {
	if len(b.strange) == 0 {
		return nil
	}
	if !b.whole() {
		if b.extent.From != 0 || !b.extent.Since.IsZero() {
			b.report.Unjudged += len(b.strange)
			return nil
		}
		if err := b.searchBefore(ctx); err != nil {
			return err
		}
	}
	for _, o := range b.strange {
		b.find(proof.UnexplainedOrder, o.tenant, o.says)
	}
	return nil
}

// searchBefore forgets the strange orders that an intent before the stretch asks for.
func (b *books) searchBefore(ctx context.Context) error {
	names := make(map[string]bool)
	for _, o := range b.strange {
		names[o.tenant] = true
	}
	before := history.Stretch{Tenants: slices.Sorted(maps.Keys(names)), To: b.first - 1}
	if b.messages == 0 {
		before.To, before.Until = 0, b.since()
	}
	return b.src.Read(ctx, before, b.progress, func(n int, e ledger.Entry) error {
		if n != b.n {
			return history.ErrSkipShard
		}
		if e.Class == ledger.Intents {
			delete(b.strange, b.key(e.Tenant, order.PeekID(e.Data)))
		}
		return nil
	})
}
