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

// lag is a registry that hears of a change only when it is asked to.
type lag struct {
	*board
	sync func()
}

func (l lag) Sync(context.Context) error {
	l.sync()
	return nil
}

// TestRevokedKeys: keys that were replaced are revoked before the worker has heard of the new
// ones. The broker's refusal is none of the intent: it is placed with the new keys, once.
// Without other keys the refusal stands.
func TestRevokedKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		replaced bool
		lose     bool // the answer to the order that was placed with the old keys
		want     order.Status
		attempts int
		orders   int
	}{
		"replaced":                       {true, false, order.Accepted, 2, 1},
		"replaced while in doubt":        {true, true, order.Accepted, 1, 1},
		"revoked, and nothing in return": {false, false, order.Rejected, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var held, known, heard atomic.Value // keys: of the line, to the broker, to the registry
			known.Store("old")
			heard.Store("old")
			r.books.meddle = func(call, id string, book func()) *broker.Verdict {
				if held.Load() != known.Load() {
					return &broker.Verdict{Kind: broker.Rejected, HTTPStatus: http.StatusUnauthorized, Message: "unauthorized."}
				}
				if tt.lose && call == "place" && id == "acme.b" {
					book()
					known.Store("new")
					return &broker.Verdict{Kind: broker.Unknown, Message: "no whole answer"}
				}
				return nil
			}
			r.work(func(c *worker.Config) {
				c.Registry = lag{newBoard(), func() {
					if tt.replaced {
						heard.Store(known.Load())
					}
				}}
				connect := c.Connect
				c.Connect = func(ctx context.Context, tenant string) (broker.Line, error) {
					line, err := connect(ctx, tenant)
					held.Store(heard.Load())
					line.Keys = heard.Load().(string)
					return line, err
				}
			})
			r.publish("acme", buy("a"))
			if got := r.outcomes("acme", 1)[0]; got.Status != order.Accepted {
				t.Fatalf("with the old keys: %+v", got)
			}
			if !tt.lose {
				known.Store("new")
			}
			r.publish("acme", buy("b"))
			got := r.outcomes("acme", 2)[1]
			if got.Status != tt.want || got.Attempts != tt.attempts {
				t.Errorf("outcome %s (%s) after %d attempts, wanted %s after %d", got.Status, got.Message, got.Attempts, tt.want, tt.attempts)
			}
			r.books.mu.Lock()
			defer r.books.mu.Unlock()
			orders := 0
			for _, o := range r.books.booked {
				if o.ClientOrderID == "acme.b" {
					orders++
				}
			}
			if orders != tt.orders {
				t.Errorf("the broker has %d orders, wanted %d", orders, tt.orders)
			}
		})
	}
}
