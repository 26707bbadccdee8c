package test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

// following is a worker in this process that follows orders.
type following struct {
	crash context.CancelFunc
	drain chan struct{}
	ended chan error
}

// follow starts a worker that looks everything up often, and notices silence soon.
func (s *system) follow(log *lines, change ...func(*worker.Config)) *following {
	s.Helper()
	client := func(name string) (*alpaca.Client, error) {
		return alpaca.New(alpaca.Config{
			Tenant: name, BaseURL: s.url, Credentials: tenant.Credentials{KeyID: name, Secret: "parts"}, Logger: zerolog.Nop(),
			Timeouts: alpaca.Timeouts{Ping: 200 * time.Millisecond},
		})
	}
	cfg := worker.Config{
		Connect: func(_ context.Context, name string) (broker.Line, error) {
			c, err := client(name)
			return broker.Line{Client: c, Address: s.url}, err
		},
		Books:    func(_ context.Context, name string) (broker.Books, error) { return client(name) },
		Settle:   200 * time.Millisecond,
		LeaseTTL: time.Second,
		Check:    3 * time.Second,
		Log:      zerolog.New(log).Level(zerolog.InfoLevel),
	}
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &following{cancel, make(chan struct{}), make(chan error, 1)}
	nc := ledgertest.Connect(s, s.nats)
	go func() {
		defer close(w.ended)
		w.ended <- worker.Run(ctx, w.drain, nc, cfg)
	}()
	s.Cleanup(func() {
		cancel()
		for range w.ended { // until it is closed
		}
	})
	return w
}

// die ends a worker as its death would.
func (w *following) die() {
	w.crash()
	for range w.ended { // until it is closed
	}
}

// leave drains a worker.
func (w *following) leave(t *testing.T) {
	t.Helper()
	close(w.drain)
	if err := <-w.ended; err != nil {
		t.Errorf("draining ended with %v", err)
	}
}

// shown is an order as the paper broker shows it.
type shown struct {
	ID            string          `json:"id"`
	ClientOrderID string          `json:"client_order_id"`
	Status        string          `json:"status"`
	FilledQty     decimal.Decimal `json:"filled_qty"`
	ReplacedBy    string          `json:"replaced_by"`
	Legs          []shown         `json:"legs"`
}

// traded is a fill as the paper broker shows it.
type traded struct {
	ID      string          `json:"id"`
	OrderID string          `json:"order_id"`
	Type    string          `json:"type"`
	Price   decimal.Decimal `json:"price"`
	Qty     decimal.Decimal `json:"qty"`
	Cum     decimal.Decimal `json:"cum_qty"`
	At      time.Time       `json:"transaction_time"`
}

// ask reads a list of the paper broker's, by a path of the Trading API's.
func ask[T any](s *system, account, path string, query url.Values) (list []T) {
	s.Helper()
	a, acting := s.accounts[account]
	switch rest, activities := strings.CutPrefix(path, "/v2/account/"); {
	case acting && activities:
		path = "/v1/accounts/" + rest
		query.Set("account_id", a.id)
	case acting:
		path = "/v1/trading/accounts/" + a.id + strings.TrimPrefix(path, "/v2")
	}
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url+path+"?"+query.Encode(), nil)
	if err != nil {
		s.Fatal(err)
	}
	if acting {
		req.SetBasicAuth(a.correspondent, "parts")
	} else {
		req.Header.Set("Apca-Api-Key-Id", account)
		req.Header.Set("Apca-Api-Secret-Key", "parts")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		s.Fatal(err)
	}
	return list
}

// happened is what the paper broker says of an account's orders: of each, its fills and its
// end, in order. Open says that there are orders that are not over.
func (s *system) happened(account string) (perOrder map[string][]string, open bool) {
	s.Helper()
	perOrder = make(map[string][]string)
	var fills []traded
	for token := ""; ; {
		page := ask[traded](s, account, "/v2/account/activities/FILL", url.Values{"direction": {"asc"}, "page_token": {token}})
		fills = append(fills, page...)
		if len(page) < 100 {
			break
		}
		token = page[len(page)-1].ID
	}
	for _, f := range fills {
		perOrder[f.OrderID] = append(perOrder[f.OrderID], fmt.Sprintf("%s %s at %s, %s in all, %s", f.Type, f.Qty, f.Price, f.Cum, f.At.Format(time.RFC3339Nano)))
	}
	var end func(orders []shown)
	end = func(orders []shown) {
		for _, o := range orders {
			switch o.Status {
			case "canceled", "expired", "rejected", "replaced":
				perOrder[o.ID] = append(perOrder[o.ID], fmt.Sprintf("%s with %s, then %s", o.Status, o.FilledQty, o.ReplacedBy))
			case "filled":
			default:
				open = true
			}
			end(o.Legs)
		}
	}
	orders := ask[shown](s, account, "/v2/orders", url.Values{"status": {"all"}, "limit": {"500"}, "nested": {"true"}})
	if len(orders) == 500 {
		s.Fatal("too many orders for one page")
	}
	end(orders)
	return perOrder, open
}

// recorded is what the ledger says of a tenant's orders, and in which order of time.
func (s *system) recorded(tenant string) (perOrder map[string][]string) {
	s.Helper()
	perOrder = make(map[string][]string)
	l := s.producer.Ledger()
	shard := l.ShardOf(tenant)
	end, err := l.End(s.Context(), shard)
	if err != nil {
		s.Fatal(err)
	}
	err = l.ReadTenant(s.Context(), shard, tenant, 1, end, func(e ledger.Entry) error {
		u, err := order.DecodeUpdate(e.Data)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s with %s, then %s", u.Event, u.FilledQty, u.ReplacedBy)
		if u.Fills() {
			line = fmt.Sprintf("%s %s at %s, %s in all, %s", u.Event, u.Qty, u.Price, u.FilledQty, u.At.Format(time.RFC3339Nano))
		}
		perOrder[u.BrokerOrderID] = append(perOrder[u.BrokerOrderID], line)
		if u.IntentID == "" || u.Worker == "" || u.Epoch == 0 || u.OpenSince == 0 {
			return fmt.Errorf("update %d says too little: %s", e.Seq, e.Data)
		}
		return nil
	}, ledger.Updates)
	if err != nil {
		s.Fatal(err)
	}
	return perOrder
}

// differ says how a tenant's updates are not what happened at the broker.
func (s *system) differ(tenant string) (string, bool) {
	want, open := s.happened(tenant)
	got := s.recorded(tenant)
	for id := range want {
		if !slices.Equal(got[id], want[id]) {
			return fmt.Sprintf("of order %s of %s the ledger has\n%q, and what happened is\n%q", id, tenant, got[id], want[id]), open
		}
	}
	for id := range got {
		if want[id] == nil {
			return fmt.Sprintf("the ledger tells of order %s of %s, and nothing happened to it: %q", id, tenant, got[id]), open
		}
	}
	return "", open
}

// caughtUp waits until the tenants' updates are what happened at the broker and, if need be,
// no order is open there.
func (s *system) caughtUp(over bool, tenants ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 60*time.Second)
	defer cancel()
	for _, name := range tenants {
		for {
			differs, open := s.differ(name)
			if differs == "" && !(over && open) {
				break
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				s.Fatalf("orders open: %t; %s", open, cmp.Or(differs, "no difference"))
			}
		}
	}
}

func d(s string) *decimal.Decimal {
	n := decimal.RequireFromString(s)
	return &n
}

// trading are intents of all kinds of orders; those that are marketable fill in parts.
func trading(round int) []order.Intent {
	id := func(name string) string { return fmt.Sprintf("%s-%d", name, round) }
	of := func(name string, o order.Order) order.Intent {
		return order.Intent{ID: id(name), Kind: order.KindOrder, Order: &o}
	}
	buy := func(qty string, class order.Class) order.Order {
		return order.Order{Symbol: "AAPL", Qty: d(qty), Side: order.Buy, Type: order.Market, TimeInForce: order.GTC, OrderClass: class}
	}
	bracket := buy("3", order.Bracket)
	bracket.TakeProfit = &order.TakeProfit{LimitPrice: d("9999")}
	bracket.StopLoss = &order.StopLoss{StopPrice: d("1.50")}
	resting := buy("4", "")
	resting.Type, resting.LimitPrice = order.Limit, d("1.25")
	return []order.Intent{
		of("market", buy("5", "")),
		of("bracket", bracket),
		of("resting", resting),
		of("small", buy("1", "")),
		{ID: id("replace"), Kind: order.KindReplace, Target: id("resting"), Order: &order.Order{Qty: d("6")}},
		{ID: id("cancel"), Kind: order.KindCancel, Target: id("replace")},
	}
}

// TestUpdates: whatever becomes of the streams and the workers, all fills and ends are on the
// ledger, once and in order.
func TestUpdates(t *testing.T) {
	log := new(lines)
	s := boot(t, paper.Config{Cash: decimal.New(1, 9)})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	if err := s.broker.SetLiquidity(decimal.NewFromInt(2)); err != nil {
		t.Fatal(err)
	}
	tenants := []string{"acme", "globex", "initech"}
	w := s.follow(log)
	for round, trouble := range []func(){
		func() {},
		func() { s.fault(paper.Fault{Operation: paper.Stream, Kind: paper.Reset, Probability: 0.3}) },
		func() { s.fault(paper.Fault{Operation: paper.Stream, Kind: paper.Drop, Probability: 0.3}) },
		func() {
			s.fault(paper.Fault{Operation: paper.Stream, Kind: paper.Silence, Probability: 0.2},
				paper.Fault{Operation: paper.List, Kind: paper.Error, Probability: 0.5})
		},
		func() { w.die(); w = s.follow(log) },
		func() { old := w; w = s.follow(log); old.leave(t) },
		func() {
			s.fault(paper.Fault{Operation: paper.Stream, Kind: paper.RateLimit, Count: 2, RetryAfter: time.Second},
				paper.Fault{Operation: paper.Stream, Kind: paper.Reset, Count: 3})
		},
	} {
		trouble()
		var last []producer.Receipt
		for _, name := range tenants {
			for _, in := range trading(round) {
				r, err := s.producer.Publish(t.Context(), name, in)
				if err != nil {
					t.Fatal(err)
				}
				s.broker.Tick()
				last = append(last, r)
			}
		}
		for _, r := range last {
			o, err := s.producer.Await(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if o.Status != order.Accepted && o.Kind != order.KindReplace && o.Kind != order.KindCancel {
				t.Errorf("outcome %+v", o)
			}
			s.broker.Tick()
		}
		for range 5 { // what is marketable fills
			s.broker.Tick()
		}
		s.broker.ClearFaults()
		s.caughtUp(false, tenants...)
	}
	for _, name := range tenants {
		r, err := s.producer.Publish(t.Context(), name, order.Intent{Kind: order.KindCancelAll})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.producer.Await(t.Context(), r); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	s.caughtUp(true, tenants...)
	w.leave(t)
	s.audited(tenants)
}

// audited: an audit of the ledgers finds nothing, whichever way the broker shows its own.
func (s *system) audited(tenants []string) {
	s.Helper()
	l, err := ledger.Open(s.Context(), ledgertest.Connect(s, s.nats))
	if err != nil {
		s.Fatal(err)
	}
	directory := make(tenant.Map)
	for _, name := range tenants {
		directory[name] = tenant.Tenant{Name: name, BaseURL: s.url, Credentials: tenant.Credentials{KeyID: name, Secret: "parts"}}
	}
	for _, b := range []audit.Broker{audit.Paper(s.admin), audit.Accounts(directory)} {
		r, err := audit.Run(s.Context(), history.Live(l), b, history.Stretch{}, audit.Options{})
		if err != nil {
			s.Fatal(err)
		}
		if r.Err() != nil || r.Updates == 0 || r.Orders < 4*len(tenants) || r.Due+r.Unjudged+r.Foreign > 0 {
			s.Errorf("with %s: %+v", b.Name(), r)
		}
	}
}

// TestFollowersTakeTurns: with one place a shard, the orders of all its tenants are followed.
func TestFollowersTakeTurns(t *testing.T) {
	log := new(lines)
	s := boot(t, paper.Config{})
	w := s.follow(log, func(c *worker.Config) {
		c.MaxFollowers = 1
		c.Turn = 50 * time.Millisecond
	})
	var tenants []string
	for n := range 12 { // three a shard, more or less
		tenants = append(tenants, fmt.Sprintf("tenant-%d", n))
	}
	rest := order.Order{Symbol: "AAPL", Qty: d("1"), Side: order.Buy, Type: order.Limit, TimeInForce: order.GTC, LimitPrice: d("1.25")}
	price := func(p string) {
		if err := s.broker.SetPrices(map[string]decimal.Decimal{"AAPL": *d(p)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time all have had a turn, and wait for the next
		price("2.00")
		for _, name := range tenants {
			r, err := s.producer.Publish(t.Context(), name, order.Intent{Kind: order.KindOrder, Order: &rest})
			if err != nil {
				t.Fatal(err)
			}
			if o, err := s.producer.Await(t.Context(), r); err != nil || o.Status != order.Accepted {
				t.Fatalf("%+v: %v", o, err)
			}
		}
		price("1.00")
		s.caughtUp(true, tenants...)
	}
	w.leave(t)
}
