package worker_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// TestNewKeys: a tenant's keys are changed while it has work; its next intent is placed with
// the new ones.
func TestNewKeys(t *testing.T) {
	r := newRig(t)
	var lines atomic.Int64
	r.books.meddle = func(call, _ string, _ func()) *broker.Verdict {
		if lines.Load() > 1 {
			return nil
		}
		return &broker.Verdict{Kind: broker.Rejected, HTTPStatus: http.StatusUnauthorized, Message: "unauthorized."}
	}
	r.work(func(c *worker.Config) {
		connect := c.Connect
		c.Connect = func(ctx context.Context, tenant string) (broker.Line, error) {
			lines.Add(1)
			return connect(ctx, tenant)
		}
	})
	r.publish("acme", buy("a"))
	r.publish("acme", buy("b"))
	r.publish("acme", buy("c"))
	got := r.outcomes("acme", 3)
	if got[0].Status != order.Rejected || got[1].Status != order.Accepted || got[2].Status != order.Accepted {
		t.Errorf("outcomes: %s, %s, %s", got[0].Status, got[1].Status, got[2].Status)
	}
	if n := lines.Load(); n != 2 {
		t.Errorf("%d lines were made, wanted 2", n)
	}
}
