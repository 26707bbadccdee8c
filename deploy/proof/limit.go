package proof

import (
	"maps"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// Use is how far a limit was used.
type Use struct {
	Limit    string          `json:"limit"` // as outcomes name it
	Tenants  int             `json:"tenants"`
	Most     decimal.Decimal `json:"most"`    // that any of them had
	Allowed  decimal.Decimal `json:"allowed"` // the highest that one is set to
	Refusals int             `json:"refusals"`
}

// bound is a limit that is judged.
type bound struct {
	name string
	// of is what it is set to; false if it is not.
	of func(l *tenant.Limits) (decimal.Decimal, bool)
	// most is what the broker's ledger shows that there was: of one order, at once, in a window.
	most func(t *traded) decimal.Decimal
	// justified says that an intent may have been refused for it. It may say so too often: what
	// an owner counted, and when, the ledger does not tell exactly.
	justified func(l *tenant.Limits, t *traded, in *Intent, o *Outcome) bool
}

// bounds are the limits that are judged. Whatever others are set justify nothing.
//
// Of the windows, arrivals prove this. An owner counts an order from its answer on, and looks
// at the count before it makes a request: so the answers of those that count are all younger
// than the window when it is made. An order arrives before its answer and behind the making of
// its request. Hence between the arrivals of an order and of the one so many behind it there is
// a whole window at least, however often they were tried: the arrivals that booked them are
// compared.
var bounds = []bound{
	{
		name: "max_qty",
		of: func(l *tenant.Limits) (decimal.Decimal, bool) {
			if l.MaxQty == nil {
				return decimal.Decimal{}, false
			}
			return *l.MaxQty, true
		},
		most: func(t *traded) decimal.Decimal { return t.largest },
		justified: func(l *tenant.Limits, _ *traded, in *Intent, _ *Outcome) bool {
			return in.Order == nil || in.Order.Qty == nil || in.Order.Qty.GreaterThan(*l.MaxQty)
		},
	},
	window("orders_per_second", time.Second, func(l *tenant.Limits) int { return l.OrdersPerSecond }),
	window("orders_per_minute", time.Minute, func(l *tenant.Limits) int { return l.OrdersPerMinute }),
	{
		name: "open_orders",
		of:   whole(func(l *tenant.Limits) int { return l.OpenOrders }),
		most: func(t *traded) decimal.Decimal { return decimal.NewFromInt(int64(t.open)) },
		justified: func(l *tenant.Limits, t *traded, _ *Intent, o *Outcome) bool {
			return t.before(o, time.Time{}) >= l.OpenOrders
		},
	},
}

func whole(of func(l *tenant.Limits) int) func(l *tenant.Limits) (decimal.Decimal, bool) {
	return func(l *tenant.Limits) (decimal.Decimal, bool) {
		return decimal.NewFromInt(int64(of(l))), of(l) > 0
	}
}

// window bounds the orders in any time as long as a span.
func window(name string, span time.Duration, of func(l *tenant.Limits) int) bound {
	return bound{
		name: name,
		of:   whole(of),
		most: func(t *traded) decimal.Decimal { return decimal.NewFromInt(int64(t.within(span))) },
		justified: func(l *tenant.Limits, t *traded, in *Intent, o *Outcome) bool {
			from := o.Received
			if from.IsZero() {
				from = in.At
			}
			return t.before(o, from.Add(-span)) >= of(l)
		},
	}
}

// traded is what a tenant under limits did.
type traded struct {
	arrivals []time.Time // that booked an order, in order
	largest  decimal.Decimal
	open     int        // orders at the end
	went     []*Outcome // of orders that went to the broker, in their order
}

// within is the most orders that were in a time shorter than a span.
func (t *traded) within(span time.Duration) (most int) {
	first := 0
	for i, at := range t.arrivals {
		for at.Sub(t.arrivals[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// before counts the orders that went to the broker before an outcome, but for those that
// had their own outcome before a moment.
func (t *traded) before(o *Outcome, from time.Time) (n int) {
	for _, other := range t.went {
		if other.Seq < o.Seq && other.At.After(from) {
			n++
		}
	}
	return n
}

// gather finds out what the tenants under limits did.
func (c *checker) gather() {
	c.traded = make(map[string]*traded, len(c.h.Limits))
	for name := range c.h.Limits {
		c.traded[name] = &traded{open: c.h.Open[name]}
	}
	for i := range c.h.Bookings {
		b := &c.h.Bookings[i]
		t, cl := c.traded[b.Account], c.claims[b.ClientOrderID]
		if t == nil || b != cl.bookings[0] { // a second order is another rule's matter
			continue
		}
		t.arrivals = append(t.arrivals, b.Received)
		if qty, err := decimal.NewFromString(b.Qty); err == nil && !cl.closes() {
			t.largest = decimal.Max(t.largest, qty)
		}
	}
	for i := range c.h.Outcomes {
		o := &c.h.Outcomes[i]
		if t := c.traded[o.Tenant]; t != nil && (o.Attempts > 0 || Books(o.Kind) && (o.Status == order.Accepted || o.Status == order.Failed)) {
			t.went = append(t.went, o)
		}
	}
	for _, t := range c.traded {
		slices.SortFunc(t.arrivals, time.Time.Compare)
	}
}

// closes says that an order closes a position: its size is not bounded.
func (cl *claim) closes() bool {
	return len(cl.intents) > 0 && cl.intents[0].Kind == order.KindClosePosition
}

// checkLimits: the broker's ledger has nothing beyond what a tenant may.
func (c *checker) checkLimits() {
	for i := range bounds {
		one := &bounds[i]
		use := Use{Limit: one.name}
		for _, name := range slices.Sorted(maps.Keys(c.h.Limits)) {
			limits := c.h.Limits[name]
			allowed, set := one.of(&limits)
			if !set {
				continue
			}
			most := one.most(c.traded[name])
			if most.GreaterThan(allowed) {
				c.find(Exceeded, "%s of %s is %s, and the broker's ledger shows %s", one.name, name, allowed, most)
			}
			use.Tenants++
			use.Most, use.Allowed = decimal.Max(use.Most, most), decimal.Max(use.Allowed, allowed)
		}
		if use.Tenants == 0 {
			continue
		}
		for j := range c.h.Outcomes {
			if o := &c.h.Outcomes[j]; o.Status == order.Blocked && o.Rule == one.name {
				use.Refusals++
			}
		}
		c.Uses = append(c.Uses, use)
	}
}

// limited says that a tenant's limit of a name may have refused an intent.
func (c *checker) limited(in *Intent, o *Outcome) bool {
	limits := c.h.Limits[in.Tenant]
	for i := range bounds {
		one := &bounds[i]
		if _, set := one.of(&limits); set && one.name == o.Rule {
			return one.justified(&limits, c.traded[in.Tenant], in, o)
		}
	}
	return false
}
