package audit

import (
	"fmt"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// track is what is known of an order at the broker from the fleet's ledger.
type track struct {
	accepted bool
	ended    bool
	filled   *decimal.Decimal // in all; nil if nothing is known
	odd      *odd             // nil for most
	// Of an order with updates: the last of them, its tenant, and the intent it is of.
	last   uint64
	tenant *account
	owner  uint64
}

// odd is what few orders have.
type odd struct {
	gaps   []gap            // before what is filled in all: what was not told
	heired *decimal.Decimal // filled of the order whose place it took; nil if it took none
}

// oddities are what is odd about an order, to be noted.
func (t *track) oddities() *odd {
	if t.odd == nil {
		t.odd = new(odd)
	}
	return t.odd
}

// gap is a part of what is filled of an order of which no fill tells: what was filled before it,
// and after.
type gap struct{ from, to decimal.Decimal }

// accept notes that an intent may have an order now, or one before the stretch that had its id.
func (s *shard) accept(e *ledger.Entry, w *waiting, o *order.Outcome) {
	switch o.Status {
	case order.Accepted, order.Failed:
	case order.Duplicate, order.Invalid:
		if s.whole() {
			return
		}
	default:
		return
	}
	kind := o.Kind
	if w != nil {
		kind = w.kind
		for _, id := range []string{w.id, w.retryOf} {
			key := s.key(e.Tenant, id)
			if u, known := s.ids[key]; known {
				s.ids[key] = use{u.seq, true}
			}
		}
	}
	if o.Status == order.Accepted && proof.Books(kind) && o.BrokerOrderID != "" {
		s.track(e.Tenant, o.BrokerOrderID).accepted = true
	}
}

func (s *shard) track(tenant, brokerOrderID string) *track {
	key := s.key(tenant, brokerOrderID)
	t := s.orders[key]
	if t == nil {
		t = new(track)
		s.orders[key] = t
	}
	return t
}

// The broker's words for what ends an order, and for what may follow its end.
var (
	ends    = map[string]bool{order.EventFill: true, order.EventCanceled: true, order.EventExpired: true, order.EventReplaced: true, order.EventRejected: true}
	sequels = map[string]bool{"calculated": true, "restated": true, "trade_bust": true, "trade_correct": true}
)

// update takes an update: fills add up, each once and to what the end states, and nothing follows
// the end of an order. An update may stand before the outcome of its order.
func (s *shard) update(e *ledger.Entry) {
	u, err := order.DecodeUpdate(e.Data)
	if err != nil {
		s.find(Unreadable, e.Tenant, fmt.Sprintf("an update of %s: %v", e.Tenant, err), e.Seq)
		return
	}
	t := s.track(e.Tenant, u.BrokerOrderID)
	before := t.last
	if t.last == 0 {
		t.tenant, t.owner = s.tenant(e.Tenant), s.key(e.Tenant, intentOf(e.Tenant, &u))
	}
	t.last = e.Seq
	fill := u.Event == order.EventFill || u.Event == order.EventPartialFill
	switch {
	case sequels[u.Event]:
		return
	case fill && u.Late: // that it was missing, the fill behind it has shown
		if !t.fits(&u, s.whole() || t.accepted) {
			s.find(SecondFill, e.Tenant, fmt.Sprintf("update %d of %s counts a fill of order %s again, late: %s up to %s in all, of %s that were told", e.Seq, e.Tenant, u.BrokerOrderID, u.Qty, u.FilledQty, shown(t.filled)), before, e.Seq)
		}
		return
	case fill && t.counted(&u):
		s.find(SecondFill, e.Tenant, fmt.Sprintf("update %d of %s counts a fill of order %s again: %s in all, and %s before", e.Seq, e.Tenant, u.BrokerOrderID, u.FilledQty, t.filled), before, e.Seq)
		return
	case t.ended:
		s.find(AfterEnd, e.Tenant, fmt.Sprintf("update %d of %s, %s, comes behind the end of order %s", e.Seq, e.Tenant, u.Event, u.BrokerOrderID), before, e.Seq)
		return
	case fill && !t.adds(&u, s.whole() || t.accepted):
		t.oddities().gaps = append(t.oddities().gaps, gap{zero(t.filled), u.FilledQty.Sub(*u.Qty)})
		s.find(LostFill, e.Tenant, fmt.Sprintf("update %d of %s says that %s of order %s is filled, %s of it now, but %s was before", e.Seq, e.Tenant, u.FilledQty, u.BrokerOrderID, u.Qty, shown(t.filled)), e.Seq)
	case !fill && ends[u.Event] && !t.states(&u, s.whole() || t.accepted):
		t.oddities().gaps = append(t.oddities().gaps, gap{zero(t.filled), *u.FilledQty})
		s.find(LostFill, e.Tenant, fmt.Sprintf("update %d of %s, %s, says that %s of order %s is filled, but its fills tell of %s", e.Seq, e.Tenant, u.Event, u.FilledQty, u.BrokerOrderID, shown(t.filled)), e.Seq)
	}
	if u.FilledQty != nil && (fill || ends[u.Event]) && !t.counted(&u) {
		t.filled = u.FilledQty
	}
	if t.ended = ends[u.Event]; u.ReplacedBy != "" {
		before := zero(t.filled)
		s.track(e.Tenant, u.ReplacedBy).oddities().heired = &before
	}
}

// intentOf is the intent that an update says it is of.
func intentOf(tenant string, u *order.Update) string {
	if of, id, ok := order.ParseClientOrderID(u.ClientOrderID); ok && of == tenant && u.IntentID == "" {
		return id
	}
	return u.IntentID
}

// counted says that a fill is not beyond what is filled.
func (t *track) counted(u *order.Update) bool {
	return t.filled != nil && u.FilledQty != nil && !u.FilledQty.GreaterThan(*t.filled)
}

// adds says whether a fill is what was filled before and what it says itself; of an order that
// is older than the stretch, the first fill may be any. Some brokers count in of a replacement
// what was filled of the order before it.
func (t *track) adds(u *order.Update, whole bool) bool {
	if u.FilledQty == nil || u.Qty == nil || t.filled == nil && !whole {
		return true
	}
	before := decimal.Zero
	switch {
	case t.filled != nil:
		before = *t.filled
	case t.odd != nil && t.odd.heired != nil && u.FilledQty.Equal(t.odd.heired.Add(*u.Qty)):
		return true
	}
	return before.Add(*u.Qty).Equal(*u.FilledQty)
}

// states says whether the end of an order states no more than its fills tell of, and what some
// brokers count in of the order before it; of an order that is older than the stretch, it may.
func (t *track) states(u *order.Update, whole bool) bool {
	switch {
	case u.FilledQty == nil || t.filled == nil && !whole:
		return true
	case t.filled == nil && t.odd != nil && t.odd.heired != nil && u.FilledQty.Equal(*t.odd.heired):
		return true
	}
	return !u.FilledQty.GreaterThan(zero(t.filled))
}

// fits says whether a fill that was told late is one that was missing, and notes that it is there;
// of an order that is older than the stretch, any may be.
func (t *track) fits(u *order.Update, whole bool) bool {
	if u.FilledQty == nil || u.Qty == nil || !whole {
		return true
	}
	from, to := u.FilledQty.Sub(*u.Qty), *u.FilledQty
	if t.ended && to.GreaterThan(zero(t.filled)) && !from.LessThan(zero(t.filled)) { // before the end, and behind all fills
		t.oddities().gaps = append(t.oddities().gaps, gap{zero(t.filled), from})
		t.filled = u.FilledQty
		return true
	}
	if t.odd == nil {
		return false
	}
	for i, g := range t.odd.gaps {
		if from.LessThan(g.from) || to.GreaterThan(g.to) {
			continue
		}
		t.odd.gaps[i] = gap{g.from, from}
		t.odd.gaps = append(t.odd.gaps, gap{to, g.to})
		return true
	}
	return false
}

func zero(d *decimal.Decimal) decimal.Decimal {
	if d == nil {
		return decimal.Zero
	}
	return *d
}

func shown(d *decimal.Decimal) string {
	if d == nil {
		return "nothing"
	}
	return d.String()
}

// finishUpdates judges orders that have updates: an intent of the tenant answers for each.
func (s *shard) finishUpdates() {
	for _, t := range s.orders {
		if t.last == 0 || t.accepted {
			continue
		}
		of, known := s.ids[t.owner]
		switch {
		case known && (of.placed || t.tenant.find(of.seq) != nil):
		case !known && !s.whole(): // it may be older
		default:
			s.find(StrayEvent, t.tenant.name, fmt.Sprintf("update %d of %s is of an order that was not accepted", t.last, t.tenant.name), t.last)
		}
	}
}
