package shard

import (
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/session"
	"github.com/rs/zerolog"
)

// TestDrainedBeforeFolded: a shard that is given up before it is folded starts no session,
// however many messages are there already.
func TestDrainedBeforeFolded(t *testing.T) {
	l, _ := ledgertest.Open(t, 1)
	drained := make(chan struct{})
	close(drained)
	started := 0
	for range 20 {
		s, _ := heldShard(t)
		s.cfg.Session = session.Config{Ledger: l, Log: zerolog.Nop()}
		s.live = make(map[string]*served)
		s.lease = fleet.Lease{Draining: drained}
		s.asks, s.ended = make(chan session.Ask), make(chan ended)
		s.entries = make(chan ledger.Entry, 1)
		s.entries <- ledger.Entry{Class: ledger.Intents, Tenant: "acme", Seq: 21}
		if err := s.route(t.Context()); err != nil {
			t.Fatal(err)
		}
		started += 1 - len(s.entries)
	}
	if started > 0 {
		t.Errorf("%d sessions were started", started)
	}
}
