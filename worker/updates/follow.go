package updates

import (
	"context"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// buffered is how many events a feed may be ahead of the follower; what comes on top waits
// in its connection.
const buffered = 64

// follow opens a feed, catches up with what happened before, and records what happens, until
// the feed ends ([*cutError]) or the follower.
func (f *Follower) follow(ctx context.Context) error {
	if err := f.line(ctx); err != nil {
		return err
	}
	f.stale = false
	feed, v := f.books.Follow(ctx)
	if v.Kind != broker.Found {
		return f.unopened(ctx, v)
	}
	ctx, stop := context.WithCancel(ctx)
	events := make(chan *broker.Event, buffered)
	var ended error // to be read when events is closed
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(events)
		for {
			e, err := feed.Next(ctx)
			if err != nil {
				ended = err
				return
			}
			select {
			case events <- &e:
			case <-ctx.Done():
				return
			}
		}
	})
	f.events, f.next = events, nil
	defer func() { f.events, f.next = nil, nil }()
	defer reading.Wait()
	defer feed.Close()
	defer stop()
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	return f.attend(ctx, &ended)
}

// unopened looks things up now and then while no feed opens.
func (f *Follower) unopened(ctx context.Context, v broker.Verdict) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.shut = !f.reached
	f.doubt(v)
	if time.Since(f.looked) >= f.cfg.Check {
		if err := f.catchUp(ctx); err != nil {
			return err
		}
	}
	return &cutError{why: v.Message, wait: v.Wait}
}

// attend records what happens.
func (f *Follower) attend(ctx context.Context, ended *error) error {
	check := time.NewTimer(jittered(f.cfg.Check))
	defer check.Stop()
	enough := time.NewTimer(f.cfg.Linger)
	defer enough.Stop()
	idle := false
	for {
		if f.stale {
			return errRenewed
		}
		if e := f.next; e != nil {
			f.next = nil
			if err := f.happen(ctx, e); err != nil {
				return err
			}
			continue
		}
		if len(f.events) == 0 { // otherwise the next update waits for the last one's acknowledgement
			if err := f.settle(ctx); err != nil {
				return err
			}
		}
		if open := f.book.open(); open == idle {
			if idle = !open; idle {
				enough.Reset(f.cfg.Linger)
			}
		}
		var alarm, over <-chan time.Time
		if !f.unheard.IsZero() {
			alarm = time.After(time.Until(f.unheard))
		}
		if idle {
			over = enough.C
		}
		select {
		case e, ok := <-f.events:
			if !ok {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return &cutError{why: (*ended).Error()}
			}
			f.next = e
		case e, ok := <-f.st.Inbox.Outcomes:
			if err := f.hear(ctx, e, ok); err != nil {
				return err
			}
		case <-alarm:
			f.unheard = time.Time{}
			if f.book.mute() {
				if err := f.catchUp(ctx); err != nil {
					return err
				}
			}
		case <-f.st.Renewed:
			f.renew()
		case <-check.C:
			if err := f.catchUp(ctx); err != nil {
				return err
			}
			check.Reset(jittered(f.cfg.Check))
		case <-over:
			return errDone
		case <-f.turnOver():
			return errYield
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// maxGap is how long the lists have to confirm what the feed tells. What they do not is left
// to the next check: other orders are not held up by it.
const maxGap = 30 * time.Second

// happen records an event of the feed, if it is one to be recorded and is not yet.
func (f *Follower) happen(ctx context.Context, e *broker.Event) error {
	one, err := f.concerns(ctx, e)
	if one == nil || err != nil {
		return err
	}
	var pause backoff
	began := time.Now()
	for tries := 0; ; tries++ {
		u, gap := f.update(one, e)
		switch {
		case !gap && u != nil:
			if err := f.claim(ctx, one); err != nil {
				return err
			}
			return f.record(ctx, *u)
		case !gap:
			return nil
		case one.unconfirmed:
			return nil
		case time.Since(began) >= maxGap:
			one.unconfirmed = true
			f.log.Error().Str("broker_order_id", one.id).Str("event", e.Kind).Msg("the broker's lists do not confirm what its stream tells of an order; they are looked at again later")
			return nil
		case tries == 0:
			f.log.Info().Str("broker_order_id", one.id).Str("event", e.Kind).Msg("something was missed before an update; looking it up")
		default: // the lists lag behind the feed
			if err := f.sleep(ctx, pause.next()); err != nil {
				return err
			}
		}
		if err := f.catchUp(ctx); err != nil {
			return err
		}
	}
}

// concerns is the order that an event tells of, with what hangs on it; nil if it is over, or
// none of ours.
func (f *Follower) concerns(ctx context.Context, e *broker.Event) (*entry, error) {
	if e.Kind == "trade_bust" || e.Kind == "trade_correct" {
		f.log.Error().Str("broker_order_id", e.Order.ID).Str("event", e.Kind).Msg("the exchange took a trade back; somebody must look")
	}
	if e.Order.Over() && !tells(e.Kind) && f.book.orders[e.Order.ID] == nil {
		return nil, nil // it was over long ago, and forgotten
	}
	one := f.about(&e.Order)
	if one == nil || one.over {
		return nil, nil
	}
	return one, f.nest(ctx, one, &e.Order)
}

// tells says that events of a kind are recorded.
func tells(kind string) bool {
	_, ok := orderStatus[kind]
	return ok
}

// claimTime is how long an update of an order waits for the outcome of its intent. Brokers
// fill an order before its session has read their answer, and an update behind that outcome
// tells the next owner of the shard more.
const claimTime = 100 * time.Millisecond

// claim waits for the outcome that tells of an order, but not for long: it may be long past.
func (f *Follower) claim(ctx context.Context, one *entry) error {
	if f.book.unclaimed[one.clientID] != one {
		return nil
	}
	enough := time.NewTimer(claimTime)
	defer enough.Stop()
	for f.book.unclaimed[one.clientID] == one {
		select {
		case e, ok := <-f.st.Inbox.Outcomes:
			if err := f.hear(ctx, e, ok); err != nil {
				return err
			}
		case <-enough.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// about is the entry of an order that the feed or a list shows, nil if it is none of ours.
func (f *Follower) about(r *broker.Record) *entry {
	b := f.book
	if b.past.has(r.ID) {
		return nil
	}
	_, ours := b.ours(r.ClientOrderID)
	e := b.orders[r.ID]
	switch old := b.orders[r.Replaces]; {
	case e != nil:
	case ours:
		e = b.meet(r.ID)
	case r.Replaces != "" && old != nil: // somebody replaced it by hand
		e = b.successor(old, r.ID)
	default:
		return nil
	}
	b.name(e, r.ClientOrderID)
	e.symbol, e.side = r.Symbol, r.Side
	e.heard, e.misses, e.absent = true, 0, time.Time{}
	return e
}

// update is what is to be recorded of an event of an order that is open, nil if it is
// nothing, or known. gap says that something before it was missed.
func (f *Follower) update(one *entry, e *broker.Event) (u *order.Update, gap bool) {
	r := &e.Order
	switch e.Kind {
	case order.EventPartialFill, order.EventFill:
		if one.over || !r.FilledQty.GreaterThan(one.cum) {
			return nil, false
		}
		before := r.FilledQty.Sub(e.Qty)
		if !before.Equal(one.cum) && !(one.update == 0 && one.cum.IsZero() && before.Equal(one.inherits)) {
			return nil, true
		}
		fill := filled(one, broker.Fill{Price: e.Price, Qty: e.Qty, Cum: r.FilledQty, At: e.At}, e.Kind == order.EventFill)
		return &fill, false
	case order.EventCanceled, order.EventExpired, order.EventRejected, order.EventReplaced:
		switch {
		case one.over:
			return nil, false
		case r.FilledQty.GreaterThan(one.cum) && !(one.cum.IsZero() && r.FilledQty.Equal(one.inherits)),
			r.Status != e.Kind, e.Kind == order.EventReplaced && r.ReplacedBy == "":
			return nil, true // the lists say it better
		}
		end := ended(one, r, e.At)
		return &end, false
	}
	return nil, false // what changes nothing is left out
}
