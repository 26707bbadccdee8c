package retention

import (
	"bytes"
	"encoding/json"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// century is a line over which the server's clock seems to be a century ahead.
type century struct{ net.Conn }

func (c century) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	copy(p, bytes.ReplaceAll(p[:n], []byte(`"ts":"20`), []byte(`"ts":"21`)))
	return n, err
}

func (century) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return century{conn}, err
}

// TestTheServersClockDecides: what is old is so by the clock of the server, which stamped it,
// whatever the worker's own says.
func TestTheServersClockDecides(t *testing.T) {
	nc := ledgertest.Provision(t, 1, func(s *ledger.Settings) { s.Retention = 24 * time.Hour })
	open := func(nc *nats.Conn) *ledger.Ledger {
		t.Helper()
		l, err := ledger.Open(t.Context(), nc)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	near, far := open(nc), open(ledgertest.Connect(t, nc.ConnectedUrl(), nats.SetCustomDialer(century{})))
	for range 3 {
		if _, err := near.JetStream().Publish(t.Context(), ledger.PublishSubject("acme"), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	record, err := json.Marshal(fleet.Record{Owner: "w", Epoch: 1, Mark: fleet.Mark{Low: 4}})
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := near.JetStream().KeyValue(t.Context(), ledger.FleetBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), "shard.0", record); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		l    *ledger.Ledger
		left uint64
	}{{"as the worker's", near, 0}, {"a century ahead", far, 3}} {
		trimmed, _, err := trim(t.Context(), tc.l, true, tc.l.Now)
		if err != nil || trimmed != tc.left {
			t.Errorf("%s: %d messages left, not %d: %v", tc.name, trimmed, tc.left, err)
		}
	}
	if _, err := far.Now(t.Context(), 1); err == nil {
		t.Error("a shard that is not there tells its time")
	}
}
