package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// story is a ledger of one shard and a broker's beside it, as they are told. Whatever is told
// may be changed before it is read.
type story struct {
	now      time.Time
	epoch    uint64
	messages []*message
	bookings []*proof.Booking
	extent   history.Extent
}

// message is a message of the ledger; its body is an intent, outcome, update, control, epoch, or
// bytes.
type message struct {
	ledger.Entry
	body any
}

// newStory begins with an owner.
func newStory() *story {
	s := &story{now: noon}
	s.own()
	return s
}

// own begins an epoch.
func (s *story) own() {
	s.epoch++
	s.tell(ledger.Epochs, "", &ledger.Epoch{Version: 1, Epoch: s.epoch, Worker: s.worker(), At: s.now})
}

func (s *story) worker() string { return fmt.Sprintf("w%d", s.epoch) }

// tell appends a message.
func (s *story) tell(c ledger.Class, tenant string, body any) *message {
	s.now = s.now.Add(time.Millisecond)
	m := &message{ledger.Entry{Class: c, Tenant: tenant, Seq: uint64(len(s.messages) + 1), Time: s.now}, body}
	s.messages = append(s.messages, m)
	return m
}

func shares(n int64) *decimal.Decimal { d := decimal.New(n, 0); return &d }

// ask publishes an order of some shares.
func (s *story) ask(tenant, id string, n int64) *message {
	return s.tell(ledger.Intents, tenant, &order.Intent{
		ID: id, Kind: order.KindOrder, ExpiresAt: s.now.Add(time.Minute),
		Order: &order.Order{Symbol: "AAPL", Qty: shares(n), Side: order.Buy, Type: order.Market, TimeInForce: order.Day},
	})
}

// end gives an intent its outcome.
func (s *story) end(m *message, status order.Status) *message {
	in := m.body.(*order.Intent)
	o := &order.Outcome{
		IntentID: in.ID, IntentSeq: m.Seq, Kind: in.Kind, Status: status, Worker: s.worker(), Epoch: s.epoch, Published: m.Time,
		ClientOrderID: in.ClientOrderID(m.Tenant),
	}
	if status == order.Accepted {
		o.BrokerOrderID, o.Submitted = "order of "+o.ClientOrderID, s.now
	}
	return s.tell(ledger.Outcomes, m.Tenant, o)
}

// book books an intent at the broker.
func (s *story) book(m *message) *proof.Booking {
	in := m.body.(*order.Intent)
	id := in.ClientOrderID(m.Tenant)
	b := &proof.Booking{
		Account: m.Tenant, ClientOrderID: id, OrderID: "order of " + id, Received: s.now,
		Symbol: in.Order.Symbol, Side: string(in.Order.Side), Type: string(in.Order.Type), Qty: in.Order.Qty.String(),
	}
	s.bookings = append(s.bookings, b)
	return b
}

// accept drives an intent to its order.
func (s *story) accept(m *message) *message {
	s.now = s.now.Add(time.Millisecond)
	s.book(m)
	return s.end(m, order.Accepted)
}

// say publishes what the broker says about the order of an intent.
func (s *story) say(m *message, event string, qty, filled int64) *message {
	in := m.body.(*order.Intent)
	u := &order.Update{Event: event, IntentID: in.ID, ClientOrderID: in.ClientOrderID(m.Tenant), BrokerOrderID: "order of " + in.ClientOrderID(m.Tenant), At: s.now}
	if qty > 0 {
		u.Qty = shares(qty)
	}
	u.FilledQty = shares(filled)
	return s.tell(ledger.Updates, m.Tenant, u)
}

// release lets a tenant go on.
func (s *story) release(tenant string) {
	s.tell(ledger.Controls, tenant, &order.Control{Verb: order.Release, By: "me", Reason: "r", At: s.now})
}

// Name implements [history.Source].
func (s *story) Name() string { return "a story" }

// Shards implements [history.Source].
func (s *story) Shards() int { return 1 }

// Extent implements [history.Source].
func (s *story) Extent() history.Extent {
	x := s.extent
	if x.AsOf.IsZero() {
		x.AsOf = s.now.Add(time.Second)
	}
	return x
}

// Read implements [history.Source].
func (s *story) Read(_ context.Context, st history.Stretch, _ history.Progress, deliver func(int, ledger.Entry) error) error {
	for _, m := range s.messages {
		e := m.Entry
		e.Data = encoded(m.body)
		if !st.Holds(e) || s.extent.Before(e) || s.extent.After(e) {
			continue
		}
		if err := deliver(0, e); errors.Is(err, history.ErrSkipShard) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func encoded(body any) []byte {
	var data []byte
	var err error
	switch b := body.(type) {
	case []byte:
		return b
	case *order.Intent:
		data, err = order.EncodeIntent(*b)
	case *order.Outcome:
		data, err = order.EncodeOutcome(*b)
	case *order.Update:
		data, err = order.EncodeUpdate(*b)
	case *order.Control:
		data, err = order.EncodeControl(*b)
	default:
		data, err = json.Marshal(b)
	}
	if err != nil {
		panic(err)
	}
	return data
}

// books is the story's broker.
type books struct{ *story }

func (b books) Name() string { return "a broker" }

func (b books) Tenants(context.Context) ([]string, error) {
	var all []string
	for _, o := range b.bookings {
		if !slices.Contains(all, o.Account) {
			all = append(all, o.Account)
		}
	}
	return all, nil
}

func (b books) Orders(_ context.Context, tenant string, after time.Time, yield func(proof.Booking) error) error {
	for _, o := range b.bookings {
		if o.Account == tenant && !o.Received.Before(after) {
			if err := yield(*o); err != nil {
				return err
			}
		}
	}
	return nil
}

// fataler is a test, or one of rapid's.
type fataler interface {
	Helper()
	Fatal(...any)
}

// audited audits a stretch of a story with its broker.
func (s *story) audited(t fataler, st history.Stretch) *audit.Report {
	t.Helper()
	r, err := audit.Run(context.Background(), s, books{s}, st, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
