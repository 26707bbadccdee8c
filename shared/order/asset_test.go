package order_test

import (
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

func TestCanonical(t *testing.T) {
	for symbol, want := range map[string]string{"AAPL": "AAPL", "aapl": "AAPL", "BTC/USD": "BTCUSD", "btcusd": "BTCUSD", "BRK.B": "BRK.B"} {
		if got := order.Canonical(symbol); got != want {
			t.Errorf("%s is %s, wanted %s", symbol, got, want)
		}
	}
}

func TestUnderlying(t *testing.T) {
	for symbol, want := range map[string]string{
		"AAPL271217C00250000": "AAPL", "aapl271217c00250000": "AAPL", "SPXW271217P04000000": "SPXW",
		"AAPL1271217C00250000": "AAPL", // an adjusted one
		"AAPL":                 "", "BTC/USD": "", "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415": "",
	} {
		got, ok := order.Underlying(symbol)
		if got != want || ok != (want != "") {
			t.Errorf("%s is on %q (%v), wanted %q", symbol, got, ok, want)
		}
	}
	if !order.IsAssetID("b0b6dd9d-8b9b-48a9-ba46-b9d54906e415") || order.IsAssetID("AAPL") {
		t.Error("asset ids are not told apart")
	}
}
