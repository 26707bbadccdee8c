package proof

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// model is a fleet and a broker that do what is promised, under whatever trouble is drawn:
// lost answers, second requests, new owners, ids that are used again, operators who stop tenants.
type model struct {
	*rapid.T
	History
	now    time.Time
	seq    uint64
	epoch  map[string]uint64
	booked map[string]string // order id by client order id
	first  map[string]uint64 // the first intent with a client order id
	queue  []int             // intents without an outcome
	stops  map[string]*Stop  // that lie on tenants
}

// drawHistory draws a clean history.
func drawHistory(t *rapid.T) *model {
	m := &model{T: t, History: History{Expect: Expect{Credentials: true, Unblocked: true}}, now: noon, epoch: make(map[string]uint64), booked: make(map[string]string), first: make(map[string]uint64), stops: make(map[string]*Stop)}
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		m.now = m.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
		switch {
		case rapid.IntRange(0, 9).Draw(t, "throw") == 0:
			m.throw(rapid.SampledFrom(names).Draw(t, "tenant"))
		case len(m.queue) == 0 || rapid.Bool().Draw(t, "publish"):
			m.publish()
		default:
			m.settle(rapid.IntRange(0, len(m.queue)-1).Draw(t, "which"))
		}
	}
	for _, name := range names {
		if m.stops[name] != nil {
			m.throw(name)
		}
	}
	for len(m.queue) > 0 {
		m.settle(0)
	}
	return m
}

var names = []string{"a", "b", "c"}

// throw stops a tenant, or lets one go on.
func (m *model) throw(name string) {
	if s := m.stops[name]; s != nil {
		s.Lifted = m.now
		m.now = m.now.Add(time.Millisecond)
		s.Over = m.now
		m.Stops = append(m.Stops, *s)
		delete(m.stops, name)
		return
	}
	s := &Stop{Tenant: name, Mode: rapid.SampledFrom([]tenant.Mode{tenant.Halt, tenant.Pause}).Draw(m.T, "mode"), Written: m.now}
	m.now = m.now.Add(time.Millisecond)
	s.Confirmed = m.now
	m.stops[name] = s
}

func (m *model) publish() {
	m.seq++
	name := rapid.SampledFrom(names).Draw(m.T, "tenant")
	in := Intent{Tenant: name, Seq: m.seq, At: m.now}
	in.ID = fmt.Sprint(rapid.IntRange(1, 20).Draw(m.T, "id"))
	in.Kind = rapid.SampledFrom([]order.Kind{order.KindOrder, order.KindOrder, order.KindReplace, order.KindCancel}).Draw(m.T, "kind")
	in.ExpiresAt = m.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(m.T, "seconds")) * time.Second)
	if Books(in.Kind) {
		in.Order = buy(fmt.Sprint(rapid.IntRange(1, 9).Draw(m.T, "qty")))
	}
	if rapid.Bool().Draw(m.T, "acknowledged") {
		m.Receipts = append(m.Receipts, Receipt{name, in.ID, in.Seq, DigestOf(in.Intent)})
	}
	m.Intents = append(m.Intents, in)
	m.queue = append(m.queue, len(m.Intents)-1)
}

// settle gives the oldest waiting intent of some waiting intent's tenant its outcome.
func (m *model) settle(which int) {
	name := m.Intents[m.queue[which]].Tenant
	if s := m.stops[name]; s != nil && s.Mode == tenant.Pause {
		return // they wait
	}
	for i, n := range m.queue {
		if m.Intents[n].Tenant == name {
			m.queue = append(m.queue[:i:i], m.queue[i+1:]...)
			m.decide(&m.Intents[n])
			return
		}
	}
}

func (m *model) decide(in *Intent) {
	if rapid.Bool().Draw(m.T, "new owner") {
		m.epoch[in.Tenant]++
	}
	o := Outcome{Tenant: in.Tenant}
	o.IntentID, o.IntentSeq, o.Kind, o.Epoch = in.ID, in.Seq, in.Kind, m.epoch[in.Tenant]
	id := order.ClientOrderID(in.Tenant, in.ID)
	switch first, used := m.first[id]; {
	case used:
		o.Status, o.DuplicateOf = order.Duplicate, first
	case !Books(in.Kind):
		o.Status = order.Accepted
	case m.stops[in.Tenant] != nil:
		o.Status, o.Rule = order.Blocked, "halted"
	default:
		m.drive(in, &o, id)
	}
	if _, used := m.first[id]; !used {
		m.first[id] = in.Seq
	}
	m.seq++
	m.now = m.now.Add(time.Millisecond)
	o.Seq, o.At = m.seq, m.now
	m.Outcomes = append(m.Outcomes, o)
}

// drive sends requests until one has an answer, or the time is over.
func (m *model) drive(in *Intent, o *Outcome, id string) {
	for {
		m.now = m.now.Add(time.Duration(rapid.IntRange(1, 500).Draw(m.T, "wait")) * time.Millisecond)
		if m.now.After(in.ExpiresAt) {
			o.Status = order.Expired
			return
		}
		a := Arrival{Account: in.Tenant, Method: "POST", ClientOrderID: id, Time: m.now}
		switch rapid.SampledFrom([]string{"booked", "booked, answer lost", "refused", "error", "undecided"}).Draw(m.T, "fate") {
		case "booked", "booked, answer lost": // a lookup finds it
			a.Status = 200
			m.Arrivals = append(m.Arrivals, a)
			o.Status, o.ClientOrderID, o.BrokerOrderID = order.Accepted, id, "order of "+id
			m.Bookings = append(m.Bookings, Booking{
				Account: in.Tenant, ClientOrderID: id, OrderID: o.BrokerOrderID, Symbol: in.Order.Symbol,
				Side: string(in.Order.Side), Type: string(in.Order.Type), Qty: in.Order.Qty.String(), Received: m.now,
			})
			return
		case "refused":
			a.Status = 422
			m.Arrivals = append(m.Arrivals, a)
			o.Status, o.HTTPStatus = order.Rejected, 422
			return
		case "undecided":
			m.Arrivals = append(m.Arrivals, a)
			o.Status = order.Failed
			m.now = latest(m.now, in.ExpiresAt)
			return
		}
		a.Status = 503
		m.Arrivals = append(m.Arrivals, a)
	}
}

// intent is that of an outcome.
func (m *model) intent(o *Outcome) *Intent {
	return find(m.Intents, func(in *Intent) bool { return in.Tenant == o.Tenant && in.Seq == o.IntentSeq })
}

// excuse gives an outcome of one status another one, if its intent had time left.
func (m *model) excuse(i int, was, is order.Status) bool {
	o := &m.Outcomes[i]
	for j := range m.Intents {
		if in := &m.Intents[j]; in.Tenant == o.Tenant && in.Seq == o.IntentSeq && o.Status == was && o.At.Before(in.ExpiresAt) {
			o.Status = is
			return true
		}
	}
	return false
}

// TestCleanHistoriesAreClean: whatever happens within the rules, nothing is found.
func TestCleanHistoriesAreClean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if r := Check(drawHistory(t).History); !r.OK() {
			t.Errorf("%v", r.Findings)
		}
	})
}

// TestBrokenHistoriesAreNot: one violation somewhere in a long history is found.
func TestBrokenHistoriesAreNot(t *testing.T) {
	breaks := []struct {
		rule  Rule
		plant func(m *model) bool // false: this history offers no place for it
	}{
		{MissingIntent, func(m *model) bool {
			return some(m, m.Receipts, func(i int) bool { m.Receipts[i].Seq += 1000; return true })
		}},
		{MissingOutcome, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool { drop(&m.Outcomes, i); return true })
		}},
		{SecondOutcome, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool { m.Outcomes = append(m.Outcomes, m.Outcomes[i]); return true })
		}},
		{SecondOrder, func(m *model) bool {
			return some(m, m.Bookings, func(i int) bool { m.Bookings = append(m.Bookings, m.Bookings[i]); return true })
		}},
		{MissingOrder, func(m *model) bool {
			return some(m, m.Bookings, func(i int) bool { drop(&m.Bookings, i); return true })
		}},
		{OtherOrder, func(m *model) bool {
			return some(m, m.Bookings, func(i int) bool {
				m.Bookings[i].Qty = decimal.RequireFromString(m.Bookings[i].Qty).Add(decimal.New(1, 0)).String()
				return true
			})
		}},
		{DeniedOrder, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool {
				o := &m.Outcomes[i]
				if o.Status != order.Accepted || !Books(o.Kind) {
					return false
				}
				o.Status = order.Expired
				return true
			})
		}},
		{OutcomeOrder, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool {
				for j := range i {
					if m.Outcomes[j].Tenant == m.Outcomes[i].Tenant {
						m.Outcomes[i], m.Outcomes[j] = m.Outcomes[j], m.Outcomes[i]
						return true
					}
				}
				return false
			})
		}},
		{BookingOrder, func(m *model) bool {
			return some(m, m.Bookings, func(i int) bool {
				for j := range i {
					if m.Bookings[j].Account == m.Bookings[i].Account {
						m.Bookings[i], m.Bookings[j] = m.Bookings[j], m.Bookings[i]
						return true
					}
				}
				return false
			})
		}},
		{Stale, func(m *model) bool {
			return some(m, m.Arrivals, func(i int) bool { m.Arrivals[i].Time = m.now.Add(time.Hour); return true })
		}},
		{Afterlife, func(m *model) bool {
			return some(m, m.Arrivals, func(i int) bool { m.Arrivals[i].Time = m.now.Add(time.Hour); return true })
		}},
		{StrangeRequest, func(m *model) bool {
			return some(m, m.Arrivals, func(i int) bool { m.Arrivals[i].ClientOrderID = "7c9b"; return true })
		}},
		{Altered, func(m *model) bool {
			return some(m, m.Receipts, func(i int) bool { m.Receipts[i].Digest[0]++; return true })
		}},
		{Repeated, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool { return m.excuse(i, order.Duplicate, order.Expired) })
		}},
		{GaveUp, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool { return m.excuse(i, order.Accepted, order.Failed) })
		}},
		{Early, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool { return m.excuse(i, order.Rejected, order.Expired) })
		}},
		{NeverInvalid, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool {
				return m.Outcomes[i].Kind == order.KindOrder && m.excuse(i, order.Rejected, order.Invalid)
			})
		}},
		{NeverBlocked, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool { return m.excuse(i, order.Rejected, order.Blocked) })
		}},
		{Unstopped, func(m *model) bool {
			return some(m, m.Arrivals, func(i int) bool {
				a := &m.Arrivals[i]
				m.Stops = append(m.Stops, Stop{Tenant: a.Account, Mode: tenant.Halt, Written: a.Time.Add(-2), Confirmed: a.Time.Add(-1), Lifted: a.Time.Add(1)})
				return true
			})
		}},
		{Unheeded, func(m *model) bool {
			return some(m, m.Outcomes, func(i int) bool {
				o := &m.Outcomes[i]
				in := m.intent(o)
				if o.Status != order.Accepted {
					return false
				}
				m.Stops = append(m.Stops, Stop{Tenant: o.Tenant, Mode: tenant.Pause, Written: in.At.Add(-2), Confirmed: in.At.Add(-1), Lifted: o.At.Add(1)})
				return true
			})
		}},
		{Exceeded, func(m *model) bool {
			return some(m, m.Bookings, func(i int) bool {
				for j := range i {
					if a, b := &m.Bookings[i], &m.Bookings[j]; a.Account == b.Account && a.Received.Sub(b.Received) < time.Minute {
						m.Limits = map[string]tenant.Limits{a.Account: {OrdersPerMinute: 1}}
						return true
					}
				}
				return false
			})
		}},
	}
	for _, tc := range breaks {
		t.Run(string(tc.rule), func(t *testing.T) {
			planted := 0
			rapid.Check(t, func(t *rapid.T) {
				m := drawHistory(t)
				if !tc.plant(m) {
					return
				}
				planted++
				if r := Check(m.History); r.Violations[tc.rule] == 0 {
					t.Errorf("not found, but %v", r.Findings)
				}
			})
			if planted == 0 {
				t.Error("no history offered a place for it")
			}
		})
	}
}

// some tries elements from a drawn one on until one suits.
func some[T any](m *model, all []T, do func(i int) bool) bool {
	if len(all) == 0 {
		return false
	}
	from := rapid.IntRange(0, len(all)-1).Draw(m.T, "from")
	for n := range all {
		if do((from + n) % len(all)) {
			return true
		}
	}
	return false
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
