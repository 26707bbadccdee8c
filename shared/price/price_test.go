package price_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"context"

	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

func of(p string, at time.Time) price.Quote {
	return price.Quote{Price: decimal.RequireFromString(p), At: at}
}

var then = time.Date(2026, 11, 25, 17, 0, 0, 0, time.UTC)

// until polls for a condition, up to a deadline.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

// TestBoard: a board that is watched has what was put, however the symbol is written, and the
// last of it.
func TestBoard(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	js := l.JetStream()
	if err := price.Put(t.Context(), js, "AAPL", of("191.20", then)); err != nil {
		t.Fatal(err)
	}
	b := new(price.Board)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { b.Watch(ctx, l, zerolog.Nop()) })
	defer watching.Wait()
	defer cancel()
	has := func(symbol, want string) func() bool {
		return func() bool {
			q, ok := b.Quote(symbol)
			return ok && q.Price.String() == want && q.At.Equal(then)
		}
	}
	until(t, "the price of before", has("aapl", "191.2"))
	f := price.NewFeed(js)
	for _, p := range []string{"1", "2", "3"} {
		for _, symbol := range []string{"AAPL", "btc/usd", "BRK.B"} {
			if err := f.Put(t.Context(), symbol, of(p, then)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, symbol := range []string{"AAPL", "BTC/USD", "BTCUSD", "BRK.B"} {
		until(t, "the last price of "+symbol, has(symbol, "3"))
	}
	if _, ok := b.Quote("MSFT"); ok {
		t.Error("a price of what has none")
	}
	if _, err := js.Publish(t.Context(), "$KV.PRICES.AAPL", []byte(`{"price":"-1","at":"2026-11-25T17:00:00Z"}`)); err != nil {
		t.Fatal(err)
	}
	until(t, "one that makes no sense is none", func() bool { _, ok := b.Quote("AAPL"); return !ok })

	now, err := price.Read(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for symbol, q := range now.All() {
		if n++; !q.Price.Equal(decimal.New(3, 0)) {
			t.Errorf("%s is %s", symbol, q.Price)
		}
	}
	if n != 2 {
		t.Errorf("%d prices", n)
	}
}

func TestReadOfNone(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	b, err := price.Read(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	for symbol := range b.All() {
		t.Errorf("a price of %s", symbol)
	}
}

func TestRefused(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	for _, tc := range []struct {
		name, symbol string
		quote        price.Quote
		want         string
	}{
		{"no symbol", "", of("1", then), "symbol"},
		{"a wildcard", "A*", of("1", then), "symbol"},
		{"an asset id", "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415", of("1", then), "asset id"},
		{"a dot at its end", "AAPL.", of("1", then), "dot"},
		{"zero", "AAPL", of("0", then), "not above 0"},
		{"below zero", "AAPL", of("-1", then), "not above 0"},
		{"a number without end", "AAPL", of("1e30", then), "digits"},
		{"no moment", "AAPL", of("1", time.Time{}), "no moment"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := price.Put(t.Context(), l.JetStream(), tc.symbol, tc.quote); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// FuzzDecode: whatever is read as a price is written and read again as the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"price":"191.2","at":"2026-11-25T17:00:00Z"}`, `{"price":1e999999999,"at":"x"}`, `{}`, `{"price":0.1,"at":"2026-11-25T17:00:00.5+01:00","by":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := price.Decode(data)
		if err != nil {
			return
		}
		again, err := price.Encode(q)
		if err != nil {
			t.Fatalf("%s was read, and cannot be written: %v", data, err)
		}
		r, err := price.Decode(again)
		if err != nil || !r.Price.Equal(q.Price) || !r.At.Equal(q.At) {
			t.Fatalf("%+v became %+v: %v", q, r, err)
		}
	})
}
