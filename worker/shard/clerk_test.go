package shard

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/inquiry"
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

// TestUnreconciledIsTold: that a tenant cannot be reconciled is told once for each reason.
func TestUnreconciledIsTold(t *testing.T) {
	why := errors.New("no keys")
	cfg := reconcile.Config{Updates: &updates.Config{
		Books: func(context.Context, string) (broker.Books, error) { return nil, why },
	}}
	log := new(bytes.Buffer)
	c := &clerk{
		ctx: t.Context(), runner: reconcile.NewRunner(&cfg, reconcile.Owner{}), log: zerolog.New(log).Level(zerolog.InfoLevel),
		under: make(map[string]bool), tenants: make(map[string]*turn),
	}
	for _, reason := range []string{"no keys", "no file"} {
		why = errors.New(reason)
		for range 2 {
			c.visit(t.Context(), "acme", 1)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"warn"`) || !strings.Contains(text, "acme") || !strings.Contains(text, reason) {
			t.Errorf("told %q", text)
		}
		log.Reset()
	}
}

// TestRepairsAreNoted: what an operator had written is logged, with who and why; nothing is if
// nothing was missing.
func TestRepairsAreNoted(t *testing.T) {
	log := new(bytes.Buffer)
	c := &clerk{log: zerolog.New(log)}
	q := &inquiry.Question{Tenant: "acme", By: "ann", Reason: "a gap", Repair: true}
	if c.note(q, 0, nil); log.Len() > 0 {
		t.Errorf("noted of nothing: %s", log)
	}
	c.note(q, 2, nil)
	for _, part := range []string{"acme", "ann", "a gap", `"repaired":2`} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("no %s in %q", part, log)
		}
	}
}
