package retention

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/rs/zerolog"
)

// TestKeptIsTold: who makes a shard keep what is older than the retention is told, once, with
// what can be done; and again if it is another one.
func TestKeptIsTold(t *testing.T) {
	l, _ := ledgertest.Open(t, 1, func(s *ledger.Settings) { s.Retention = 24 * time.Hour })
	put := func(subject string, data []byte, err error) {
		t.Helper()
		if err == nil {
			_, err = l.JetStream().Publish(t.Context(), subject, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bucket, err := l.JetStream().KeyValue(t.Context(), ledger.FleetBucket)
	if err != nil {
		t.Fatal(err)
	}
	mark := func(low uint64) {
		t.Helper()
		data, err := json.Marshal(fleet.Record{Owner: "w", Epoch: 1, Mark: fleet.Mark{Low: low}})
		if err == nil {
			_, err = bucket.Put(t.Context(), "shard.0", data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	told, log := make(teller), new(bytes.Buffer)
	look := func(wants ...string) {
		t.Helper()
		for range 2 {
			_, kept, err := trim(t.Context(), l, true, at(time.Now().Add(48*time.Hour)))
			if err != nil {
				t.Fatal(err)
			}
			told.tell(kept, zerolog.New(log))
		}
		lines := strings.Count(log.String(), "\n")
		if len(wants) == 0 && lines != 0 || len(wants) > 0 && lines != 1 {
			t.Errorf("told %d times: %s", lines, log)
		}
		for _, want := range wants {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %q in %s", want, log)
			}
		}
		log.Reset()
	}
	outcome := func(status order.Status) {
		data, err := order.EncodeOutcome(order.Outcome{Kind: order.KindOrder, Status: status, BrokerOrderID: "x"})
		put(ledger.Outcomes.Subject(0, "acme"), data, err)
	}

	put(ledger.PublishSubject("acme"), []byte(`{"id":"1"}`), nil)
	mark(1)
	look(`"warn"`, `"acme"`, "without an outcome")
	outcome(order.Failed)
	mark(3)
	look(`"warn"`, `"seq":2`, "fleetctl release acme")
	data, err := order.EncodeControl(order.Control{Verb: order.Release, By: "me", Reason: "r", At: time.Now()})
	put(ledger.Controls.Subject(0, "acme"), data, err)
	mark(4)
	look()
	outcome(order.Accepted)
	mark(5)
	look(`"info"`, `"seq":4`, "fleetctl reconcile acme")
}
