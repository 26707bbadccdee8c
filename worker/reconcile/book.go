package reconcile

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// Book is what a tenant's orders and positions should be, as its ledger tells: the fold of
// its intents, outcomes and updates. One goroutine owns it.
type Book struct {
	tenant string
	// asked are the requests for orders, by client order id.
	asked map[string]*request
	// due are the client order ids of intents without an outcome, by their sequence numbers.
	due map[uint64]string
	// orders are those at the broker, by its ids.
	orders map[string]*entry
	// held is what all fills amount to, by the symbols of positions.
	held map[string]decimal.Decimal
	read uint64 // sequence number of the last message
}

// request is what the ledger tells of a client order id: one intent, or an intent and those
// that drove it again.
type request struct {
	intent  string
	seq     uint64
	waiting int          // intents without an outcome
	status  order.Status // of the outcome that counts: the accepted one, else the last
	outcome uint64       // its sequence number
	order   string       // the broker's id, if it was accepted
	legs    []order.Leg  // of an order of several
}

// entry is what the ledger tells of an order at the broker.
type entry struct {
	client  string
	intent  string
	request *request // that made it, or the order on which it hangs; nil if the ledger tells of neither
	fills   spans
	cost    decimal.Decimal // of the fills
	ended   string          // the event that ended it; empty: it is open
	update  uint64          // sequence number of its last update
	at      time.Time       // when the ledger took its outcome; zero without one
}

// NewBook is the book of a tenant without a history.
func NewBook(tenant string) *Book {
	return &Book{
		tenant: tenant,
		asked:  make(map[string]*request),
		due:    make(map[uint64]string),
		orders: make(map[string]*entry),
		held:   make(map[string]decimal.Decimal),
	}
}

// Apply folds one message in. Messages must come in the order of their sequence numbers;
// those of other tenants change nothing.
func (b *Book) Apply(e ledger.Entry) error {
	b.read = e.Seq
	if e.Tenant != b.tenant {
		return nil
	}
	switch e.Class {
	case ledger.Intents:
		b.ask(e)
	case ledger.Outcomes:
		o, err := order.DecodeOutcome(e.Data)
		if err != nil {
			return fmt.Errorf("reconcile: outcome at sequence %d: %w", e.Seq, err)
		}
		b.end(e, &o)
	case ledger.Updates:
		u, err := order.DecodeUpdate(e.Data)
		if err != nil {
			return fmt.Errorf("reconcile: update at sequence %d: %w", e.Seq, err)
		}
		b.update(e.Seq, &u)
	case ledger.Controls, ledger.Epochs:
	}
	return nil
}

// ask notes an intent that can make an order. One that cannot be read cannot.
func (b *Book) ask(e ledger.Entry) {
	in, err := order.DecodeIntent(e.Data)
	if err != nil || !makes(in.Kind) {
		return
	}
	id := in.ClientOrderID(b.tenant)
	r := b.asked[id]
	if r == nil {
		r = &request{intent: in.ID, seq: e.Seq}
		b.asked[id] = r
	}
	if in.Order != nil && len(in.Order.Legs) > 0 {
		r.legs = in.Order.Legs
	}
	r.waiting++
	b.due[e.Seq] = id
}

// makes says that an intent makes an order of its own.
func makes(k order.Kind) bool {
	return k == order.KindOrder || k == order.KindReplace || k == order.KindClosePosition
}

// end notes an outcome.
func (b *Book) end(e ledger.Entry, o *order.Outcome) {
	id, known := b.due[o.IntentSeq]
	if !known { // its intent makes no order, or retention removed it
		if id = o.ClientOrderID; !makes(o.Kind) || id == "" {
			return
		}
	}
	delete(b.due, o.IntentSeq)
	r := b.asked[id]
	if r == nil {
		r = &request{intent: o.IntentID, seq: o.IntentSeq}
		b.asked[id] = r
	}
	r.waiting = max(r.waiting-1, 0)
	if r.status == order.Accepted || o.Status == order.Duplicate {
		return // the first one's outcome counts
	}
	r.status, r.outcome = o.Status, e.Seq
	if o.Status == order.Accepted {
		r.order = o.BrokerOrderID
		en := b.entry(o.BrokerOrderID)
		en.client, en.intent, en.request, en.at = id, r.intent, r, e.Time
	}
}

// update notes what became of an order. A fill that stands twice counts once: it is known by
// its total.
func (b *Book) update(seq uint64, u *order.Update) {
	en := b.entry(u.BrokerOrderID)
	if en.client == "" {
		en.client, en.intent = u.ClientOrderID, u.IntentID
	}
	en.update = seq
	if u.IntentID != "" {
		en.intent = u.IntentID
	}
	if u.Fills() && u.FilledQty != nil && u.Qty != nil && en.fills.add(span{u.FilledQty.Sub(*u.Qty), *u.FilledQty}) {
		b.trade(b.held, en, u.Symbol, u.Side, *u.Qty)
		if u.Price != nil {
			en.cost = en.cost.Add(u.Price.Mul(*u.Qty))
		}
	}
	if !u.Ends() || en.ended != "" {
		return
	}
	en.ended = u.Event
	for _, id := range u.Legs {
		b.entry(id).descend(en)
	}
	if u.ReplacedBy != "" {
		b.entry(u.ReplacedBy).descend(en)
	}
}

// descend notes from which order another one came: as its leg, or in its place.
func (en *entry) descend(from *entry) {
	if en.request == nil {
		en.intent, en.request = from.intent, from.request
	}
}

func (b *Book) entry(id string) *entry {
	en := b.orders[id]
	if en == nil {
		en = new(entry)
		b.orders[id] = en
	}
	return en
}

// trade counts what an order traded, by the symbols of positions. An order of several legs
// trades each of them in its ratio.
func (b *Book) trade(in map[string]decimal.Decimal, en *entry, symbol string, side order.Side, qty decimal.Decimal) {
	if symbol != "" {
		symbol = plain(symbol)
		in[symbol] = in[symbol].Add(signed(side, qty))
		return
	}
	if en.request == nil {
		return
	}
	for _, leg := range en.request.legs {
		if leg.RatioQty != nil {
			b.trade(in, en, leg.Symbol, leg.Side, qty.Mul(*leg.RatioQty))
		}
	}
}

func signed(side order.Side, qty decimal.Decimal) decimal.Decimal {
	if side == order.Sell {
		return qty.Neg()
	}
	return qty
}

// plain is a symbol as the broker's positions bear it: orders call a pair BTC/USD, and
// positions BTCUSD.
func plain(symbol string) string { return strings.ReplaceAll(symbol, "/", "") }

// Read is the sequence number of the last message that was folded in.
func (b *Book) Read() uint64 { return b.read }
