package replay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/session"
	"github.com/shopspring/decimal"
)

// account is a tenant in a shadow: a broker of its own, and its intents, which one goroutine
// takes there one after the other.
type account struct {
	*shadow
	tenant   string
	its      []int // its intents, by their place in all
	broker   *paper.Broker
	handler  http.Handler
	market   *market
	outcomes chan order.Outcome
	// refused is why it has no line to its broker, as then; written before an intent is
	// published, read by the session that takes it up.
	refused atomic.Pointer[error]
}

// open opens its broker.
func (a *account) open(faults []paper.Fault) error {
	its := make([]*Asked, len(a.its))
	for i, n := range a.its {
		its[i] = a.all[n]
	}
	a.broker = paper.New(paper.Config{Cash: a.Cash, RateLimit: paper.Unlimited, Seed: a.Seed, Tick: -1, Assets: a.prices.listings(its)})
	a.handler = a.broker.Handler()
	a.market = a.prices.market(a.broker, its)
	for _, f := range faults {
		if err := a.broker.SetFault(f); err != nil {
			return fmt.Errorf("%w: %w", ErrConditions, err)
		}
	}
	return nil
}

// play takes all of its intents to their ends.
func (a *account) play(ctx context.Context) error {
	for i, n := range a.its {
		next := time.Time{}
		if i+1 < len(a.its) {
			next = a.all[a.its[i+1]].At
		}
		o, err := a.one(ctx, a.all[n], next)
		if err != nil {
			return err
		}
		a.fates[n].Outcome = o
		a.done.Add(1)
	}
	return a.finish(ctx)
}

// one takes an intent to its end.
func (a *account) one(ctx context.Context, asked *Asked, next time.Time) (order.Outcome, error) {
	due := a.begun.Add(a.Pace.span(asked.turn.Sub(a.all[0].turn)))
	if a.Pace != AtOnce {
		if err := sleepUntil(ctx, due); err != nil {
			return order.Outcome{}, err
		}
	}
	a.broker.SetTime(asked.turn) // what ends with its day ends here, too
	err := a.market.advance(asked.turn)
	if err == nil {
		err = a.market.meet(asked, next)
	}
	if err != nil {
		return order.Outcome{}, fmt.Errorf("replay: prices of tenant %s: %w", a.tenant, err)
	}
	a.refused.Store(asked.refusal())
	data, err := a.message(asked, due)
	if err != nil {
		return order.Outcome{}, err
	}
	if err := a.stage.publish(ctx, asked.Shard, asked.Tenant, data); err != nil {
		return order.Outcome{}, err
	}
	select {
	case o := <-a.outcomes:
		return o, nil
	case <-ctx.Done():
		return order.Outcome{}, context.Cause(ctx)
	}
}

// message is the intent as it is published again: as it was, but for its expiry. What is
// malformed is so still.
func (a *account) message(asked *Asked, due time.Time) ([]byte, error) {
	if !asked.valid() {
		return asked.Data, nil
	}
	in, lifetime := *asked.Intent, asked.lifetime()
	switch {
	case a.Pace != AtOnce:
		in.ExpiresAt = due.Add(a.Pace.span(lifetime))
	case lifetime > 0: // where time means nothing, it need not be short
		in.ExpiresAt = time.Now().Add(a.Patience)
	default:
		in.ExpiresAt = time.Now().Add(lifetime)
	}
	in.ExpiresAt = in.ExpiresAt.UTC()
	data, err := order.EncodeIntent(in)
	if err != nil {
		return nil, fmt.Errorf("replay: intent %s of tenant %s: %w", asked.ID, asked.Tenant, err)
	}
	return data, nil
}

// errConfig stands for what was wrong with a tenant's configuration.
var errConfig = errors.New("replay: the tenant's configuration was wrong")

// refusal is why its tenant had no line to its broker; nil if it had one.
func (a *Asked) refusal() *error {
	if a.Outcome == nil {
		return nil
	}
	err := map[string]error{
		session.RuleUnknownTenant: tenant.ErrUnknown,
		session.RuleNoCredentials: tenant.ErrNoCredentials,
		session.RuleTenantConfig:  errConfig,
	}[a.Outcome.Rule]
	if err == nil {
		return nil
	}
	return &err
}

// finish lets what the market did after the last intent happen, and looks how the orders
// stand that the ledger has updates of.
func (a *account) finish(ctx context.Context) error {
	a.broker.ClearFaults()
	end := a.all[a.its[len(a.its)-1]].turn
	for _, n := range a.its {
		for i := range a.all[n].Updates {
			if at := a.all[n].Updates[i].At; at.After(end) {
				end = at
			}
		}
	}
	a.broker.SetTime(end)
	if err := a.market.advance(time.Time{}); err != nil {
		return fmt.Errorf("replay: prices of tenant %s: %w", a.tenant, err)
	}
	for _, n := range a.its {
		o := &a.fates[n].Outcome
		if !a.all[n].told() || o.Status != order.Accepted || o.BrokerOrderID == "" {
			continue
		}
		f, err := a.stands(ctx, o.BrokerOrderID)
		if err != nil {
			return fmt.Errorf("replay: order %s of tenant %s: %w", o.BrokerOrderID, a.tenant, err)
		}
		a.fates[n].Fill = f
	}
	return nil
}

// stands asks the broker how an order stands.
func (a *account) stands(ctx context.Context, id string) (Fill, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/v2/orders/"+url.PathEscape(id), http.NoBody)
	if err != nil {
		return Fill{}, err
	}
	r.Header.Set("APCA-API-KEY-ID", a.tenant)
	r.Header.Set("APCA-API-SECRET-KEY", secret)
	w := answer{header: make(http.Header)}
	a.handler.ServeHTTP(&w, r)
	if w.status != http.StatusOK {
		return Fill{}, fmt.Errorf("HTTP %d: %s", w.status, w.body)
	}
	var shown struct {
		Status         string           `json:"status"`
		FilledQty      decimal.Decimal  `json:"filled_qty"`
		FilledAvgPrice *decimal.Decimal `json:"filled_avg_price"`
	}
	if err := json.Unmarshal(w.body, &shown); err != nil {
		return Fill{}, err
	}
	return Fill{shown.Status, &shown.FilledQty, shown.FilledAvgPrice}, nil
}

// answer is what a handler in this process answered.
type answer struct {
	header http.Header
	status int
	body   []byte
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(status int)      { w.status = status }
func (w *answer) Write(p []byte) (int, error) { w.body = append(w.body, p...); return len(p), nil }
