package pool_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/pool"
)

// lists is a second line that says until when each of its requests may be written.
type lists struct {
	broker.Books // what is not here is not called
	until        []time.Time
}

func (l *lists) answer(ctx context.Context) broker.Verdict {
	l.until = append(l.until, broker.NotAfter(ctx, time.Time{}))
	now := time.Now()
	return broker.Verdict{Kind: broker.Found, Submitted: now, Answered: now, Limits: broker.Limits{Limit: 100, Remaining: 90, Reset: time.Second}}
}

func (l *lists) Orders(ctx context.Context, _ broker.OrdersQuery) ([]broker.Record, broker.Verdict) {
	return []broker.Record{{}}, l.answer(ctx)
}

func (l *lists) Record(ctx context.Context, _ string) (broker.Record, broker.Verdict) {
	return broker.Record{}, l.answer(ctx)
}

func (l *lists) Fills(ctx context.Context, _ broker.FillsQuery) ([]broker.Fill, broker.Verdict) {
	return nil, l.answer(ctx)
}

func (l *lists) Positions(ctx context.Context) ([]broker.Position, broker.Verdict) {
	return nil, l.answer(ctx)
}

func (l *lists) Follow(ctx context.Context) (broker.Feed, broker.Verdict) {
	v := l.answer(ctx)
	v.Submitted = time.Time{} // as those that cannot say
	return nil, v
}

// TestBooks: every request of a second line is taken from the tenant's pool, if it is in one,
// and what the broker says of the pool is not taken for the tenant's own limit.
func TestBooks(t *testing.T) {
	r := newRig(t)
	r.registry.set("desk", 100, time.Second)
	r.banker("desk", 1, time.Now().Add(-time.Hour))
	c := r.client(r.connect())
	terms := &tenant.Terms{Pool: "desk", Weight: 2}
	line := new(lists)
	connect := c.Books(func(context.Context, string) (broker.Books, error) { return line, nil }, func(string) *tenant.Terms { return terms })
	books, err := connect(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	all := func(ctx context.Context) (verdicts []broker.Verdict) {
		page, v := books.Orders(ctx, broker.OrdersQuery{})
		if v.Kind == broker.Found && len(page) != 1 {
			t.Errorf("the page is lost")
		}
		verdicts = append(verdicts, v)
		_, v = books.Record(ctx, "x")
		verdicts = append(verdicts, v)
		_, v = books.Fills(ctx, broker.FillsQuery{})
		verdicts = append(verdicts, v)
		_, v = books.Positions(ctx)
		verdicts = append(verdicts, v)
		_, v = books.Follow(ctx)
		return append(verdicts, v)
	}
	for i, v := range all(t.Context()) {
		if v.Kind != broker.Found || v.Limits.Limit != 0 {
			t.Errorf("call %d: %+v", i, v)
		}
		if len(line.until) <= i || line.until[i].IsZero() {
			t.Errorf("call %d was made without a token", i)
		}
	}
	terms, line.until = &tenant.Terms{}, nil
	for i, v := range all(t.Context()) {
		if v.Kind != broker.Found || v.Limits.Limit == 0 || len(line.until) <= i || !line.until[i].IsZero() {
			t.Errorf("call %d, of a tenant without a pool: %+v", i, v)
		}
	}
	terms = &tenant.Terms{Pool: "nowhere"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i, v := range all(ctx) {
		if v.Kind != broker.Unsent {
			t.Errorf("call %d, of one that waits for nothing: %+v", i, v)
		}
	}
	refused := errors.New("no keys")
	if _, err := c.Books(func(context.Context, string) (broker.Books, error) { return nil, refused }, nil)(t.Context(), "acme"); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

// TestSecondLinesComeLast: orders are not kept waiting by lists.
func TestSecondLinesComeLast(t *testing.T) {
	r := newRig(t)
	r.registry.set("desk", 100, time.Second)
	c := r.client(r.connect())
	var lists []*pool.Waiter
	for range 50 {
		lists = append(lists, c.Wait(pool.Request{Pool: "desk", Tenant: "acme", Class: pool.Background}))
	}
	w := c.Wait(pool.Request{Pool: "desk", Tenant: "beta"})
	r.banker("desk", 1, time.Now())
	tok := <-w.Token()
	c.Back(tok)
	waiting := 0
	for _, w := range lists {
		if len(w.Token()) == 0 {
			waiting++
		}
		c.Leave(w)
	}
	if waiting < 40 {
		t.Errorf("only %d of 50 lists came after an order", waiting)
	}
}
