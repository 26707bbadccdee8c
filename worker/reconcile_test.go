package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// stuck is a broker's lists that never come.
type stuck struct {
	broker.Books
	asked chan struct{}
}

func (s stuck) Orders(ctx context.Context, _ broker.OrdersQuery) ([]broker.Record, broker.Verdict) {
	s.asked <- struct{}{}
	<-ctx.Done()
	return nil, broker.Verdict{Kind: broker.Unsent, Message: "given up"}
}

func (stuck) Hangup() {}
func (stuck) Close()  {}

func (r *rig) reconcile(tenant string) (inquiry.Answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	return inquiry.Ask(ctx, r.nc, r.ledger.ShardOf(tenant), inquiry.Question{Verb: inquiry.Reconcile, Tenant: tenant})
}

func refusedAs(err error, code inquiry.Code) bool {
	refused, ok := errors.AsType[*inquiry.RefusedError](err)
	return ok && refused.Code == code
}

// TestReconcilingIsBounded: a tenant is reconciled once at a time, a few tenants of a shard
// at once, and one more is refused; meanwhile the shard answers what it knows, and its
// tenants trade; a worker that leaves gives it up.
func TestReconcilingIsBounded(t *testing.T) {
	r := newRigOf(t, 1)
	asked := make(chan struct{}, 10)
	w := r.work(func(c *worker.Config) {
		c.Books = func(context.Context, string) (broker.Books, error) { return stuck{asked: asked}, nil }
	})
	r.awaitPhase("a", inquiry.Idle)
	ended := make(chan error, 4)
	for _, tenant := range []string{"a", "b", "c", "d"} {
		go func() {
			_, err := r.reconcile(tenant)
			ended <- err
		}()
	}
	for range 4 {
		<-asked
	}
	if _, err := r.reconcile("a"); !refusedAs(err, inquiry.Busy) || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second time: %v", err)
	}
	if _, err := r.reconcile("e"); !refusedAs(err, inquiry.Busy) || !strings.Contains(err.Error(), "4 tenants") {
		t.Errorf("a fifth tenant: %v", err)
	}
	r.awaitPhase("a", inquiry.Idle)
	r.publish("a", buy("one"))
	r.outcomes("a", 1)
	w.stop()
	for range 4 {
		if err := <-ended; !refusedAs(err, inquiry.Leaving) {
			t.Errorf("the worker left, and said %v", err)
		}
	}
}

// TestNothingToReconcile: a worker without a second line to its brokers says so.
func TestNothingToReconcile(t *testing.T) {
	r := newRigOf(t, 1)
	r.work()
	r.awaitPhase("a", inquiry.Idle)
	if _, err := r.reconcile("a"); !refusedAs(err, inquiry.Failed) {
		t.Errorf("%v", err)
	}
}
