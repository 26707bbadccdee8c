// Package ledgertest gives each test a ledger of its own, on a NATS server of its own.
package ledgertest

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"go.uber.org/goleak"
)

// VerifyMain runs a package's tests and fails if they leave goroutines behind, but for
// those that the NATS server and its client leave to the process.
func VerifyMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*ocspResponseCache).start"))
}

// Serve runs a NATS server until the test ends. Its account maps intents to shards; with 0
// there is no mapping.
func Serve(t testing.TB, shards int) (url string) {
	t.Helper()
	srv, err := natsserver.Start(natsserver.Options{Dir: t.TempDir(), Shards: shards})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	return srv.URL()
}

// Connect connects to a server until the test ends.
func Connect(t testing.TB, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// Provision makes a ledger with so many shards on a server of its own.
func Provision(t testing.TB, shards int, change ...func(*ledger.Settings)) *nats.Conn {
	t.Helper()
	nc := Connect(t, Serve(t, shards))
	s := ledger.DefaultSettings()
	s.Shards = shards
	for _, c := range change {
		c(&s)
	}
	if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
		t.Fatal(err)
	}
	return nc
}

// Open is Provision, and opens the ledger.
func Open(t testing.TB, shards int, change ...func(*ledger.Settings)) (*ledger.Ledger, *nats.Conn) {
	t.Helper()
	nc := Provision(t, shards, change...)
	l, err := ledger.Open(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	return l, nc
}
