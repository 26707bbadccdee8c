package risk_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/risk"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// booked is an order at the model's broker, which knows nothing of outcomes and books.
type booked struct {
	id, client string
	order      order.Order
	at         time.Time // when the broker had it
	each       decimal.Decimal
	over       bool
	// denied: the broker refused it.
	denied bool
	// unknown: no outcome and no update names it yet, so that a replacement of it counts twice.
	unknown  bool
	filled   decimal.Decimal
	replaces *booked
	legs     []*booked
	child    bool
}

func (b *booked) dollars() decimal.Decimal { return b.order.Qty.Mul(b.each) }

func (b *booked) rest() decimal.Decimal {
	if b.over || b.child || b.denied {
		return decimal.Decimal{}
	}
	return b.order.Qty.Sub(b.filled).Mul(b.each)
}

// model is a broker with a ledger beside it, and the limits as a page of definitions.
type model struct {
	*rapid.T
	limits tenant.Limits
	now    time.Time
	prices price.Board

	orders []*booked
	trades []trade
	ledger []any // *order.Outcome and *order.Update, in their order
	n      int

	book  *risk.Book // of the worker that is alive
	read  int        // of the ledger's updates, it has these
	rules *risk.Rules
}

type trade struct {
	at      time.Time
	dollars decimal.Decimal // below 0 for a sale
}

// within is how many orders the broker was asked for since a moment, and what they were worth.
func (m *model) within(span time.Duration) (n int, dollars decimal.Decimal) {
	for _, o := range m.orders {
		if !o.child && m.now.Sub(o.at) < span {
			n++
			dollars = dollars.Add(o.dollars())
		}
	}
	return n, dollars
}

func (m *model) today() (n int, dollars decimal.Decimal) {
	for _, o := range m.orders {
		if !o.child && sameDay(o.at, m.now) {
			n++
			dollars = dollars.Add(o.dollars())
		}
	}
	return n, dollars
}

var eastern = func() *time.Location {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}
	return zone
}()

func sameDay(a, b time.Time) bool {
	return a.In(eastern).Format(time.DateOnly) == b.In(eastern).Format(time.DateOnly)
}

// open are the orders that are open at the broker.
func (m *model) open() (n int) {
	for _, o := range m.orders {
		if !o.over && !o.denied {
			n++
		}
	}
	return n
}

// exposure is what is at stake: open orders, and what was traded today.
func (m *model) exposure() decimal.Decimal {
	var net, sum decimal.Decimal
	for _, t := range m.trades {
		if sameDay(t.at, m.now) {
			net = net.Add(t.dollars)
		}
	}
	for _, o := range m.orders {
		sum = sum.Add(o.rest())
	}
	return decimal.Max(net, decimal.Decimal{}).Add(sum)
}

// verdict is what the definitions say of an order that the broker would get now.
func (m *model) verdict(o *booked) string {
	l := &m.limits
	second, dollarsSecond := m.within(time.Second)
	minute, dollarsMinute := m.within(time.Minute)
	day, dollarsDay := m.today()
	more := func(limit *decimal.Decimal, have decimal.Decimal) bool {
		return limit != nil && have.Add(o.dollars()).GreaterThan(*limit)
	}
	if l.DuplicateWindow > 0 && o.replaces == nil {
		for _, b := range m.orders {
			if !b.child && !b.denied && b.replaces == nil && b.order.Side == o.order.Side && b.order.Qty.Equal(*o.order.Qty) &&
				m.now.Sub(b.at) < time.Duration(l.DuplicateWindow) {
				return risk.RuleDuplicateContent
			}
		}
	}
	legs := 1
	if o.order.OrderClass == order.Bracket {
		legs = 3
	}
	openBefore, exposure := m.open(), m.exposure()
	adds := o.dollars()
	if r := o.replaces; r != nil {
		openBefore -= 1 + len(r.legs)
		adds = decimal.Max(adds.Sub(r.rest()), decimal.Decimal{})
	}
	switch {
	case l.OrdersPerSecond > 0 && second >= l.OrdersPerSecond:
		return risk.RuleOrdersPerSecond
	case l.OrdersPerMinute > 0 && minute >= l.OrdersPerMinute:
		return risk.RuleOrdersPerMinute
	case l.OrdersPerDay > 0 && day >= l.OrdersPerDay:
		return risk.RuleOrdersPerDay
	case more(l.NotionalPerSecond, dollarsSecond):
		return risk.RuleNotionalPerSecond
	case more(l.NotionalPerMinute, dollarsMinute):
		return risk.RuleNotionalPerMinute
	case more(l.NotionalPerDay, dollarsDay):
		return risk.RuleNotionalPerDay
	case l.OpenOrders > 0 && o.replaces == nil && openBefore+legs > l.OpenOrders:
		return risk.RuleOpenOrders
	case l.Credit != nil && adds.IsPositive() && exposure.Add(adds).GreaterThan(*l.Credit):
		return risk.RuleCredit
	}
	return ""
}

// place asks the rules and the definitions, and has the broker take the order if it may go.
func (m *model) place() {
	side := rapid.SampledFrom([]order.Side{order.Buy, order.Buy, order.Sell}).Draw(m.T, "side")
	o := of(side, fmt.Sprint(rapid.IntRange(1, 12).Draw(m.T, "qty")), fmt.Sprint(rapid.IntRange(1, 40).Draw(m.T, "limit")))
	ask := risk.Ask{Kind: order.KindOrder, Order: &o}
	var replaced *booked
	switch rapid.IntRange(0, 5).Draw(m.T, "what") {
	case 0:
		o.Type, o.LimitPrice = order.Market, nil
	case 1:
		o.OrderClass = order.Bracket
	case 2:
		if replaced = m.pick("replaced", func(b *booked) bool { return !b.over && !b.child && !b.unknown && b.order.OrderClass == "" }); replaced != nil {
			was := replaced.order
			change := order.Order{Qty: num(replaced.filled.Add(*o.Qty).String())}
			ask = risk.Ask{Kind: order.KindReplace, Order: risk.Changed(was, &change), Target: &broker.Order{ID: replaced.id, Order: was, FilledQty: replaced.filled}}
		}
	}
	m.n++
	ask.ID, ask.Seq = fmt.Sprintf("acme.%d", m.n), uint64(m.n)
	if rapid.IntRange(0, 9).Draw(m.T, "crash before") == 0 {
		m.crash()
	}
	q := &risk.Query{Ask: ask, Now: m.now, Prices: &m.prices, Book: m.book}
	no := m.rules.Check(q)
	if no != nil && no.Frees() {
		m.catchUp()
		no = m.rules.Check(q)
	}
	b := &booked{id: fmt.Sprintf("b%d", m.n), client: ask.ID, order: *ask.Order, replaces: replaced}
	ref, _ := m.prices.Quote("AAPL")
	switch {
	case b.order.LimitPrice == nil:
		b.each = ref.Price
	case b.order.Side == order.Sell:
		b.each = decimal.Max(*b.order.LimitPrice, ref.Price)
	default:
		b.each = *b.order.LimitPrice
	}
	got := ""
	if no != nil {
		got = no.Rule
	}
	if want := m.verdict(b); got != want {
		m.Fatalf("order %d at %s is %q (%v), by definition %q", m.n, m.now.Format(time.StampMilli), got, no, want)
	}
	outcome := &order.Outcome{
		IntentID: fmt.Sprint(m.n), IntentSeq: uint64(m.n), Kind: ask.Kind, ClientOrderID: ask.ID,
		Status: order.Blocked, Rule: got, Committed: m.now,
	}
	if no == nil {
		m.take(b, outcome, m.rules.Count(q))
	}
	m.end(outcome)
}

// take is the broker's part: it books the order, or refuses it, and may be slow to answer.
func (m *model) take(b *booked, o *order.Outcome, counted *order.Counted) {
	b.at = m.now
	m.orders = append(m.orders, b)
	o.Attempts, o.Submitted, o.Counted = 1, m.now, counted
	b.denied = b.replaces == nil && rapid.IntRange(0, 7).Draw(m.T, "refused") == 0
	o.Status, o.Answered = order.Accepted, m.now
	if b.denied {
		o.Status = order.Rejected
		return
	}
	o.BrokerOrderID = b.id
	if b.replaces == nil && b.order.OrderClass == "" && rapid.IntRange(0, 7).Draw(m.T, "nobody knows") == 0 {
		o.Status, o.BrokerOrderID, o.Answered = order.Failed, "", time.Time{}
		b.unknown = true
	}
	if b.order.OrderClass == order.Bracket {
		for i := range 2 {
			leg := &booked{id: fmt.Sprintf("%s-leg%d", b.id, i), client: "made up", child: true, order: b.order}
			b.legs = append(b.legs, leg)
			m.orders = append(m.orders, leg)
		}
	}
	if r := b.replaces; r != nil {
		r.over = true
		m.tell(r, order.EventReplaced, func(u *order.Update) { u.ReplacedBy = b.id })
	}
}

// end writes an outcome, and has the worker count it, unless it dies at that moment.
func (m *model) end(o *order.Outcome) {
	m.ledger = append(m.ledger, o)
	m.book.Outcome(o, nil)
	if rapid.IntRange(0, 9).Draw(m.T, "crash after") == 0 {
		m.crash()
	}
}

func (m *model) tell(b *booked, event string, change ...func(*order.Update)) {
	if event == order.EventPartialFill {
		b.unknown = false
	}
	u := &order.Update{Event: event, BrokerOrderID: b.id, ClientOrderID: b.client, Symbol: "AAPL", Side: b.order.Side, At: m.now, FilledQty: num(b.filled.String())}
	for _, c := range change {
		c(u)
	}
	m.ledger = append(m.ledger, u)
}

// crash lets another worker fold the ledger.
func (m *model) crash() {
	m.book, m.read = risk.NewBook("acme", m.rules.Scope()), len(m.ledger)
	for _, one := range m.ledger {
		switch one := one.(type) {
		case *order.Outcome:
			m.book.Outcome(one, nil)
		case *order.Update:
			m.book.Update(one)
		}
	}
}

// catchUp reads the updates that came since.
func (m *model) catchUp() {
	for _, one := range m.ledger[m.read:] {
		if u, ok := one.(*order.Update); ok {
			m.book.Update(u)
		}
	}
	m.read = len(m.ledger)
}

func (m *model) pick(what string, which func(*booked) bool) *booked {
	all := slices.DeleteFunc(slices.Clone(m.orders), func(b *booked) bool { return b.denied || !which(b) })
	if len(all) == 0 {
		return nil
	}
	return rapid.SampledFrom(all).Draw(m.T, what)
}

// fill trades a part of an order, or all of it.
func (m *model) fill() {
	b := m.pick("filled", func(b *booked) bool { return !b.over && !b.child })
	if b == nil {
		return
	}
	left := b.order.Qty.Sub(b.filled)
	if !left.IsPositive() {
		return
	}
	qty := decimal.New(int64(rapid.IntRange(1, int(left.IntPart())).Draw(m.T, "fill")), 0)
	at := decimal.Max(b.each.Sub(decimal.New(int64(rapid.IntRange(0, 3).Draw(m.T, "better")), 0)), decimal.New(1, 0))
	b.filled = b.filled.Add(qty)
	dollars := qty.Mul(at)
	if b.order.Side == order.Sell {
		dollars = dollars.Neg()
	}
	m.trades = append(m.trades, trade{m.now, dollars})
	event := order.EventPartialFill
	var legs []string
	if b.filled.Equal(*b.order.Qty) {
		event, b.over = order.EventFill, true
		for _, leg := range b.legs {
			legs = append(legs, leg.id)
		}
	}
	m.tell(b, event, func(u *order.Update) { u.Qty, u.Price, u.Legs = &qty, &at, legs })
	m.settled()
}

// cancel ends an order, with its legs, or a leg of one that is over.
func (m *model) cancel() {
	b := m.pick("canceled", func(b *booked) bool {
		return !b.over && (!b.child || slices.ContainsFunc(m.orders, func(p *booked) bool { return p.over && slices.Contains(p.legs, b) }))
	})
	if b == nil {
		return
	}
	b.over = true
	var legs []string
	for _, leg := range b.legs {
		leg.over = true
		legs = append(legs, leg.id)
	}
	m.tell(b, order.EventCanceled, func(u *order.Update) { u.Legs = legs })
	for _, leg := range b.legs {
		m.tell(leg, order.EventCanceled)
	}
	m.settled()
}

// settled: the definitions know of trades at once. What the worker knows of sales late makes
// it refuse, and it reads on then; of purchases it knows with the orders.
func (m *model) settled() {
	if rapid.Bool().Draw(m.T, "read on") {
		m.catchUp()
	}
}

func (m *model) wait() {
	m.now = m.now.Add(rapid.SampledFrom([]time.Duration{
		0, time.Millisecond, 400 * time.Millisecond, 999 * time.Millisecond, time.Second, 20 * time.Second, 59 * time.Second, time.Minute, 7 * time.Hour,
	}).Draw(m.T, "wait"))
	m.prices.Set("AAPL", price.Quote{Price: decimal.New(int64(rapid.IntRange(1, 40).Draw(m.T, "price")), 0), At: m.now})
}

// TestDecisionsOfOneThatNeverCrashed: whatever happens to orders, and wherever workers die, what
// the rules decide is what their definitions say of the broker's own books: a take-over resets
// nothing, and no limit is ever exceeded there.
func TestDecisionsOfOneThatNeverCrashed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{T: t, now: noon}
		for _, set := range []func(n int){
			func(n int) { m.limits.OrdersPerSecond = n },
			func(n int) { m.limits.OrdersPerMinute = 2 * n },
			func(n int) { m.limits.OrdersPerDay = 8 * n },
			func(n int) { m.limits.NotionalPerSecond = num(fmt.Sprint(100 * n)) },
			func(n int) { m.limits.NotionalPerMinute = num(fmt.Sprint(200 * n)) },
			func(n int) { m.limits.NotionalPerDay = num(fmt.Sprint(800 * n)) },
			func(n int) { m.limits.OpenOrders = 2 * n },
			func(n int) { m.limits.Credit = num(fmt.Sprint(250 * n)) },
			func(n int) { m.limits.DuplicateWindow = tenant.Duration(time.Duration(n) * 20 * time.Second) },
		} {
			if rapid.IntRange(0, 2).Draw(t, "set") == 0 {
				set(rapid.IntRange(1, 5).Draw(t, "limit"))
			}
		}
		m.rules = risk.Compile(&tenant.Terms{Limits: m.limits})
		if m.rules == nil {
			t.Skip("no limits")
		}
		m.prices.Set("AAPL", price.Quote{Price: decimal.New(10, 0), At: m.now})
		m.crash()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"place", "place", "place", "fill", "cancel", "wait", "crash"}).Draw(t, "step") {
			case "place":
				m.place()
			case "fill":
				m.fill()
			case "cancel":
				m.cancel()
			case "wait":
				m.wait()
			case "crash":
				m.crash()
			}
			m.within24()
		}
	})
}

// within24 holds the broker's books against the limits as they are.
func (m *model) within24() {
	l := &m.limits
	if n, d := m.within(time.Minute); l.OrdersPerMinute > 0 && n > l.OrdersPerMinute || l.NotionalPerMinute != nil && d.GreaterThan(*l.NotionalPerMinute) {
		m.Fatalf("the broker was asked for %d orders, %s dollars in a minute", n, d)
	}
	if n, d := m.today(); l.OrdersPerDay > 0 && n > l.OrdersPerDay || l.NotionalPerDay != nil && d.GreaterThan(*l.NotionalPerDay) {
		m.Fatalf("the broker was asked for %d orders, %s dollars in a day", n, d)
	}
	if n := m.open(); l.OpenOrders > 0 && n > l.OpenOrders {
		m.Fatalf("%d orders are open", n)
	}
	if e := m.exposure(); l.Credit != nil && e.GreaterThan(*l.Credit) {
		m.Fatalf("%s dollars are at stake", e)
	}
}
