package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// TestChecksAtThePaperBroker takes a tenant through the checks that ask its broker, or know a
// price: what it may sell follows its position and its open orders there.
func TestChecksAtThePaperBroker(t *testing.T) {
	s := boot(t, paper.Config{})
	store, by := registry.NewStore(s.producer.Ledger()), kim(t)
	num := func(text string) *decimal.Decimal { return new(decimal.RequireFromString(text)) }
	limits := tenant.Limits{NoShort: true, CollarPercent: num("50"), MaxNotional: num("10000"), Credit: num("4000")}
	settings := tenant.Settings{Broker: s.url, Limits: limits}
	if _, err := store.Write(t.Context(), by, registry.TenantKey("acme"), settings, "test", 0); err != nil {
		t.Fatal(err)
	}
	w := s.worker()
	defer func() { _ = w.Kill() }()
	n := 0
	do := func(want string, in order.Intent) order.Outcome {
		t.Helper()
		n++
		in.ID, in.ExpiresAt = fmt.Sprint(n), time.Now().Add(time.Minute)
		r, err := s.producer.Publish(t.Context(), "acme", in)
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.producer.Await(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %s: %s", o.Status, o.Rule, o.Message); !strings.HasPrefix(got, want) {
			t.Errorf("order %s: %s, wanted %s", in.ID, got, want)
		}
		return o
	}
	ask := func(side order.Side, qty, limit string) order.Intent {
		o := &order.Order{Symbol: "AAPL", Qty: num(qty), Side: side, Type: order.Market, TimeInForce: order.Day}
		if limit != "" {
			o.Type, o.LimitPrice = order.Limit, num(limit)
		}
		return order.Intent{Kind: order.KindOrder, Order: o}
	}
	quote := func(p string) {
		t.Helper()
		if err := price.Put(t.Context(), s.producer.Ledger().JetStream(), "AAPL", price.Quote{Price: *num(p), At: time.Now().Add(30 * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	do("blocked price_collar: limit 50%, there is no price of AAPL", ask(order.Buy, "10", "200"))
	quote("190")
	for do("", ask(order.Buy, "10", "200")).Status == order.Blocked { // until the worker has the price
		if t.Context().Err() != nil {
			t.Fatal("time is over")
		}
	}
	s.caughtUp(true, "acme")
	do("accepted", ask(order.Sell, "6", "250")) // it rests, and holds 6 of 10
	do("blocked no_short: limit what is held, of AAPL it may take 4, this is 5", ask(order.Sell, "5", "250"))
	do("blocked credit: limit 4000, this would be 4", ask(order.Buy, "12", ""))
	do("blocked max_notional: limit 10000, this is 11400", ask(order.Buy, "60", "190"))
	h := fleetctl.Hand{Scope: registry.All, Mode: tenant.ReduceOnly, Reason: "drill", Patience: 10 * time.Second}
	if thrown, err := h.Throw(t.Context(), s.producer.Ledger(), s.conn, by, quietly); err != nil || !thrown.OK() {
		t.Fatalf("%+v, %v", thrown, err)
	}
	do("blocked reduce_only", ask(order.Buy, "1", "100"))
	do("blocked reduce_only", ask(order.Sell, "5", "250"))
	do("accepted", ask(order.Sell, "4", "250"))
	do("blocked reduce_only", ask(order.Sell, "1", "250"))
	do("accepted", order.Intent{Kind: order.KindCancelAll})
}
