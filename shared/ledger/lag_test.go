package ledger_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

// lagging is a ledger whose first consumer is at a server that has none of its messages yet.
func lagging(t *testing.T) (*ledger.Ledger, jetstream.JetStream) {
	l, nc := ledgertest.Open(t, 1)
	between, err := nats.Connect(nc.ConnectedUrl())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(between.Close)
	created := false
	if _, err := between.Subscribe("lagging.>", func(m *nats.Msg) {
		subject := "$JS.API." + strings.TrimPrefix(m.Subject, "lagging.")
		if created || !strings.HasPrefix(subject, "$JS.API.CONSUMER.CREATE.") {
			_ = between.PublishMsg(&nats.Msg{Subject: subject, Reply: m.Reply, Data: m.Data})
			return
		}
		created = true
		answer, err := between.Request(subject, m.Data, time.Second)
		if err != nil {
			t.Error(err)
			return
		}
		var info map[string]any
		if err := json.Unmarshal(answer.Data, &info); err != nil {
			t.Error(err)
		}
		info["num_pending"] = 0
		data, _ := json.Marshal(info)
		_ = m.Respond(data)
	}); err != nil {
		t.Fatal(err)
	}
	if err := between.Flush(); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(nc, "lagging")
	if err != nil {
		t.Fatal(err)
	}
	l.Through(js)
	return l, js
}

// told has the ledger tell of an outcome and an update of acme's.
func told(t *testing.T, js jetstream.JetStream) {
	o, err := order.EncodeOutcome(order.Outcome{IntentSeq: 1, Status: order.Accepted})
	if err != nil {
		t.Fatal(err)
	}
	u, err := order.EncodeUpdate(order.Update{Event: order.EventPartialFill, BrokerOrderID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	for c, data := range map[ledger.Class][]byte{ledger.Outcomes: o, ledger.Updates: u} {
		if _, err := js.Publish(t.Context(), c.Subject(0, "acme"), data); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadThroughALaggingServer: what the leader has acknowledged is read, whichever server
// the consumer is at.
func TestReadThroughALaggingServer(t *testing.T) {
	for name, read := range map[string]func(l *ledger.Ledger, deliver func(ledger.Entry) error) error{
		"all": func(l *ledger.Ledger, deliver func(ledger.Entry) error) error {
			return l.Read(t.Context(), 0, ledger.Start{Seq: 1}, 2, deliver)
		},
		"a tenant's": func(l *ledger.Ledger, deliver func(ledger.Entry) error) error {
			return l.ReadTenant(t.Context(), 0, "acme", 1, 2, deliver, ledger.Outcomes, ledger.Updates)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, js := lagging(t)
			told(t, js)
			var seqs []uint64
			if err := read(l, func(e ledger.Entry) error { seqs = append(seqs, e.Seq); return nil }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(seqs, []uint64{1, 2}) {
				t.Errorf("read %v", seqs)
			}
		})
	}
	t.Run("who has open orders", func(t *testing.T) {
		l, js := lagging(t)
		told(t, js)
		open, err := l.Unsettled(t.Context(), 0)
		if err != nil || !slices.Equal(open, []string{"acme"}) {
			t.Errorf("open are %v, %v", open, err)
		}
	})
}
