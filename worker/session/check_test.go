package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/session"
	"github.com/shopspring/decimal"
)

// some is a price that is known so many times.
type some struct{ left int }

func (s *some) Quote(string) (price.Quote, bool) {
	s.left--
	return price.Quote{Price: decimal.New(100, 0), At: time.Now()}, s.left >= 0
}

// usedUp says with each order that it takes that the window's requests are used up.
type usedUp struct{ yes }

func (u usedUp) Place(ctx context.Context, id string, o *order.Order, at time.Time) broker.Verdict {
	v := u.yes.Place(ctx, id, o, at)
	v.Limits = broker.Limits{Limit: 200, Remaining: 0, Reset: 50 * time.Millisecond}
	return v
}

// TestCheckedAgainBeforeItIsWritten: an order that had to wait for its rate limit is checked
// again when it may be written: here its price is known no longer.
func TestCheckedAgainBeforeItIsWritten(t *testing.T) {
	b := newBench(t, usedUp{})
	b.prices = &some{left: 2} // the check of the first order, and the first check of the second
	percent := decimal.New(5, 0)
	r := b.run(func(st *session.Start) {
		st.Terms = &tenant.Terms{Limits: tenant.Limits{CollarPercent: &percent}}
	})
	b.inbox <- b.intent(1, "one")
	b.inbox <- b.intent(2, "two")
	var o order.Outcome
	for o.IntentSeq != 2 {
		o = b.outcome()
	}
	if o.Status != order.Blocked || o.Rule != "price_collar" || o.Attempts != 0 || o.Counted != nil ||
		o.Course == nil || len(o.Course.Waits) != 1 || o.Course.Waits[0].Why != order.WhyRateLimit {
		t.Errorf("outcome %+v, course %+v", o, o.Course)
	}
	close(b.drain)
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}
