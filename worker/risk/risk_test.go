package risk_test

import (
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/risk"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func num(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}

// noon is a Wednesday's, in New York.
var noon = time.Date(2026, 11, 25, 17, 0, 0, 0, time.UTC)

// desk is a tenant's checks, with a broker that does what it is told.
type desk struct {
	testing.TB
	now      time.Time
	terms    tenant.Terms
	prices   price.Board
	book     *risk.Book
	flood    *risk.Flood
	holdings map[string]risk.Holding
	seq      uint64
}

func newDesk(t testing.TB, limits tenant.Limits) *desk {
	t.Helper()
	if err := limits.Validate(); err != nil {
		t.Fatal(err)
	}
	d := &desk{TB: t, now: noon, terms: tenant.Terms{Limits: limits}, holdings: make(map[string]risk.Holding)}
	if rules := d.rules(); rules != nil {
		d.book, d.flood = risk.NewBook("acme", rules.Scope()), rules.NewFlood()
	}
	return d
}

func (d *desk) rules() *risk.Rules { return risk.Compile(&d.terms) }

func (d *desk) query(ask risk.Ask) *risk.Query {
	return &risk.Query{Ask: ask, Now: d.now, Prices: &d.prices, Book: d.book, Flood: d.flood, Holdings: d.holdings}
}

// try asks for an order and, if it may go, has the broker accept it. It returns what refused it.
func (d *desk) try(ask risk.Ask) string {
	d.Helper()
	no, o := d.ask(ask)
	if no == nil {
		d.end(o, order.Accepted)
		return ""
	}
	return no.Rule + ": " + no.String()
}

// ask asks for an order; the outcome has no end yet.
func (d *desk) ask(ask risk.Ask) (*risk.Refusal, *order.Outcome) {
	d.Helper()
	d.seq++
	if ask.Kind == "" {
		ask.Kind = order.KindOrder
	}
	if ask.ID == "" {
		ask.ID = "acme." + word(d.seq)
	}
	ask.Seq = d.seq
	if d.flood != nil {
		d.flood.Published(d.seq, d.now)
	}
	q := d.query(ask)
	no := d.rules().Check(q)
	return no, &order.Outcome{
		IntentSeq: d.seq, Kind: ask.Kind, ClientOrderID: ask.ID, BrokerOrderID: "b" + word(d.seq), Counted: d.rules().Count(q),
	}
}

func word(n uint64) string { return string(rune('a'+n/26%26)) + string(rune('a'+n%26)) }

// end gives an outcome its end, and counts it.
func (d *desk) end(o *order.Outcome, status order.Status) {
	o.Status, o.Attempts, o.Answered, o.Committed = status, 1, d.now, d.now
	if d.book != nil {
		d.book.Outcome(o, nil)
	}
}

// tell has the broker tell of the order of the nth question.
func (d *desk) tell(n uint64, event string, change ...func(*order.Update)) {
	u := order.Update{Event: event, BrokerOrderID: "b" + word(n), ClientOrderID: "acme." + word(n), Symbol: "AAPL", Side: order.Buy, At: d.now}
	for _, c := range change {
		c(&u)
	}
	d.book.Update(&u)
}

func fills(qty, at, filled string) func(*order.Update) {
	return func(u *order.Update) { u.Qty, u.Price, u.FilledQty = num(qty), num(at), num(filled) }
}

// of is a limit order for AAPL.
func of(side order.Side, qty, limit string) order.Order {
	return order.Order{Symbol: "AAPL", Qty: num(qty), Side: side, Type: order.Limit, TimeInForce: order.Day, LimitPrice: num(limit)}
}

func with(o order.Order, change func(*order.Order)) risk.Ask {
	change(&o)
	return risk.Ask{Order: &o}
}

func plain(o order.Order) risk.Ask { return risk.Ask{Order: &o} }

func market(side order.Side, qty string) risk.Ask {
	return with(of(side, qty, "1"), func(o *order.Order) { o.Type, o.LimitPrice = order.Market, nil })
}

func closing(side order.Side, qty string) risk.Ask {
	ask := market(side, qty)
	ask.Kind = order.KindClosePosition
	return ask
}

// spread is a multi-leg order: buys one call, sells another, for a net price.
func spread(qty, net string) risk.Ask {
	o := order.Order{OrderClass: order.MultiLeg, Qty: num(qty), Type: order.Limit, TimeInForce: order.Day, LimitPrice: num(net), Legs: []order.Leg{
		{Symbol: "AAPL271217C00250000", RatioQty: num("1"), Side: order.Buy},
		{Symbol: "AAPL271217C00260000", RatioQty: num("2"), Side: order.Sell},
	}}
	return risk.Ask{Order: &o}
}

func (d *desk) price(symbol, p string) {
	d.prices.Set(symbol, price.Quote{Price: *num(p), At: d.now})
}

// replacing is a replace of the order of the nth question.
func replacing(n uint64, was order.Order, change order.Order) risk.Ask {
	return risk.Ask{Kind: order.KindReplace, Order: risk.Changed(was, &change), Target: &broker.Order{ID: "b" + word(n), Order: was}}
}

// filled is a replace of an order of which the broker says that so much is filled.
func filled(qty string, ask risk.Ask) risk.Ask {
	ask.Target.FilledQty = *num(qty)
	return ask
}

// step is a question with its answer: the refusal begins with it; empty is none.
type step struct {
	do   func(d *desk)
	ask  risk.Ask
	want string
}

func after(t time.Duration) func(*desk) { return func(d *desk) { d.now = d.now.Add(t) } }

// TestRules: each rule fires, with what is limited and what this would be, and each passes.
func TestRules(t *testing.T) {
	buy := of(order.Buy, "10", "100")
	reduce := func(d *desk) {
		d.terms.Switches = []tenant.Switch{{Mode: tenant.ReduceOnly, By: "ops", Reason: "drill", Scope: "all"}}
	}
	holds := func(qty, free string) func(*desk) {
		return func(d *desk) { d.holdings["AAPL"] = risk.Holding{Qty: *num(qty), Free: *num(free)} }
	}
	for _, tc := range []struct {
		name   string
		limits tenant.Limits
		steps  []step
	}{
		{"max_qty", tenant.Limits{MaxQty: num("10")}, []step{
			{nil, plain(buy), ""},
			{nil, plain(of(order.Buy, "10.001", "1")), "max_qty: limit 10, this is 10.001"},
			{nil, spread("5", "1"), ""},
			{nil, spread("6", "1"), "max_qty: limit 10, this is 12"},
			{nil, replacing(1, buy, order.Order{Qty: num("11")}), "max_qty: limit 10, this is 11"},
			{nil, with(buy, func(o *order.Order) { o.Qty, o.LimitPrice, o.Notional = nil, nil, num("100") }), "max_qty: limit 10, there is no price of AAPL of the last 1m0s"},
			{func(d *desk) { d.price("AAPL", "10") }, with(buy, func(o *order.Order) { o.Qty, o.LimitPrice, o.Notional = nil, nil, num("100") }), ""},
			{nil, with(buy, func(o *order.Order) { o.Qty, o.LimitPrice, o.Notional = nil, nil, num("101") }), "max_qty: limit 10, this is 10.1"},
			{nil, closing(order.Sell, "1000"), ""},
		}},
		{"max_notional", tenant.Limits{MaxNotional: num("1000")}, []step{
			{nil, plain(buy), ""},
			{nil, plain(of(order.Buy, "10", "100.01")), "max_notional: limit 1000, this is 1000.1"},
			{nil, market(order.Buy, "1"), "max_notional: limit 1000, there is no price of AAPL of the last 1m0s"},
			{func(d *desk) { d.price("AAPL", "190") }, market(order.Buy, "5"), ""},
			{nil, market(order.Buy, "6"), "max_notional: limit 1000, this is 1140"},
			{nil, plain(of(order.Sell, "10", "1")), "max_notional: limit 1000, this is 1900"},
			{nil, with(of(order.Buy, "6", "1"), func(o *order.Order) { o.Type, o.LimitPrice, o.StopPrice = order.Stop, nil, num("150") }), "max_notional: limit 1000, this is 1140"},
			{nil, with(of(order.Buy, "5", "1"), func(o *order.Order) { o.Type, o.LimitPrice, o.StopPrice = order.Stop, nil, num("201") }), "max_notional: limit 1000, this is 1005"},
			{nil, with(of(order.Buy, "3", "4"), func(o *order.Order) { o.Symbol = "AAPL271217C00250000" }), "max_notional: limit 1000, this is 1200"},
			{nil, spread("5", "-2"), ""},
			{nil, spread("6", "-2"), "max_notional: limit 1000, this is 1200"},
			{nil, with(buy, func(o *order.Order) { o.Qty, o.LimitPrice, o.Notional = nil, nil, num("1000.5") }), "max_notional: limit 1000, this is 1000.5"},
			{after(61 * time.Second), market(order.Buy, "1"), "max_notional: limit 1000, there is no price of AAPL of the last 1m0s"},
		}},
		{"price_collar", tenant.Limits{CollarPercent: num("5"), PriceMaxAge: tenant.Duration(10 * time.Second)}, []step{
			{nil, plain(buy), "price_collar: limit 5%, there is no price of AAPL of the last 10s"},
			{func(d *desk) { d.price("AAPL", "100") }, plain(of(order.Buy, "1", "105")), ""},
			{nil, plain(of(order.Buy, "1", "105.01")), "price_collar: limit 5%, this buys at 105.01, more than 5% above 100"},
			{nil, plain(of(order.Buy, "1", "1")), ""},
			{nil, plain(of(order.Sell, "1", "95")), ""},
			{nil, plain(of(order.Sell, "1", "94.99")), "price_collar: limit 5%, this sells at 94.99, more than 5% below 100"},
			{nil, with(of(order.Buy, "1", "115"), func(o *order.Order) { o.Type, o.StopPrice = order.StopLimit, num("110") }), ""},
			{nil, with(of(order.Buy, "1", "116"), func(o *order.Order) { o.Type, o.StopPrice = order.StopLimit, num("110") }), "price_collar: limit 5%, this buys at 116, more than 5% above 110"},
			{nil, with(of(order.Buy, "1", "100"), func(o *order.Order) {
				o.OrderClass, o.TakeProfit, o.StopLoss = order.Bracket, &order.TakeProfit{LimitPrice: num("130")}, &order.StopLoss{StopPrice: num("80"), LimitPrice: num("60")}
			}), "price_collar: limit 5%, this sells at 60, more than 5% below 80"},
			{nil, spread("1", "1"), "price_collar: limit 5%, there is no price of AAPL271217C00250000 of the last 10s"},
			{func(d *desk) { d.price("AAPL271217C00250000", "10"); d.price("AAPL271217C00260000", "4") }, spread("1", "2.1"), ""},
			{nil, spread("1", "2.2"), "price_collar: limit 5%, this buys at 2.2, more than 5% above 2"},
			{nil, market(order.Buy, "1"), ""},
			{after(11 * time.Second), market(order.Buy, "1"), "price_collar: limit 5%, there is no price of AAPL of the last 10s"},
			{nil, closing(order.Sell, "1"), ""},
			{func(d *desk) {
				d.prices.Set("AAPL", price.Quote{Price: *num("100"), At: d.now.Add(time.Hour)})
			}, plain(buy), "price_collar: limit 5%, there is no price of AAPL of the last 10s"},
		}},
		{"allowed_symbols", tenant.Limits{Allowed: []string{"AAPL", "BTC/USD"}}, []step{
			{nil, plain(buy), ""},
			{nil, with(buy, func(o *order.Order) { o.Symbol = "BTCUSD" }), ""},
			{nil, with(buy, func(o *order.Order) { o.Symbol = "MSFT" }), "allowed_symbols: limit AAPL BTC/USD, this is MSFT"},
			{nil, with(buy, func(o *order.Order) { o.Symbol = "AAPL271217C00250000" }), "allowed_symbols: limit AAPL BTC/USD, this is AAPL271217C00250000"},
		}},
		{"allowed_symbols, of lists with nothing in common", tenant.Limits{Allowed: []string{}}, []step{
			{nil, plain(buy), "allowed_symbols: limit none, this is AAPL"},
		}},
		{"restricted_symbols", tenant.Limits{Restricted: []string{"GME"}}, []step{
			{nil, plain(buy), ""},
			{nil, with(buy, func(o *order.Order) { o.Symbol = "gme" }), "restricted_symbols: limit GME, this is gme"},
			{nil, with(buy, func(o *order.Order) { o.Symbol = "GME271217C00025000" }), "restricted_symbols: limit GME, this is GME271217C00025000"},
			{nil, with(buy, func(o *order.Order) { o.Symbol = "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415" }), "restricted_symbols: limit lists of symbols, b0b6dd9d"},
			{nil, with(*spread("1", "1").Order, func(o *order.Order) {
				o.Legs = []order.Leg{o.Legs[0], {Symbol: "GME271217C00025000", RatioQty: num("1"), Side: order.Sell}}
			}), "restricted_symbols: limit GME, this is GME271217C00025000"},
			{nil, risk.Ask{Kind: order.KindClosePosition, Order: &order.Order{Symbol: "GME", Type: order.Market, Side: order.Sell}}, "restricted_symbols: limit GME"},
		}},
		{"order_types", tenant.Limits{Types: []order.Type{order.Limit, order.StopLimit}}, []step{
			{nil, plain(buy), ""},
			{nil, market(order.Buy, "1"), "order_types: limit [limit stop_limit], this is market"},
			{nil, closing(order.Sell, "1"), "order_types: limit [limit stop_limit], this is market"},
		}},
		{"trading_hours", tenant.Limits{Hours: []tenant.Hours{{Zone: "America/New_York", Days: "mon-fri", From: "09:30", Until: "16:00"}}}, []step{
			{nil, plain(buy), ""},
			{after(4 * time.Hour), plain(buy), "trading_hours: limit mon-fri 09:30-16:00 America/New_York, it is 2026-11-25T21:00:00Z"},
			{after(20 * time.Hour), plain(buy), ""},
		}},
		{"no_short", tenant.Limits{NoShort: true}, []step{
			{nil, plain(buy), ""},
			{nil, plain(of(order.Sell, "1", "100")), "no_short: limit what is held, of AAPL it may take 0, this is 1"},
			{holds("10", "4"), plain(of(order.Sell, "4", "100")), ""},
			{nil, plain(of(order.Sell, "5", "100")), "no_short: limit what is held, of AAPL it may take 4, this is 5"},
			{nil, replacing(3, of(order.Sell, "4", "100"), order.Order{Qty: num("8")}), ""},
			{nil, replacing(3, of(order.Sell, "4", "100"), order.Order{Qty: num("9")}), "no_short: limit what is held, of AAPL it may take 8, this is 9"},
			{nil, with(of(order.Sell, "1", "100"), func(o *order.Order) { o.PositionIntent = order.SellToOpen }), "no_short: limit what is held, this sells AAPL to open a position"},
			{nil, with(of(order.Sell, "1", "1"), func(o *order.Order) { o.Qty, o.Notional = nil, num("100") }), "no_short: limit what is held, there is no price of AAPL"},
			{func(d *desk) { d.price("AAPL", "25") }, with(of(order.Sell, "1", "1"), func(o *order.Order) { o.Qty, o.Notional = nil, num("100") }), ""},
			{nil, with(of(order.Sell, "1", "1"), func(o *order.Order) { o.Qty, o.Notional = nil, num("100.01") }), "no_short: limit what is held, of AAPL it may take 100 dollars' worth"},
			{nil, spread("1", "1"), "no_short: limit what is held, of AAPL271217C00260000 it may take 0, this is 2"},
			{nil, closing(order.Sell, "99"), ""},
		}},
		{"reduce_only", tenant.Limits{}, []step{
			{nil, plain(buy), ""},
			{reduce, plain(buy), "reduce_only: limit only what makes a position smaller (all, by ops: drill), nothing of AAPL is held"},
			{holds("10", "4"), plain(buy), "reduce_only: limit only what makes a position smaller (all, by ops: drill), 10 of AAPL are held, and this would buy more"},
			{nil, plain(of(order.Sell, "4", "100")), ""},
			{nil, plain(of(order.Sell, "5", "100")), "reduce_only: limit only what makes a position smaller (all, by ops: drill), of AAPL it may take 4, this is 5"},
			{nil, with(of(order.Sell, "4", "100"), func(o *order.Order) { o.OrderClass = order.OCO }), ""},
			{nil, with(of(order.Sell, "4", "100"), func(o *order.Order) { o.OrderClass = order.OTO }), "reduce_only: limit only what makes a position smaller (all, by ops: drill), a oto opens"},
			{nil, spread("1", "1"), "reduce_only: limit only what makes a position smaller (all, by ops: drill), whether a multi-leg order"},
			{nil, replacing(4, of(order.Sell, "4", "100"), order.Order{LimitPrice: num("90")}), ""},
			{nil, replacing(1, buy, order.Order{LimitPrice: num("90")}), "reduce_only"},
			{nil, closing(order.Sell, "10"), ""},
			{holds("-3", "3"), plain(of(order.Buy, "3", "100")), ""},
			{nil, plain(of(order.Sell, "1", "100")), "reduce_only"},
			{func(d *desk) { d.terms.Switches[0].Until = d.now.Add(time.Second) }, plain(buy), "reduce_only"},
			{after(time.Second), plain(buy), ""},
		}},
		{"duplicate_content", tenant.Limits{DuplicateWindow: tenant.Duration(5 * time.Second)}, []step{
			{nil, plain(buy), ""},
			{nil, plain(of(order.Buy, "10.0", "99")), "duplicate_content: limit one in 5s, the same symbol, side and size went out 0s ago"},
			{nil, plain(of(order.Sell, "10", "100")), ""},
			{nil, plain(of(order.Buy, "11", "100")), ""},
			{nil, replacing(4, of(order.Buy, "11", "100"), order.Order{LimitPrice: num("90")}), ""},
			{after(4999 * time.Millisecond), plain(buy), "duplicate_content: limit one in 5s, the same symbol, side and size went out 4.999s ago"},
			{after(time.Millisecond), plain(buy), ""},
		}},
		{"orders_per_second", tenant.Limits{OrdersPerSecond: 2}, []step{
			{nil, plain(buy), ""},
			{after(600 * time.Millisecond), plain(buy), ""},
			{after(399 * time.Millisecond), plain(buy), "orders_per_second: limit 2, this would be 3"},
			{after(time.Millisecond), plain(buy), ""},
			{nil, closing(order.Sell, "1"), "orders_per_second: limit 2, this would be 3"},
		}},
		{"orders_per_minute", tenant.Limits{OrdersPerMinute: 1}, []step{
			{nil, plain(buy), ""},
			{after(59 * time.Second), replacing(1, buy, order.Order{Qty: num("1")}), "orders_per_minute: limit 1, this would be 2"},
			{after(time.Second), plain(buy), ""},
		}},
		{"orders_per_day", tenant.Limits{OrdersPerDay: 1}, []step{
			{nil, plain(buy), ""},
			{after(12*time.Hour - time.Second), plain(buy), "orders_per_day: limit 1, this would be 2"},
			{after(time.Second), plain(buy), ""},
		}},
		{"notional_per_second", tenant.Limits{NotionalPerSecond: num("1500")}, []step{
			{nil, plain(buy), ""},
			{after(999 * time.Millisecond), plain(of(order.Buy, "6", "100")), "notional_per_second: limit 1500, this would be 1600"},
			{nil, plain(of(order.Buy, "5", "100")), ""},
			{after(time.Millisecond), plain(of(order.Buy, "10", "100")), ""},
		}},
		{"notional_per_minute", tenant.Limits{NotionalPerMinute: num("1500")}, []step{
			{nil, plain(buy), ""},
			{nil, market(order.Buy, "1"), "notional_per_minute: limit 1500, there is no price of AAPL of the last 1m0s"},
			{after(59 * time.Second), plain(buy), "notional_per_minute: limit 1500, this would be 2000"},
			{after(time.Second), plain(buy), ""},
		}},
		{"notional_per_day", tenant.Limits{NotionalPerDay: num("1500")}, []step{
			{nil, plain(buy), ""},
			{nil, replacing(1, buy, order.Order{LimitPrice: num("101")}), "notional_per_day: limit 1500, this would be 2010"},
			{after(12 * time.Hour), plain(buy), ""},
		}},
		{"open_orders", tenant.Limits{OpenOrders: 2}, []step{
			{nil, plain(buy), ""},
			{nil, with(buy, func(o *order.Order) { o.OrderClass = order.OCO }), "open_orders: limit 2, this would be 3"},
			{nil, plain(buy), ""},
			{nil, plain(buy), "open_orders: limit 2, this would be 3"},
			{nil, replacing(1, buy, order.Order{Qty: num("1")}), ""},
			{nil, plain(buy), "open_orders: limit 2, this would be 3"},
			{func(d *desk) { d.tell(1, order.EventReplaced, func(u *order.Update) { u.ReplacedBy = "b" + word(5) }) }, plain(buy), "open_orders: limit 2, this would be 3"},
			{func(d *desk) { d.tell(3, order.EventPartialFill, fills("1", "100", "1")) }, plain(buy), "open_orders: limit 2, this would be 3"},
			{func(d *desk) { d.tell(3, order.EventCanceled) }, plain(buy), ""},
			{func(d *desk) { d.tell(5, order.EventFill, fills("1", "100", "1")) }, plain(buy), ""},
		}},
		{"open_orders, a bracket", tenant.Limits{OpenOrders: 3}, []step{
			{nil, with(buy, func(o *order.Order) { o.OrderClass = order.Bracket }), ""},
			{nil, plain(buy), "open_orders: limit 3, this would be 4"},
			{func(d *desk) {
				d.tell(1, order.EventFill, fills("10", "100", "10"), func(u *order.Update) { u.Legs = []string{"l1", "l2"} })
			}, plain(buy), ""},
			{nil, plain(buy), "open_orders: limit 3, this would be 4"},
			{func(d *desk) {
				d.tell(0, order.EventFill, fills("10", "110", "10"), func(u *order.Update) { u.BrokerOrderID, u.ClientOrderID = "l1", "made up" })
				d.tell(0, order.EventCanceled, func(u *order.Update) { u.BrokerOrderID, u.ClientOrderID = "l2", "made up too" })
			}, with(buy, func(o *order.Order) { o.OrderClass = order.OCO }), ""},
		}},
		{"credit", tenant.Limits{Credit: num("1000")}, []step{
			{nil, market(order.Buy, "1"), "credit: limit 1000, there is no price of AAPL of the last 1m0s"},
			{nil, plain(buy), ""},
			{nil, plain(of(order.Buy, "1", "0.5")), "credit: limit 1000, this would be 1000.5"},
			{func(d *desk) { d.tell(2, order.EventPartialFill, fills("4", "90", "4")) }, plain(of(order.Buy, "1", "40.01")), "credit: limit 1000, this would be 1000.01"},
			{nil, plain(of(order.Sell, "1", "40.01")), "credit: limit 1000, this would be 1000.01"},
			{nil, plain(of(order.Buy, "1", "40")), ""},
			{func(d *desk) { d.tell(2, order.EventCanceled) }, plain(of(order.Buy, "6", "100")), ""},
			{nil, plain(of(order.Buy, "1", "0.01")), "credit: limit 1000, this would be 1000.01"},
			{func(d *desk) {
				d.tell(6, order.EventFill, fills("1", "40", "1"))
				d.tell(0, order.EventFill, fills("10", "99", "10"), func(u *order.Update) { u.BrokerOrderID, u.ClientOrderID, u.Side = "x", "y", order.Sell })
			}, plain(of(order.Buy, "4", "100")), ""},
			{nil, plain(of(order.Buy, "1", "0.01")), "credit: limit 1000, this would be 1000.01"},
			{after(12 * time.Hour), plain(of(order.Buy, "1", "0.01")), "credit: limit 1000, this would be 1000.01"},
		}},
		{"credit, a replacement", tenant.Limits{Credit: num("1000")}, []step{
			{nil, plain(of(order.Buy, "8", "100")), ""},
			{nil, replacing(1, of(order.Buy, "8", "100"), order.Order{Qty: num("11")}), "credit: limit 1000, this would be 1100"},
			{nil, replacing(1, of(order.Buy, "8", "100"), order.Order{Qty: num("9")}), ""},
			{nil, plain(of(order.Buy, "1", "100.01")), "credit: limit 1000, this would be 1800.01"},
			{func(d *desk) { d.tell(1, order.EventReplaced, func(u *order.Update) { u.ReplacedBy = "b" + word(3) }) }, plain(of(order.Buy, "1", "100.01")), "credit: limit 1000, this would be 1000.01"},
			{nil, replacing(3, of(order.Buy, "9", "100"), order.Order{Qty: num("1")}), ""},
			{nil, plain(of(order.Buy, "2", "100")), "credit: limit 1000, this would be 1200"},
			{func(d *desk) { d.tell(3, order.EventReplaced, func(u *order.Update) { u.ReplacedBy = "b" + word(6) }) }, plain(of(order.Buy, "2", "100")), ""},
		}},
		{"credit, a replacement of what was filled unheard", tenant.Limits{Credit: num("1000")}, []step{
			{nil, plain(of(order.Buy, "8", "100")), ""},
			{nil, filled("4", replacing(1, of(order.Buy, "8", "100"), order.Order{Qty: num("9")})), "credit: limit 1000, this would be 1300"},
			{nil, filled("4", replacing(1, of(order.Buy, "8", "100"), order.Order{Qty: num("6")})), ""},
		}},
		{"credit, where nothing is sold short", tenant.Limits{Credit: num("1000"), NoShort: true}, []step{
			{holds("50", "50"), plain(buy), ""},
			{nil, plain(of(order.Sell, "50", "100")), ""},
			{func(d *desk) { d.tell(1, order.EventFill, fills("10", "100", "10")) }, plain(of(order.Buy, "1", "1")), "credit: limit 1000, this would be 1001"},
			{func(d *desk) {
				d.tell(2, order.EventPartialFill, fills("1", "100", "1"), func(u *order.Update) { u.Side = order.Sell })
			}, plain(of(order.Buy, "1", "100")), ""},
		}},
		{"backlog", tenant.Limits{MaxBacklog: 2}, []step{
			{nil, plain(buy), ""},
			{func(d *desk) { d.flood.Outcome(4); d.flood.Outcome(5) }, plain(buy), "backlog: limit 2, as many waited when this was published"},
			{nil, plain(buy), "backlog: limit 2"},
			{nil, plain(buy), ""},
		}},
		{"publish_rate", tenant.Limits{PublishesPerMinute: 2}, []step{
			{nil, plain(buy), ""},
			{after(time.Second), plain(buy), ""},
			{after(58 * time.Second), plain(buy), "publish_rate: limit 2, as many were published in the 59s before it"},
			{after(time.Minute), closing(order.Sell, "1"), ""},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, tc.limits)
			for i, s := range tc.steps {
				if s.do != nil {
					s.do(d)
				}
				if got := d.try(s.ask); (got == "") != (s.want == "") || !strings.HasPrefix(got, s.want) {
					t.Errorf("question %d: %q, wanted %q", i+1, got, s.want)
				}
			}
		})
	}
}
