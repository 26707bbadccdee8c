package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

// byHand places an order with a tenant's keys, past the fleet, and returns the broker's id.
// An empty client order id leaves it to the broker to make one up; without a limit it is
// filled at once.
func (s *system) byHand(tenant, clientID, side, qty, limit string) string {
	s.Helper()
	o := map[string]string{"symbol": "AAPL", "qty": qty, "side": side, "type": "market", "time_in_force": "day"}
	if clientID != "" {
		o["client_order_id"] = clientID
	}
	if limit != "" {
		o["type"], o["limit_price"] = "limit", limit
	}
	body, err := json.Marshal(o)
	if err != nil {
		s.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+"/v2/orders", bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Apca-Api-Key-Id", tenant)
	req.Header.Set("Apca-Api-Secret-Key", "parts")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	var booked shown
	if err := json.NewDecoder(resp.Body).Decode(&booked); err != nil || booked.ID == "" {
		s.Fatalf("order by hand: status %d, %v", resp.StatusCode, err)
	}
	return booked.ID
}

// scribe writes a tenant's ledger by hand, before any worker is there.
type scribe struct {
	*system
	tenant       string
	shard        int
	last, update uint64
}

func (s *system) scribe(tenant string) *scribe {
	return &scribe{system: s, tenant: tenant, shard: s.producer.Ledger().ShardOf(tenant)}
}

// order puts an intent and its outcome on the ledger, of an order by hand under its id.
func (w *scribe) order(id string, status order.Status, brokerID string) {
	w.Helper()
	r, err := w.producer.Publish(w.Context(), w.tenant, order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Hour), Order: &order.Order{
		Symbol: "AAPL", Qty: d("1"), Side: order.Buy, Type: order.Market, TimeInForce: order.Day,
	}})
	if err != nil {
		w.Fatal(err)
	}
	o := order.Outcome{IntentID: id, IntentSeq: r.Seq, Kind: order.KindOrder, Status: status, BrokerOrderID: brokerID,
		ClientOrderID: order.ClientOrderID(w.tenant, id), Worker: "by-hand"}
	f, err := w.producer.Ledger().Append(w.shard, w.tenant, &o, w.last)
	if err != nil {
		w.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		w.last = ack.Sequence
	case err := <-f.Err():
		w.Fatal(err)
	}
}

// misled puts an update on the ledger that says that no order of the tenant is open: whoever
// follows its orders believes that.
func (w *scribe) misled(u order.Update) {
	w.Helper()
	u.Symbol, u.Side, u.At, u.Worker, u.OpenSince = "AAPL", order.Buy, time.Now(), "by-hand", 1<<40
	f, err := w.producer.Ledger().AppendUpdate(w.shard, w.tenant, &u, w.update)
	if err != nil {
		w.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		w.update = ack.Sequence
	case err := <-f.Err():
		w.Fatal(err)
	}
}

// nothing is an update that says nothing of any order but that none is open.
func nothing() order.Update {
	return order.Update{Event: order.EventCanceled, BrokerOrderID: "none", FilledQty: d("0")}
}

// plant makes every kind of difference between broker and ledger, each of a tenant of its
// own, and says what is to be found of each.
func (s *system) plant() map[string][]string {
	s.scribe("clean").order("one", order.Accepted, s.byHand("clean", "clean.one", "buy", "1", "1.25"))

	s.scribe("hand").order("one", order.Rejected, "")
	s.byHand("hand", "", "buy", "3", "")

	s.scribe("ghost").order("one", order.Rejected, "")
	s.byHand("ghost", "ghost.two", "buy", "1", "1.25")

	twice := s.scribe("twice")
	twice.order("one", order.Accepted, s.byHand("twice", "twice.one", "buy", "1", "1.25"))
	s.byHand("twice", "twice.one", "buy", "1", "1.25")

	s.byHand("despite", "despite.one", "buy", "1", "1.25")
	s.scribe("despite").order("one", order.Failed, "")

	s.scribe("absent").order("one", order.Accepted, "00000000-0000-4000-8000-000000000000")

	lost := s.scribe("lost")
	lost.order("one", order.Accepted, s.byHand("lost", "lost.one", "sell", "2", ""))
	lost.order("two", order.Accepted, s.byHand("lost", "lost.two", "buy", "2", ""))
	lost.order("three", order.Accepted, s.byHand("lost", "lost.three", "buy", "1", "1.25"))
	lost.misled(nothing())

	excess, id := s.scribe("excess"), s.byHand("excess", "excess.one", "buy", "1", "1.25")
	excess.order("one", order.Accepted, id)
	excess.misled(order.Update{Event: order.EventFill, BrokerOrderID: id, Qty: d("1"), FilledQty: d("1"), Price: d("1.25")})
	return map[string][]string{
		"clean":   nil,
		"hand":    {"foreign_order", "position_off"},
		"ghost":   {"unasked_order"},
		"twice":   {"second_order"},
		"despite": {"order_despite_outcome"},
		"absent":  {"missing_order"},
		"lost":    {"missing_fill", "missing_fill"},
		"excess":  {"contrary_end", "excess_fill"},
	}
}

// reconciling has a worker compare without leave of a rate limit.
func reconciling(c *worker.Config) {
	c.ReconcileSettle, c.ReconcileDelay = 50*time.Millisecond, time.Millisecond
	c.PerMinute = func(context.Context, string) int { return 60_000 }
}

// await waits until it is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !so() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// reconcile asks for all tenants, as an operator does.
func (s *system) reconcile(q fleetctl.Reconcile) map[string]fleetctl.Reconciled {
	s.Helper()
	all := make(map[string]fleetctl.Reconciled)
	err := q.Run(s.Context(), s.producer.Ledger(), ledgertest.Connect(s, s.nats), func(string, int, int) {}, func(r fleetctl.Reconciled) {
		all[r.Tenant] = r
	})
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// kinds are those of the differences that are left.
func kinds(r fleetctl.Reconciled) (all []string) {
	if r.Found == nil {
		return []string{r.Problem}
	}
	for _, d := range r.Found.Left() {
		all = append(all, string(d.Kind))
	}
	slices.Sort(all)
	return all
}

// end is the last message of a tenant's shard.
func (s *system) end(tenant string) uint64 {
	s.Helper()
	end, err := s.producer.Ledger().End(s.Context(), s.producer.Ledger().ShardOf(tenant))
	if err != nil {
		s.Fatal(err)
	}
	return end
}

// TestReconcile: every kind of difference is found, and none where there is none; a repair
// writes what is missing, once, and asks the broker for nothing but lists.
func TestReconcile(t *testing.T) {
	log := new(lines)
	s := boot(t, paper.Config{NoDuplicateCheck: true, Cash: decimal.New(1, 9)})
	want := s.plant()
	arrived := len(s.broker.Ledger().Arrived(0))
	s.follow(log, reconciling)

	for tenant, r := range s.reconcile(fleetctl.Reconcile{}) {
		if got := kinds(r); !slices.Equal(got, want[tenant]) {
			t.Errorf("of %s it found %q, wanted %q: %+v", tenant, got, want[tenant], r.Found)
		}
		if r.Found != nil && r.Found.Repaired > 0 {
			t.Errorf("of %s it repaired something", tenant)
		}
	}
	before := s.end("lost")
	repair := fleetctl.Reconcile{Tenants: []string{"lost", "hand"}, Repair: true, By: "ops", Reason: "a test"}
	all := s.reconcile(repair)
	if got := all["lost"]; got.Found == nil || got.Found.Repaired != 2 || len(kinds(got)) > 0 {
		t.Errorf("repaired: %+v", got.Found)
	}
	if got := all["hand"]; got.Found == nil || got.Found.Repaired != 0 {
		t.Errorf("repaired what cannot be: %+v", got.Found)
	}
	if n := s.end("lost") - before; n != 2 {
		t.Errorf("%d messages were written", n)
	}
	if got := s.reconcile(repair)["lost"]; got.Found == nil || got.Found.Repaired != 0 || s.end("lost") != before+2 {
		t.Errorf("repaired twice: %+v", got.Found)
	}
	if n := len(s.broker.Ledger().Arrived(0)); n != arrived {
		t.Errorf("%d requests that book came to the broker", n-arrived)
	}
	if !strings.Contains(log.String(), `"by":"ops","reason":"a test"`) {
		t.Errorf("the worker's log does not say who had it repaired")
	}
}

// TestReconcileAfterATakeOver: whoever takes a shard reconciles its tenants, writes what is
// missing, and says once what differs.
func TestReconcileAfterATakeOver(t *testing.T) {
	s := boot(t, paper.Config{NoDuplicateCheck: true, Cash: decimal.New(1, 9)})
	s.plant()
	scheduled := func(c *worker.Config) { c.ReconcileEvery = 300 * time.Millisecond }
	differ := func(log *lines, tenant string) int {
		return strings.Count(log.String(), fmt.Sprintf(`"tenant":%q,"differences"`, tenant))
	}
	log := new(lines)
	w := s.follow(log, reconciling, scheduled)
	await(t, "the missing updates", func() bool { return strings.Contains(log.String(), `"tenant":"lost","repaired":2`) })
	await(t, "what differs", func() bool { return differ(log, "hand") > 0 && differ(log, "absent") > 0 })
	if differ(log, "clean") > 0 {
		t.Error("a difference of a tenant that has none")
	}
	for n := range 2 { // everybody's turn has come in between
		s.byHand("clean", "", "buy", "1", "1.25")
		await(t, "another difference", func() bool { return differ(log, "clean") > n })
	}
	w.die()
	if n := differ(log, "hand"); n != 1 {
		t.Errorf("it was said %d times that broker and ledger differ", n)
	}
	again := new(lines)
	s.follow(again, reconciling, scheduled)
	await(t, "the next owner", func() bool { return differ(again, "hand") > 0 })
	if strings.Contains(again.String(), `"repaired"`) {
		t.Errorf("it was repaired again: %s", again)
	}
}

// TestReconcileUnderLoad: while tenants trade, nothing that is under way is a difference.
func TestReconcileUnderLoad(t *testing.T) {
	log := new(lines)
	s := boot(t, paper.Config{Cash: decimal.New(1, 9)})
	if err := s.broker.SetLiquidity(decimal.NewFromInt(2)); err != nil {
		t.Fatal(err)
	}
	s.follow(log, reconciling, func(c *worker.Config) {
		c.ReconcileEvery, c.ReconcileSettle = 200*time.Millisecond, 3*time.Second
		c.Log = zerolog.New(log).Level(zerolog.DebugLevel)
	})
	tenants := []string{"acme", "globex", "initech"}
	turns := func() int { return strings.Count(log.String(), `"message":"reconciled"`) }
	for round := range 20 {
		before := turns()
		for _, name := range tenants {
			for _, in := range trading(round) {
				r, err := s.producer.Publish(t.Context(), name, in)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.producer.Await(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				s.broker.Tick()
			}
		}
		await(t, "somebody's turn", func() bool { return turns() > before })
	}
	for range 5 {
		s.broker.Tick()
	}
	s.caughtUp(false, tenants...)
	for tenant, r := range s.reconcile(fleetctl.Reconcile{Tenants: tenants}) {
		if got := kinds(r); len(got) > 0 || r.Found.Orders < 12 {
			t.Errorf("of %s it found %q: %+v", tenant, got, r.Found)
		}
	}
	if strings.Contains(log.String(), "broker and ledger differ") || strings.Contains(log.String(), `"repaired"`) {
		t.Errorf("the worker found differences: %s", log)
	}
}
