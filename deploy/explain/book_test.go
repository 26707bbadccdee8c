package explain_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// book is a ledger of one shard, written by hand, with a clock that stands still in between.
type book struct {
	entries []ledger.Entry
	now     time.Time
}

var _ history.Source = (*book)(nil)

func newBook() *book {
	return &book{now: time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)}
}

func (b *book) Name() string           { return "a book" }
func (b *book) Shards() int            { return 1 }
func (b *book) Extent() history.Extent { return history.Extent{} }

func (b *book) Read(_ context.Context, s history.Stretch, _ history.Progress, deliver func(int, ledger.Entry) error) error {
	for _, e := range b.entries {
		if s.Holds(e) {
			if err := deliver(0, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// after moves the clock on, by milliseconds.
func (b *book) after(ms int) *book {
	b.now = b.now.Add(time.Duration(ms) * time.Millisecond)
	return b
}

func (b *book) put(c ledger.Class, tenant string, data []byte, err error, header nats.Header) uint64 {
	if err != nil {
		panic(err)
	}
	seq := uint64(len(b.entries) + 1)
	b.entries = append(b.entries, ledger.Entry{Class: c, Tenant: tenant, Seq: seq, Time: b.now, Data: data, Header: header})
	return seq
}

func (b *book) intent(tenant, by string, in order.Intent) uint64 {
	if in.ExpiresAt.IsZero() {
		in.ExpiresAt = b.now.Add(time.Minute)
	}
	data, err := order.EncodeIntent(in)
	return b.put(ledger.Intents, tenant, data, err, nats.Header{ledger.ByHeader: {by}})
}

// outcome ends an intent; it was received some milliseconds before.
func (b *book) outcome(tenant string, ms int, o order.Outcome) uint64 {
	o.Worker, o.Committed = "worker-1", b.now
	if o.Epoch == 0 {
		o.Epoch = 1
	}
	if ms >= 0 {
		o.Received = b.before(ms)
	}
	if o.ClientOrderID == "" && o.IntentID != "" {
		o.ClientOrderID = order.ClientOrderID(tenant, o.IntentID)
	}
	data, err := order.EncodeOutcome(o)
	return b.put(ledger.Outcomes, tenant, data, err, nil)
}

// before is so many milliseconds ago.
func (b *book) before(ms int) time.Time { return b.now.Add(-time.Duration(ms) * time.Millisecond) }

func (b *book) update(tenant string, u order.Update) {
	u.At = b.now
	data, err := order.EncodeUpdate(u)
	b.put(ledger.Updates, tenant, data, err, nil)
}

func (b *book) release(tenant, reason string) {
	b.control(tenant, order.Control{Verb: order.Release, Reason: reason})
}

func (b *book) control(tenant string, c order.Control) {
	c.By, c.At = "ann", b.now
	data, err := order.EncodeControl(c)
	b.put(ledger.Controls, tenant, data, err, nil)
}

func (b *book) epoch(epoch uint64, worker string) {
	data, err := json.Marshal(ledger.Epoch{Version: 1, Epoch: epoch, Worker: worker, At: b.now})
	b.put(ledger.Epochs, "", data, err, nil)
}

func num(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}

func buy(id string) order.Intent {
	return order.Intent{ID: id, Kind: order.KindOrder, Order: &order.Order{
		Symbol: "AAPL", Qty: num("3"), Side: order.Buy, Type: order.Limit, TimeInForce: order.Day, LimitPrice: num("187.5"),
	}}
}

// accept ends an intent as accepted at its first try, which began 20 ms ago.
func (b *book) accept(tenant, id string, seq uint64) {
	b.outcome(tenant, 21, order.Outcome{
		IntentID: id, IntentSeq: seq, Kind: order.KindOrder, Status: order.Accepted, BrokerOrderID: "broker-" + id,
		HTTPStatus: 200, RequestID: "req-" + id, Attempts: 1, Submitted: b.before(20), Answered: b.before(1),
	})
}
