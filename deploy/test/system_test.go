// Package test holds the tests of the system as a whole: real processes, real sockets,
// the broker's own ledger as the judge.
package test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// TestMain lets this program be a part of the system.
func TestMain(m *testing.M) {
	if done, err := parts.Run(context.Background(), os.Args, nil); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// system is a NATS server and a paper broker in this process. Workers are processes of
// their own.
type system struct {
	testing.TB
	conn     *nats.Conn
	nats     string
	broker   *paper.Broker
	url      string
	admin    string
	producer *producer.Producer
	accounts map[string]account // by tenant, if correspondents act for them
}

// account is an account of a correspondent's.
type account struct{ id, correspondent string }

// tenantOf is whose an account is; the account itself if it is nobody's.
func (s *system) tenantOf(id string) string {
	for name, a := range s.accounts {
		if a.id == id {
			return name
		}
	}
	return id
}

func boot(t testing.TB, cfg paper.Config) *system {
	t.Helper()
	return assemble(t, ledgertest.Provision(t, 4), cfg)
}

// assemble is boot on a NATS server that has a ledger already.
func assemble(t testing.TB, nc *nats.Conn, cfg paper.Config) *system {
	t.Helper()
	p, err := producer.New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}

	var lc net.ListenConfig
	api, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.RateLimit, cfg.Tick = paper.Unlimited, -1
	broker := paper.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- broker.Run(ctx, api, admin) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &system{t, nc, nc.ConnectedUrl(), broker, "http://" + api.Addr().String(), "http://" + admin.Addr().String(), p, nil}
}

// worker starts a worker process that serves every shard when this returns.
func (s *system) worker() *parts.Process {
	s.Helper()
	p, err := parts.Spawn(context.Background(), &parts.WorkerReady{}, parts.Worker, "--nats", s.nats, "--broker", s.url, "--settle", "200ms")
	if err != nil {
		s.Fatal(err)
	}
	return p
}

// workers starts so many worker processes, which share the shards when this returns.
func (s *system) workers(n int) {
	s.Helper()
	for range n {
		p, err := parts.Spawn(context.Background(), &parts.WorkerReady{}, parts.Worker, "--nats", s.nats, "--broker", s.url, "--settle", "200ms", "--among")
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() { _ = p.Kill() })
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for shared := false; !shared; {
		select {
		case <-ticker.C:
		case <-s.Context().Done():
			s.Fatal("time is over")
		}
		status, err := fleetctl.ReadStatus(s.Context(), s.producer.Ledger())
		if err != nil {
			s.Fatal(err)
		}
		shared = len(status.Members) == n && status.Unowned() == 0
		for _, m := range status.Members {
			shared = shared && m.Shards == len(status.Shards)/n
		}
	}
}

// fault makes the broker misbehave.
func (s *system) fault(faults ...paper.Fault) {
	s.Helper()
	for _, f := range faults {
		if err := s.broker.SetFault(f); err != nil {
			s.Fatal(err)
		}
	}
}

// orders are limit orders that rest at the broker: tenants take turns.
func orders(tenants, each int) iter.Seq[producer.Item] {
	qty, price := decimal.RequireFromString("1"), decimal.RequireFromString("1.25")
	return func(yield func(producer.Item) bool) {
		for n := range each {
			for t := range tenants {
				if !yield(producer.Item{Tenant: fmt.Sprintf("t%02d", t), Intent: order.Intent{
					ID: fmt.Sprintf("%04d", n), Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Hour),
					Order: &order.Order{Symbol: "AAPL", Qty: &qty, Side: order.Buy, Type: order.Limit, TimeInForce: order.Day, LimitPrice: &price},
				}}) {
					return
				}
			}
		}
	}
}

func (s *system) publish(items iter.Seq[producer.Item]) {
	s.Helper()
	for r := range s.producer.PublishAll(s.Context(), items) {
		if r.Err != nil {
			s.Fatal(r.Err)
		}
	}
}

// outcomes is how many outcomes the ledger holds.
func (s *system) outcomes() int {
	s.Helper()
	h, err := proof.Read(s.Context(), s.producer.Ledger())
	if err != nil {
		s.Fatal(err)
	}
	return len(h.Outcomes)
}

// await waits until the ledger holds so many outcomes.
func (s *system) await(n int) {
	s.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for s.outcomes() < n {
		select {
		case <-ticker.C:
		case <-s.Context().Done():
			s.Fatal("time is over")
		}
	}
}

// history is what both ledgers hold.
func (s *system) history() (h proof.History) {
	s.Helper()
	var err error
	if h, err = proof.Read(s.Context(), s.producer.Ledger()); err != nil {
		s.Fatal(err)
	}
	if h.Arrivals, h.Bookings, err = proof.ReadBroker(s.Context(), s.admin); err != nil {
		s.Fatal(err)
	}
	return h
}

// judge compares the ledgers; every intent must have been accepted.
func (s *system) judge(n int) proof.Report {
	s.Helper()
	h := s.history()
	r := proof.Check(h)
	if !r.OK() || r.Intents != n || r.Outcomes != n || r.Orders != n {
		s.Errorf("wanted %d of each: %+v", n, r)
	}
	recovered := 0
	for _, o := range h.Outcomes {
		if o.Status != order.Accepted {
			s.Errorf("intent %s of %s: %s: %s", o.IntentID, o.Tenant, o.Status, o.Message)
		}
		if o.Recovered {
			recovered++
		}
	}
	s.Logf("%d intents, %d recovered; %d requests at the broker", n, recovered, len(s.broker.Ledger().Arrived(0)))
	return r
}

// TestTheMainJob: intents go in, orders come out, and a worker that is told to stop
// finishes what it has begun.
func TestTheMainJob(t *testing.T) {
	s := boot(t, paper.Config{})
	w := s.worker()
	s.publish(orders(10, 30))
	s.await(300)
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	s.judge(300)
}

// TestKilled: workers are killed with SIGKILL again and again while orders flow, and the
// broker believes every client order id: it would book a second attempt as a second order.
func TestKilled(t *testing.T) {
	s := boot(t, paper.Config{NoDuplicateCheck: true})
	s.fault(paper.Fault{Kind: paper.Latency, Min: time.Millisecond, Max: 5 * time.Millisecond})
	const tenants, each, kills = 12, 40, 6
	s.publish(orders(tenants, each))
	for kill := range kills {
		w := s.worker()
		s.await((kill + 1) * tenants * each / (kills + 2))
		if err := w.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	w := s.worker()
	s.await(tenants * each)
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	s.judge(tenants * each)
}

// TestKilledAmongFaults: the same with a broker that loses answers, resets connections,
// limits rates and fails, before and after it has booked.
func TestKilledAmongFaults(t *testing.T) {
	s := boot(t, paper.Config{NoDuplicateCheck: true, Seed: 7})
	s.fault(
		paper.Fault{Kind: paper.Error, Operation: paper.Place, When: paper.After, Probability: 0.04},
		paper.Fault{Kind: paper.Error, Operation: paper.Place, When: paper.Before, Probability: 0.04},
		paper.Fault{Kind: paper.Reset, Operation: paper.Place, When: paper.After, Probability: 0.04},
		paper.Fault{Kind: paper.Reset, Operation: paper.Place, When: paper.Before, Probability: 0.04},
		paper.Fault{Kind: paper.RateLimit, Probability: 0.02},
		paper.Fault{Kind: paper.Empty, Operation: paper.Place, Probability: 0.02},
		paper.Fault{Kind: paper.Garbage, Operation: paper.Place, Probability: 0.02},
		paper.Fault{Kind: paper.HTML, Operation: paper.Lookup, Probability: 0.05},
	)
	const tenants, each, kills = 12, 25, 3
	s.publish(orders(tenants, each))
	for kill := range kills {
		w := s.worker()
		s.await((kill + 1) * tenants * each / (kills + 2))
		if err := w.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	w := s.worker()
	s.await(tenants * each)
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	s.judge(tenants * each)
}

// TestATenantsTroubleStaysItsOwn: one tenant's account is out of order; the orders of the
// others go through meanwhile, and its own when it works again, in order.
func TestATenantsTroubleStaysItsOwn(t *testing.T) {
	s := boot(t, paper.Config{})
	s.fault(paper.Fault{Account: "t00", Kind: paper.Silence, When: paper.After})
	w := s.worker()
	const tenants, each = 8, 20
	s.publish(orders(tenants, each))
	s.await((tenants - 1) * each)
	s.broker.ClearFaults()
	s.await(tenants * each)
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	s.judge(tenants * each)
}

// TestJudgeSeesASecondOrder: the judge of these tests is shown an order that no worker of
// ours made.
func TestJudgeSeesASecondOrder(t *testing.T) {
	s := boot(t, paper.Config{NoDuplicateCheck: true})
	w := s.worker()
	s.publish(orders(1, 1))
	s.await(1)
	if err := errors.Join(w.Stop(), placeAgain(t.Context(), s.url, "t00", "t00.0000")); err != nil {
		t.Fatal(err)
	}
	if r := proof.Check(s.history()); r.Duplicated != 1 || r.OK() {
		t.Errorf("not seen: %+v", r)
	}
}
