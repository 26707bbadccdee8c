package audit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

// benchTenants share the messages of a benchmark, benchOrders is how many orders each has.
const (
	benchTenants = 100
	benchOrders  = 250
)

// busy is a ledger as a busy fleet writes it: an order, its outcome and its fill, over and over.
func busy(orders int) *story {
	s := newStory()
	for i := range orders {
		for n := range benchTenants {
			in := s.ask(fmt.Sprintf("tenant-%d", n), order.NewID(), 10)
			o := s.accept(in)
			out := o.body.(*order.Outcome)
			out.RequestID, out.HTTPStatus, out.Attempts = fmt.Sprintf("4f1d2a%022d", i), 200, 1
			out.Received, out.Submitted, out.Answered, out.Committed = s.now, s.now, s.now, s.now
			s.say(in, "fill", 10, 10)
		}
	}
	for _, m := range s.messages {
		m.body = encoded(m.body)
	}
	return s
}

// measure reports how many messages an audit reads in a second. One core: GOMAXPROCS=1.
func measure(b *testing.B, src history.Source, broker audit.Broker, messages int) {
	b.ReportAllocs()
	for b.Loop() {
		r, err := audit.Run(b.Context(), src, broker, history.Stretch{}, audit.Options{})
		if err != nil || !r.OK() || r.Messages != messages {
			b.Fatalf("%v: %+v", err, r)
		}
	}
	b.ReportMetric(float64(messages)*float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

func BenchmarkAudit(b *testing.B) {
	s := busy(benchOrders)
	b.Run("memory", func(b *testing.B) { measure(b, s, nil, len(s.messages)) })
	b.Run("memory, with a broker", func(b *testing.B) { measure(b, s, books{s}, len(s.messages)) })
	b.Run("export", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "x")
		if _, err := history.Export(b.Context(), s, history.Stretch{}, path, func(string, int, int) {}); err != nil {
			b.Fatal(err)
		}
		a, err := history.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		measure(b, a, nil, len(s.messages))
		if err := a.Close(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("live", func(b *testing.B) {
		l, _ := ledgertest.Open(b, 1)
		publish(b, l, s)
		measure(b, history.Live(l), nil, len(s.messages))
	})
}

// publish puts a story on a ledger.
func publish(t testing.TB, l *ledger.Ledger, s *story) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, m := range s.messages {
		subject := m.Class.Subject(0, m.Tenant)
		if m.Class == ledger.Epochs {
			subject = m.Class.Subject(0, "1")
		}
		if _, err := l.JetStream().PublishMsgAsync(&nats.Msg{Subject: subject, Data: encoded(m.body)}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-l.JetStream().PublishAsyncComplete():
	case <-ctx.Done():
		t.Fatal(errors.New("the ledger did not take it"))
	}
}
