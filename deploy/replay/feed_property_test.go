package replay_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/producer/feed"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// amount draws a decimal above 0.
func amount(t *rapid.T, name string) *decimal.Decimal {
	d := decimal.New(rapid.Int64Range(1, 1_000_000).Draw(t, name), -2)
	return &d
}

// anyIntent draws an intent of any kind, which a producer would take.
func anyIntent(t *rapid.T) order.Intent {
	word := rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`)
	in := order.Intent{ID: word.Draw(t, "id"), ExpiresAt: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "expiry"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()}
	for i := range rapid.IntRange(0, 3).Draw(t, "labels") {
		if in.Labels == nil {
			in.Labels = make(map[string]string)
		}
		in.Labels[string(rune('a'+i))] = rapid.StringMatching(`[\p{L}\p{N} "{}:,]{0,20}`).Draw(t, "label")
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		in.Kind = order.KindCancelAll
	case 1:
		in.Kind, in.Target = order.KindCancel, word.Draw(t, "target")
	case 2:
		in.Kind, in.Order = order.KindClosePosition, &order.Order{Symbol: "AAPL", Qty: amount(t, "qty")}
	default:
		in.Kind = order.KindOrder
		in.Order = &order.Order{Symbol: "BTC/USD", Qty: amount(t, "qty"), LimitPrice: amount(t, "limit"), Side: order.Sell, Type: order.Limit, TimeInForce: order.GTC}
	}
	return in
}

// TestEveryLineIsAnIntent: whatever was asked is written such that a feed has it again, with
// the life that it had.
func TestEveryLineIsAnIntent(t *testing.T) {
	written := 0
	rapid.Check(t, func(t *rapid.T) {
		in := anyIntent(t)
		at := in.ExpiresAt.Add(-time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "lifetime")))
		a := &replay.Asked{Tenant: rapid.StringMatching(`[A-Za-z0-9_-]{1,48}`).Draw(t, "tenant"), At: at, ID: in.ID, Intent: &in}
		var text bytes.Buffer
		sum, err := replay.Export(&text, []*replay.Asked{a})
		if err != nil || sum.Written+sum.Malformed != 1 || (in.Validate() == nil) != (sum.Written == 1) {
			t.Fatalf("%+v, %v", sum, err)
		}
		written += sum.Written
		for l, err := range feed.Read(&text, feed.JSONLines) {
			if err != nil || l.Tenant != a.Tenant {
				t.Fatalf("tenant %q, %v", l.Tenant, err)
			}
			if lifetime := in.ExpiresAt.Sub(at); lifetime > 0 {
				if l.ExpiresIn != lifetime {
					t.Fatalf("it lives for %s, not %s", l.ExpiresIn, lifetime)
				}
				l.Intent.ExpiresAt = in.ExpiresAt
			}
			was, err := order.EncodeIntent(in)
			if err != nil {
				t.Fatal(err)
			}
			is, err := order.EncodeIntent(l.Intent)
			if err != nil || !bytes.Equal(was, is) {
				t.Fatalf("was %s\nis  %s (%v)", was, is, err)
			}
		}
	})
	if written == 0 {
		t.Error("nothing was written")
	}
}
