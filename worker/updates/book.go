package updates

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// book is what a tenant's outcomes and updates amount to: which of its orders are open at
// the broker, and what of each is on the ledger. One goroutine owns it.
type book struct {
	tenant string
	// orders are, by the broker's id, those that are open, and those that are over although
	// their intent has no outcome yet.
	orders map[string]*entry
	// unclaimed are those of them whose intent has no outcome yet, by client order id.
	unclaimed map[string]*entry
	past      past   // orders that are over, and need no more of our attention
	seen      uint64 // every outcome up to here is in it
	tip       uint64 // the tenant's last update
	// unsure: an intent failed, and the broker may have an order of it that no outcome names.
	unsure bool
}

// entry is an order in the book.
type entry struct {
	id       string // the broker's
	clientID string // empty until it is known
	intentID string
	origin   string // of the first order in whose place it stands, that one's intent; else empty
	symbol   string
	side     order.Side
	leg      bool // it hangs on another order
	over     bool

	cum  decimal.Decimal // filled, as far as it is on the ledger
	cost decimal.Decimal // what that cost
	// inherits is what the order that it replaces had filled then. Brokers may count it in.
	inherits decimal.Decimal

	legs      []string
	legsKnown bool
	heard     bool      // the broker's stream or its lists told of it
	absent    time.Time // since when the broker knows nothing of it
	misses    int       // how often it said so
	// unconfirmed: the stream told of what the lists did not confirm in time.
	unconfirmed bool

	// See since.
	outcome, update uint64
	from            *entry    // what it came from; nil once its own outcome is on the ledger
	at              time.Time // of its last update, by the broker's clock
}

// since is the first message that has to be read to know of the order: its outcome, its first
// update or, while its own outcome is not there, what tells of the order that it came from. 0
// if the ledger does not tell of it yet.
func (e *entry) since() uint64 {
	var first uint64
	for one := e; one != nil; one = one.from { // it ends: see descend
		for _, seq := range [...]uint64{one.outcome, one.update} {
			if seq > 0 && (first == 0 || seq < first) {
				first = seq
			}
		}
	}
	return first
}

func newBook(tenant string, seen uint64) *book {
	return &book{tenant: tenant, orders: make(map[string]*entry), unclaimed: make(map[string]*entry), past: newPast(), seen: seen}
}

// ours says whether a client order id is one that the fleet made for the tenant, and of
// which intent.
func (b *book) ours(clientID string) (intentID string, ok bool) {
	tenant, intentID, ok := order.ParseClientOrderID(clientID)
	return intentID, ok && tenant == b.tenant
}

// fold folds a message of the ledger in.
func (b *book) fold(e ledger.Entry) error {
	switch e.Class {
	case ledger.Outcomes:
		_, err := b.heed(e)
		return err
	case ledger.Updates:
		u, err := order.DecodeUpdate(e.Data)
		if err != nil {
			return fmt.Errorf("updates: update at sequence %d: %w", e.Seq, err)
		}
		b.stood(b.apply(&u), e.Seq)
	case ledger.Intents, ledger.Controls, ledger.Epochs:
	}
	return nil
}

// placing is what of an outcome matters here: reading it whole takes twice as long.
type placing struct {
	Kind          order.Kind   `json:"kind"`
	Status        order.Status `json:"status"`
	BrokerOrderID string       `json:"broker_order_id"`
	ClientOrderID string       `json:"client_order_id"`
}

// heed folds a message in that is an outcome, and returns the order that it tells of, if that
// is open.
func (b *book) heed(e ledger.Entry) (*entry, error) {
	if e.Seq <= b.seen {
		return nil, nil
	}
	var o placing
	if err := json.Unmarshal(e.Data, &o); err != nil {
		return nil, fmt.Errorf("updates: outcome at sequence %d: %w", e.Seq, err)
	}
	return b.outcome(&o, e.Seq), nil
}

// outcome folds an outcome in, and returns the order that it tells of, if that is open.
func (b *book) outcome(o *placing, seq uint64) *entry {
	b.seen = seq
	switch o.Kind {
	case order.KindOrder, order.KindReplace, order.KindClosePosition:
	default: // those of other kinds name orders of other intents
		return nil
	}
	e := b.unclaimed[o.ClientOrderID]
	if o.Status == order.Failed && e == nil {
		b.unsure = true
	}
	if o.Status == order.Accepted && o.BrokerOrderID != "" && !b.past.has(o.BrokerOrderID) {
		e = b.meet(o.BrokerOrderID)
		b.name(e, o.ClientOrderID)
	}
	if e == nil {
		return nil
	}
	e.outcome, e.from = seq, nil
	delete(b.unclaimed, o.ClientOrderID)
	if e.over {
		b.leave(e)
		return nil
	}
	return e
}

// meet is the entry of an order, a new one if need be.
func (b *book) meet(id string) *entry {
	e := b.orders[id]
	if e == nil {
		e = &entry{id: id}
		b.orders[id] = e
	}
	return e
}

// name notes an order's client order id and, if the fleet made it, its intent.
func (b *book) name(e *entry, clientID string) {
	if e.clientID != "" || clientID == "" {
		return
	}
	e.clientID = clientID
	if intentID, ok := b.ours(clientID); ok {
		e.intentID = intentID
		if e.outcome == 0 {
			b.unclaimed[clientID] = e
		}
	}
}

// leave drops an order that needs no more attention.
func (b *book) leave(e *entry) {
	delete(b.orders, e.id)
	delete(b.unclaimed, e.clientID)
	b.past.Add(e.id)
	_, asked := b.ours(e.clientID)
	switch {
	case asked && len(b.past.kept) == 0:
	case !b.follows(e.intentID):
		b.past.drop(e.intentID)
	case !asked:
		b.past.keep(e.id, e.intentID)
	}
}

// follows says that there is an order of an intent.
func (b *book) follows(intentID string) bool {
	for _, e := range b.orders {
		if e.intentID == intentID {
			return true
		}
	}
	return false
}

// apply folds in what an update says, and returns its order. Where the update stands,
// [book.stood] says later.
func (b *book) apply(u *order.Update) *entry {
	if u.Late || b.past.has(u.BrokerOrderID) { // a late one changes nothing that came after it
		return nil
	}
	e := b.meet(u.BrokerOrderID)
	b.name(e, u.ClientOrderID)
	e.intentID = cmp.Or(e.intentID, u.IntentID)
	e.symbol, e.side, e.heard, e.unconfirmed, e.at = u.Symbol, u.Side, true, false, u.At
	if u.FilledQty != nil {
		e.cum = *u.FilledQty
	}
	if u.Fills() && u.Price != nil && u.Qty != nil {
		e.cost = e.cost.Add(u.Price.Mul(*u.Qty))
	}
	if !u.Ends() {
		return e
	}
	e.over = true
	for _, id := range u.Legs {
		b.leg(e, id, cmp.Or(e.origin, e.intentID))
	}
	if u.ReplacedBy != "" {
		b.successor(e, u.ReplacedBy)
	}
	return e
}

// has says that what an update tells is in the book.
func (b *book) has(u *order.Update) bool {
	e := b.orders[u.BrokerOrderID]
	return e == nil || e.over || u.Fills() && !u.FilledQty.GreaterThan(e.cum)
}

// stood notes where the update of an order stands that was applied.
func (b *book) stood(e *entry, seq uint64) {
	b.tip = seq
	if e == nil {
		return
	}
	if e.update == 0 {
		e.update = seq
	}
	if e.over && b.unclaimed[e.clientID] != e {
		b.leave(e)
	}
}

// leg enters an order that hangs on another one, for an intent, and returns it; nil if it
// is over.
func (b *book) leg(parent *entry, id, intentID string) *entry {
	if b.past.has(id) {
		return nil
	}
	e := b.meet(id)
	e.leg, e.intentID = true, cmp.Or(e.intentID, intentID)
	e.descend(parent)
	return e
}

// successor enters the order that takes the place of another one, and returns it; nil if it
// is over.
func (b *book) successor(old *entry, id string) *entry {
	if b.past.has(id) {
		return nil
	}
	e := b.meet(id)
	e.leg, e.inherits = e.leg || old.leg, old.cum
	e.origin = cmp.Or(old.origin, old.intentID)
	if e.clientID == "" {
		e.intentID = cmp.Or(e.intentID, old.intentID) // until its own is known
	}
	e.descend(old)
	return e
}

// descend notes what an order came from, unless an outcome of its own tells of it. Nothing
// comes from itself, whatever a broker says.
func (e *entry) descend(from *entry) {
	if e.outcome > 0 || e.from != nil {
		return
	}
	for one := from; one != nil; one = one.from {
		if one == e {
			return
		}
	}
	e.from = from
}

// unclaimedFor is how long an order that is over waits for the outcome of its intent, by
// which it is known after the ledger was read again.
const unclaimedFor = 24 * time.Hour

// prune drops orders that are over and whose intents got their outcomes before what was read.
func (b *book) prune(now time.Time) {
	for _, e := range b.orders {
		if e.over && now.Sub(e.at) > unclaimedFor {
			b.leave(e)
		}
	}
}

// open says that an order is open, or may be.
func (b *book) open() bool {
	if b.unsure {
		return true
	}
	for _, e := range b.orders {
		if !e.over {
			return true
		}
	}
	return false
}

// mute says that there is an open order of which the broker told nothing yet.
func (b *book) mute() bool {
	for _, e := range b.orders {
		if !e.over && !e.heard && e.outcome > 0 {
			return true
		}
	}
	return false
}

// openIDs are the open orders, the oldest first.
func (b *book) openIDs() []string {
	var all []*entry
	for _, e := range b.orders {
		if !e.over {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(x, y *entry) int {
		return cmp.Or(cmp.Compare(x.since(), y.since()), cmp.Compare(x.id, y.id))
	})
	ids := make([]string, len(all))
	for i, e := range all {
		ids[i] = e.id
	}
	return ids
}

// openSince is what an update says that is written now; see [order.Update]. An outcome that
// is not seen yet stands behind all that are.
func (b *book) openSince() uint64 {
	since := b.seen + 1
	for _, e := range b.orders {
		if first := e.since(); first > 0 {
			since = min(since, first)
		}
	}
	return since
}
