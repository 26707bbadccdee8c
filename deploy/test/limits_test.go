package test

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// lived is an order as the paper broker shows it, with when it was open.
type lived struct {
	ID         string    `json:"id"`
	Symbol     string    `json:"symbol"`
	CreatedAt  time.Time `json:"created_at"`
	FilledAt   time.Time `json:"filled_at"`
	CanceledAt time.Time `json:"canceled_at"`
	ReplacedAt time.Time `json:"replaced_at"`
	ExpiredAt  time.Time `json:"expired_at"`
	FailedAt   time.Time `json:"failed_at"`
}

// mostOpen is how many of some orders were open at one moment, at most.
func mostOpen(orders []lived) (most int) {
	type turn struct {
		at time.Time
		by int
	}
	var turns []turn
	for _, o := range orders {
		turns = append(turns, turn{o.CreatedAt, 1})
		for _, end := range []time.Time{o.FilledAt, o.CanceledAt, o.ReplacedAt, o.ExpiredAt, o.FailedAt} {
			if !end.IsZero() {
				turns = append(turns, turn{end, -1})
				break
			}
		}
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
	open := 0
	for _, t := range turns {
		open += t.by
		most = max(most, open)
	}
	return most
}

// TestLimitsUnderLoad: under load, with a broker that loses answers and workers that are killed
// and replaced, the broker's own books never show more of a tenant than its limits allow; a
// take-over resets none, and what is freed is used again.
func TestLimitsUnderLoad(t *testing.T) {
	const tenants, each, kills = 6, 120, 3
	s := boot(t, paper.Config{})
	s.fault(
		paper.Fault{Kind: paper.Latency, Min: time.Millisecond, Max: 4 * time.Millisecond},
		paper.Fault{Kind: paper.Reset, Operation: paper.Place, When: paper.After, Probability: 0.03},
		paper.Fault{Kind: paper.Reset, Operation: paper.Place, When: paper.Before, Probability: 0.03},
	)
	store, by := registry.NewStore(s.producer.Ledger()), registrytest.Signer(t, "kim")
	all := names(tenants)
	register(t, store, by, all) // those with an even number have the label half=0
	dollars := func(n int64) *decimal.Decimal { return new(decimal.New(n, 0)) }
	limits := map[registry.Scope]tenant.Limits{
		registry.All:                  {Restricted: []string{"MSFT"}, NotionalPerDay: dollars(4000)},
		registry.OfLabel("half", "0"): {OrdersPerMinute: 25},
		registry.OfLabel("half", "1"): {OpenOrders: 5, OrdersPerDay: 90},
	}
	for scope, l := range limits {
		if _, err := store.Write(t.Context(), by, registry.LimitsKey(scope), l, "test", 0); err != nil {
			t.Fatal(err)
		}
	}

	ctx, end := context.WithCancel(t.Context())
	defer end()
	var load sync.WaitGroup
	for _, name := range all {
		load.Go(func() {
			for i := range each {
				in := resting(fmt.Sprint(i))
				switch i % 4 {
				case 1: // it is filled at once
					in.Order.LimitPrice = dollars(400)
				case 2:
					in.Kind, in.Order, in.Target = order.KindCancel, nil, fmt.Sprint(i-2)
				case 3:
					if i%8 == 3 {
						in.Order.Symbol = "MSFT"
					}
				}
				r, err := s.producer.Publish(ctx, name, in)
				if err == nil && i%6 == 5 { // as fast as the fleet goes, and no faster
					_, err = s.producer.Await(ctx, r)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for kill := range kills {
		w := s.worker()
		s.await((kill + 1) * tenants * each / (kills + 2))
		if err := w.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	w := s.worker()
	load.Wait()
	s.await(tenants * each)
	if err := w.Stop(); err != nil {
		t.Error(err)
	}

	h := s.history()
	if r := proof.Check(h); !r.OK() {
		t.Errorf("%+v", r)
	}
	blocked := make(map[string]int)
	for _, o := range h.Outcomes {
		if o.Status == order.Blocked {
			blocked[o.Rule]++
		}
	}
	for _, rule := range []string{"restricted_symbols", "orders_per_minute", "open_orders", "notional_per_day"} {
		if blocked[rule] == 0 {
			t.Errorf("%s blocked nothing: the test shows nothing of it", rule)
		}
	}
	for i, name := range all {
		s.withinLimits(name, i%2 == 0)
	}
	t.Logf("blocked: %v", blocked)

	report, err := audit.Run(t.Context(), history.Live(s.producer.Ledger()), audit.Paper(s.admin), history.Stretch{}, audit.Options{})
	if err != nil || report.Err() != nil {
		t.Errorf("the audit: %+v, %v", report, err)
	}
}

// withinLimits holds the broker's books of a tenant against its limits.
func (s *system) withinLimits(name string, paced bool) {
	s.Helper()
	var sent []time.Time
	var sum decimal.Decimal
	for _, b := range s.broker.Ledger().Booked(0) {
		if b.Account != name {
			continue
		}
		if b.Symbol == "MSFT" {
			s.Errorf("%s has an order for MSFT", name)
		}
		sent = append(sent, b.Received)
	}
	orders := ask[lived](s, name, "/v2/orders", url.Values{"status": {"all"}, "limit": {"500"}})
	for _, o := range ask[struct {
		LimitPrice decimal.Decimal `json:"limit_price"`
		Qty        decimal.Decimal `json:"qty"`
	}](s, name, "/v2/orders", url.Values{"status": {"all"}, "limit": {"500"}}) {
		sum = sum.Add(o.LimitPrice.Mul(o.Qty))
	}
	slices.SortFunc(sent, time.Time.Compare)
	if paced {
		const limit = 25
		for i := limit; i < len(sent); i++ {
			if gap := sent[i].Sub(sent[i-limit]); gap < time.Minute {
				s.Errorf("%s has %d orders within %s", name, limit+1, gap)
			}
		}
	} else {
		if n := mostOpen(orders); n > 5 {
			s.Errorf("%s had %d open orders at a moment", name, n)
		}
		if len(sent) <= 5 {
			s.Errorf("%s had %d orders in all: nothing was freed", name, len(sent))
		}
	}
	if sum.GreaterThan(decimal.New(4000, 0)) || len(sent) > 90 {
		s.Errorf("%s has %d orders for %s dollars", name, len(sent), sum)
	}
}
