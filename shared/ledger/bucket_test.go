package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestTheTenantsBucketKeepsAll: every change stays, nobody takes one away, and the client
// library's own bucket is one with it.
func TestTheTenantsBucketKeepsAll(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	b := l.Bucket(ledger.TenantsBucket)
	put := func(key string, n int) uint64 {
		t.Helper()
		last, err := b.Last(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		revision, err := b.Put(t.Context(), key, fmt.Appendf(nil, "%s%d", key, n), last, 0)
		if err != nil {
			t.Fatal(err)
		}
		return revision
	}
	const changes = 200 // more than a bucket of the client library's can keep of a key
	for n := range changes {
		put("tenant.a", n)
		put("tenant.b", n)
	}
	end, err := b.End(t.Context())
	if err != nil || end != 2*changes {
		t.Fatalf("it ends at %d: %v", end, err)
	}
	for key, want := range map[string]int{"tenant.a": changes, "tenant.b": changes, ">": 2 * changes, "tenant.c": 0} {
		n := 0
		if err := b.Read(t.Context(), key, ledger.Start{}, end, func(c ledger.KeyChange) error {
			if n++; key == "tenant.b" && c.Revision != uint64(2*n) {
				t.Errorf("change %d of %s at %d", n, key, c.Revision)
			}
			return nil
		}); err != nil || n != want {
			t.Errorf("%d changes of %s, want %d: %v", n, key, want, err)
		}
	}
	for behind, want := range map[uint64]uint64{0: 2, 1: 2, 2: 4, 398: 400, 399: 400, 400: 0} {
		if got, err := b.Next(t.Context(), "tenant.b", behind); err != nil || got != want {
			t.Errorf("behind %d comes %d, want %d: %v", behind, got, want, err)
		}
	}
	if last, err := b.Last(t.Context(), "tenant.c"); err != nil || last != 0 {
		t.Errorf("a key without changes has %d: %v", last, err)
	}

	stream, err := l.JetStream().Stream(t.Context(), "KV_"+ledger.TenantsBucket)
	if err != nil {
		t.Fatal(err)
	}
	if stream.DeleteMsg(t.Context(), 1) == nil || stream.SecureDeleteMsg(t.Context(), 1) == nil || stream.Purge(t.Context()) == nil {
		t.Error("a change was taken away")
	}
	kv, err := l.JetStream().KeyValue(t.Context(), ledger.TenantsBucket)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := kv.Get(t.Context(), "tenant.a"); err != nil || string(e.Value()) != "tenant.a199" {
		t.Errorf("%v: %v", e, err)
	}
	if err := kv.Purge(t.Context(), "tenant.a"); err == nil {
		t.Error("the client library purged a key")
	}
	if err := kv.Delete(t.Context(), "tenant.a"); err != nil { // which is one more change
		t.Error(err)
	}
	if end, err := b.End(t.Context()); err != nil || end != 2*changes+1 {
		t.Errorf("it ends at %d: %v", end, err)
	}
}

// TestOlderLedgerHasNoBucket: what a bucket is asked for that an earlier release did not make
// says what to do.
func TestOlderLedgerHasNoBucket(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), "KV_"+ledger.TenantsBucket); err != nil {
		t.Fatal(err)
	}
	b := l.Bucket(ledger.TenantsBucket)
	ignore := func(ledger.KeyChange) error { return nil }
	for what, ask := range map[string]func(context.Context) error{
		"end":   func(ctx context.Context) error { _, err := b.End(ctx); return err },
		"last":  func(ctx context.Context) error { _, err := b.Last(ctx, "k"); return err },
		"watch": func(ctx context.Context) error { return b.Watch(ctx, ignore) },
		"read":  func(ctx context.Context) error { return b.Read(ctx, ">", ledger.Start{}, 1, ignore) },
	} {
		if err := ask(t.Context()); !errors.Is(err, ledger.ErrOlder) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := ledger.DefaultSettings()
	s.Shards = 1
	changes, err := ledger.Provision(t.Context(), nc, s)
	if err != nil || !slices.ContainsFunc(changes, func(c ledger.Change) bool {
		return c.Action == ledger.Create && c.Object == ledger.TenantsBucket
	}) {
		t.Errorf("provisioned again: %v: %v", changes, err)
	}
	if err := b.Read(t.Context(), ">", ledger.Start{}, 0, ignore); err != nil {
		t.Error(err)
	}
}
