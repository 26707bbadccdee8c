package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestReadLast: whatever is written meanwhile, every key that was there is told, none that the
// pattern does not cover, and the reading ends.
func TestReadLast(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	b := l.Bucket(ledger.TenantsBucket)
	told := func(pattern string) map[string]bool {
		t.Helper()
		all := make(map[string]bool)
		if err := b.ReadLast(t.Context(), pattern, func(c ledger.KeyChange) error {
			all[c.Key] = true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := told(">"); len(all) != 0 {
		t.Errorf("of nothing: %v", all)
	}
	const keys = 50
	put := func(ctx context.Context, k string) {
		last, err := b.Last(ctx, k)
		if err == nil {
			_, err = b.Put(ctx, k, []byte("1"), last, 0)
		}
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
	for i := range keys {
		put(t.Context(), fmt.Sprintf("some.%d", i))
	}
	put(t.Context(), "other")
	if all := told("none.>"); len(all) != 0 {
		t.Errorf("of none: %v", all)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for w := range 2 {
		writing.Go(func() {
			for i := w; ctx.Err() == nil; i++ {
				put(ctx, fmt.Sprintf("some.%d", (2*i+w)%keys))
			}
		})
	}
	for range 20 {
		if all := told("some.>"); len(all) != keys || all["other"] {
			t.Errorf("%d keys of %d: %v", len(all), keys, all)
		}
	}
	stop()
	writing.Wait()
}
