package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/price"
)

// TestPriceImport: what makes sense of a feed is written, the last of each symbol stays, and
// what does not is told with its line.
func TestPriceImport(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	var out, complaints bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs([]string{"price", "import", "--server", nc.ConnectedUrl()})
	cmd.SetIn(strings.NewReader("# a feed\nAAPL 190\n\nBTC/USD 98000.5 2026-11-25T17:00:00Z\nAAPL 191.20\nMSFT cheap\nGME 1 2\n"))
	cmd.SetOut(&out)
	cmd.SetErr(&complaints)
	if code := cli.Run(t.Context(), cmd); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(out.String(), "3 prices") || !strings.Contains(complaints.String(), "line 6:") || !strings.Contains(complaints.String(), "line 7:") {
		t.Errorf("%s%s", out.String(), complaints.String())
	}
	b, err := price.Read(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	aapl, _ := b.Quote("AAPL")
	coin, _ := b.Quote("BTC/USD")
	if aapl.Price.String() != "191.2" || time.Since(aapl.At) > time.Minute || coin.Price.String() != "98000.5" || coin.At.Day() != 25 {
		t.Errorf("%+v, %+v", aapl, coin)
	}
}
