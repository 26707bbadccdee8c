package updates

import (
	"cmp"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// orderStatus is an order's state after an event.
var orderStatus = map[string]string{
	order.EventPartialFill: "partially_filled",
	order.EventFill:        "filled",
	order.EventCanceled:    order.EventCanceled,
	order.EventExpired:     order.EventExpired,
	order.EventRejected:    order.EventRejected,
	order.EventReplaced:    order.EventReplaced,
}

// about is an update of an order. Nothing in it depends on who told of the event.
func about(e *entry, event string, at time.Time) order.Update {
	return order.Update{
		Version:       order.Version,
		Event:         event,
		IntentID:      e.intentID,
		ClientOrderID: e.clientID,
		BrokerOrderID: e.id,
		Symbol:        e.symbol,
		Side:          e.side,
		OrderStatus:   orderStatus[event],
		At:            at.UTC(),
	}
}

// filled is the update of a fill; last says that the order is filled with it.
func filled(e *entry, f broker.Fill, last bool) order.Update {
	event := order.EventPartialFill
	if last {
		event = order.EventFill
	}
	u := about(e, event, f.At)
	u.Price, u.Qty, u.FilledQty = &f.Price, &f.Qty, &f.Cum
	if last {
		u.Legs = e.legs
	}
	return u
}

// ended is the update of an order's end, other than by a fill.
func ended(e *entry, r *broker.Record, at time.Time) order.Update {
	if !r.Ended.IsZero() {
		at = r.Ended
	}
	u := about(e, r.Status, at)
	u.FilledQty = &r.FilledQty
	if r.Status == order.EventReplaced {
		u.ReplacedBy = r.ReplacedBy
	} else {
		u.Legs = e.legs // those of a replaced order went to its successor
	}
	return u
}

// happened is an update and when it happened, as far as its place among the others goes.
type happened struct {
	order.Update
	when time.Time
}

// inOrder brings what happened to several orders into the broker's order. Each one's own
// order is kept, whatever its times say.
func inOrder(perOrder [][]order.Update) []order.Update {
	var all []happened
	for _, updates := range perOrder {
		var last time.Time
		for _, u := range updates {
			if u.At.After(last) {
				last = u.At
			}
			all = append(all, happened{u, last})
		}
	}
	slices.SortStableFunc(all, func(a, b happened) int {
		return cmp.Or(a.when.Compare(b.when), rank(a)-rank(b))
	})
	updates := make([]order.Update, len(all))
	for i := range all {
		updates[i] = all[i].Update
	}
	return updates
}

// rank puts fills before ends where both are of one moment: a fill of one leg ends the other.
func rank(h happened) int {
	if h.Fills() {
		return 0
	}
	return 1
}
