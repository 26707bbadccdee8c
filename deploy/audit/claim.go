package audit

import (
	"fmt"
	"time"
	"unique"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// claim is what the fleet's ledger says about one client order id.
type claim struct {
	tenant *account
	// turn is the intent whose place the order has, 0 if an operator drove it again at
	// another time.
	turn uint64
	// intent and outcome are those that say what became of it; 0 without an outcome.
	intent, outcome uint64
	since           time.Time // when the first of its intents was published
	at              time.Time // of the outcome
	expires         time.Time // the last of its intents
	order           uint64    // the broker order id that was accepted
	wanted          wanted
	open            int  // intents without an outcome
	elder           bool // its first intent stands before the stretch
	seen            int  // orders at the broker
	verdict         verdict
	status          order.Status
}

// verdict is how far an outcome answers for an order.
type verdict uint8

const (
	silent   verdict = iota // there is none
	denies                  // there is no order
	unsure                  // there may be one
	confirms                // there is one
)

// verdictOf is the verdict of an outcome.
func verdictOf(status order.Status, kind order.Kind) verdict {
	switch {
	case status == order.Failed:
		return unsure
	case status == order.Accepted && proof.Books(kind):
		return confirms
	}
	return denies
}

// wanted is what was asked of the broker, each word once in the process.
type wanted struct {
	known                            bool
	kind                             order.Kind
	symbol, side, typ, qty, notional unique.Handle[string]
}

func want(in *order.Intent) wanted {
	o := in.Order
	if o == nil {
		return wanted{}
	}
	number := func(d *decimal.Decimal) unique.Handle[string] {
		if d == nil {
			return unique.Make("")
		}
		return unique.Make(d.String())
	}
	return wanted{true, in.Kind, unique.Make(o.Symbol), unique.Make(string(o.Side)), unique.Make(string(o.Type)), number(o.Qty), number(o.Notional)}
}

// differs names a field in which the broker booked something else.
func (w wanted) differs(b *proof.Booking) string {
	if !w.known {
		return ""
	}
	number := func(h unique.Handle[string]) *decimal.Decimal {
		d, err := decimal.NewFromString(h.Value())
		if err != nil {
			return nil
		}
		return &d
	}
	return proof.Differences(&order.Intent{Kind: w.kind, Order: &order.Order{
		Symbol: w.symbol.Value(), Side: order.Side(w.side.Value()), Type: order.Type(w.typ.Value()), Qty: number(w.qty), Notional: number(w.notional),
	}}, b)
}

// claim is what is known about a client order id.
func (s *shard) claim(t *account, id string) *claim {
	key := s.key(t.name, id)
	c := s.claims[key]
	if c == nil {
		c = &claim{tenant: t}
		s.claims[key] = c
	}
	return c
}

// published notes when an intent was published.
func (c *claim) published(at time.Time) {
	if c.since.IsZero() || at.Before(c.since) {
		c.since = at
	}
}

// asked notes what an intent asks of the broker.
func (s *shard) asked(tenant string, w *waiting, in *order.Intent) {
	if s.broker == nil {
		return
	}
	c := s.claim(s.tenant(tenant), w.orderID())
	switch {
	case w.retryOf != "":
		c.turn = 0
		c.elder = c.elder || s.ids[s.key(tenant, w.retryOf)].seq == 0
		s.ancient = s.ancient || c.elder
	case c.open == 0 && c.verdict == silent:
		c.turn = w.seq
	}
	c.published(w.at)
	if w.expires.After(c.expires) {
		c.expires = w.expires
	}
	if c.open++; !c.wanted.known {
		c.wanted = want(in)
	}
}

// answered notes what an outcome says about its order.
func (s *shard) answered(e *ledger.Entry, w *waiting, o *order.Outcome) {
	if s.broker == nil {
		return
	}
	id, kind, retried := o.IntentID, o.Kind, false
	if w != nil {
		id, kind, retried = w.orderID(), w.kind, w.retryOf != ""
	} else {
		if _, named, ok := order.ParseClientOrderID(o.ClientOrderID); ok {
			id, retried = named, named != o.IntentID
			s.ancient = s.ancient || retried
		}
		if s.oldest.IsZero() || o.Published.Before(s.oldest) {
			s.oldest = o.Published
		}
	}
	if id == "" {
		return
	}
	c := s.claim(s.tenant(e.Tenant), id)
	if w != nil {
		c.open--
	} else {
		c.published(o.Published)
		c.elder = true
	}
	v := verdictOf(o.Status, kind)
	if o.Status == order.Duplicate && o.DuplicateOf < s.first { // and the order, if there is one, is that one's
		v, c.elder = unsure, true
	}
	if v == confirms && c.verdict == confirms && !retried {
		s.find(proof.SharedOrder, e.Tenant, fmt.Sprintf("intents %d and %d of %s were both accepted for %s", c.intent, o.IntentSeq, e.Tenant, o.ClientOrderID), c.intent, o.IntentSeq, e.Seq)
	}
	if v < c.verdict || v == denies && c.verdict == denies && o.Status == order.Duplicate {
		return
	}
	c.verdict, c.status, c.intent, c.outcome, c.at = v, o.Status, o.IntentSeq, e.Seq, e.Time
	if v == confirms {
		c.order = s.key(e.Tenant, o.BrokerOrderID)
	}
}
