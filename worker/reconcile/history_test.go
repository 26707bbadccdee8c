package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/reconcile"
	"github.com/shopspring/decimal"
)

// noon is when everything happens.
var noon = time.Date(2026, 3, 2, 17, 0, 0, 0, time.UTC)

func num(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func ptr(d decimal.Decimal) *decimal.Decimal { return &d }

// history is a tenant's ledger, told message by message, and what its broker shows if
// everything is well.
type history struct {
	testing.TB
	entries []ledger.Entry
	account reconcile.Account
}

func (h *history) put(c ledger.Class, data []byte, err error) uint64 {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
	seq := uint64(len(h.entries) + 1)
	h.entries = append(h.entries, ledger.Entry{Class: c, Tenant: "acme", Seq: seq, Time: noon, Data: data})
	return seq
}

// ask puts an intent for an order on the ledger.
func (h *history) ask(id, symbol string, side order.Side, qty string) uint64 {
	h.Helper()
	data, err := order.EncodeIntent(order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: noon.Add(time.Hour), Order: &order.Order{
		Symbol: symbol, Side: side, Qty: ptr(num(qty)), Type: order.Market, TimeInForce: order.Day,
	}})
	return h.put(ledger.Intents, data, err)
}

// end puts the outcome of an intent on the ledger; order is the broker's id.
func (h *history) end(seq uint64, id string, status order.Status, brokerID string) {
	h.Helper()
	data, err := order.EncodeOutcome(order.Outcome{
		IntentID: id, IntentSeq: seq, Kind: order.KindOrder, Status: status, BrokerOrderID: brokerID, ClientOrderID: "acme." + id, Worker: "w", Epoch: 1,
	})
	h.put(ledger.Outcomes, data, err)
}

// update puts an update on the ledger.
func (h *history) update(u order.Update) {
	h.Helper()
	data, err := order.EncodeUpdate(u)
	h.put(ledger.Updates, data, err)
}

// fill puts a fill on the ledger: so much of an order, and so much of it in all.
func (h *history) fill(id, symbol string, side order.Side, qty, cum string, last bool) {
	h.Helper()
	event := order.EventPartialFill
	if last {
		event = order.EventFill
	}
	h.update(order.Update{Event: event, BrokerOrderID: id, Symbol: symbol, Side: side, Qty: ptr(num(qty)), FilledQty: ptr(num(cum)), Price: ptr(num("10")), At: noon})
}

// record is an order as the broker shows it.
func record(id, client, symbol string, side order.Side, status, filled string) broker.Record {
	return broker.Record{Submitted: noon, Order: broker.Order{
		ID: id, ClientOrderID: client, Status: status, FilledQty: num(filled), Order: order.Order{Symbol: symbol, Side: side},
	}}
}

// shows adds an order to what the broker shows.
func (h *history) shows(r broker.Record) { h.account.Orders = append(h.account.Orders, r) }

// holds adds a position to it.
func (h *history) holds(symbol, qty string) {
	h.account.Positions = append(h.account.Positions, broker.Position{Symbol: symbol, Qty: num(qty)})
}

// book folds the ledger.
func (h *history) book() *reconcile.Book {
	h.Helper()
	b := reconcile.NewBook("acme")
	for _, e := range h.entries {
		if err := b.Apply(e); err != nil {
			h.Fatal(err)
		}
	}
	return b
}

// bought is a history with one order of ten shares, wholly filled in two parts.
func bought(t testing.TB) *history {
	h := &history{TB: t}
	h.end(h.ask("one", "AAPL", order.Buy, "10"), "one", order.Accepted, "b1")
	h.fill("b1", "AAPL", order.Buy, "4", "4", false)
	h.fill("b1", "AAPL", order.Buy, "6", "10", true)
	h.shows(record("b1", "acme.one", "AAPL", order.Buy, "filled", "10"))
	h.holds("AAPL", "10")
	return h
}

// differences are those that a comparison finds, each as one line.
func differences(h *history) []string {
	var lines []string
	for _, d := range reconcile.Compare(h.book(), &h.account) {
		line := fmt.Sprintf("%s %s%s", d.Kind, d.BrokerOrderID, d.Symbol)
		if d.Kind != "position_off" {
			line = fmt.Sprintf("%s %s", d.Kind, d.BrokerOrderID)
		}
		if d.Expected != nil {
			line += fmt.Sprintf(" %s %s", d.Expected, d.Found)
		}
		lines = append(lines, line)
	}
	return lines
}
