package shard

import (
	"context"
	"testing"

	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/reconcile"
	"github.com/orderfleet/orderfleet/worker/updates"
	"github.com/rs/zerolog"
)

// TestPanicWhileReconciling: a bug in what reconciles one tenant is told, and ends that alone.
func TestPanicWhileReconciling(t *testing.T) {
	cfg := reconcile.Config{Updates: &updates.Config{
		Books: func(context.Context, string) (broker.Books, error) { panic("a bug") },
	}}
	c := &clerk{
		ctx: t.Context(), runner: reconcile.NewRunner(&cfg, reconcile.Owner{}), log: zerolog.Nop(),
		under: make(map[string]bool), tenants: make(map[string]*turn),
	}
	c.visit(t.Context(), "acme", 1)
	if len(c.under) > 0 || c.tenants["acme"] == nil {
		t.Errorf("under way: %v, known: %v", c.under, c.tenants)
	}
}
