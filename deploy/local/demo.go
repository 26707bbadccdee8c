package local

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/producer/feed"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// orders is the feed of the demo: every class and kind of order that the broker knows,
// and the mistakes that real feeds contain.
//
//go:embed orders.jsonl
var orders []byte

// foreign is what a client that knows nothing of the SDK's checks may publish.
const foreign = `{"id":"from-elsewhere","kind":"order","expires_at":"2099-01-01T00:00:00Z","order":{"symbol":"AAPL","qty":"1,5","side":"buy","type":"market","time_in_force":"day"}}`

// Demo imports the shipped feed, waits until every intent has its outcome, and compares
// the ledgers. It tells progress as it goes.
func (s *System) Demo(ctx context.Context, out io.Writer, progress func(phase string, done, of int)) (*Report, error) {
	summary, err := feed.Import(ctx, s.Producer, bytes.NewReader(orders), feed.Options{
		Format:   feed.JSONLines,
		Progress: func(done, of int) { progress("importing orders.jsonl", done, of) },
		Report:   func(p feed.LineError) { fmt.Fprintf(out, "orders.jsonl, %v\n", p) },
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "imported: %s\n", summary)
	if err := s.publishForeign(ctx, out); err != nil {
		return nil, err
	}
	if err := s.awaitOutcomes(ctx, progress); err != nil {
		return nil, err
	}
	return s.compare(ctx)
}

func (s *System) publishForeign(ctx context.Context, out io.Writer) error {
	js, err := jetstream.New(s.nc)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	const tenant = "acme"
	if _, err := js.Publish(ctx, ledger.PublishSubject(tenant), []byte(foreign)); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	fmt.Fprintf(out, "published to %s by a client that checks nothing: an order of \"1,5\" shares\n\n", ledger.PublishSubject(tenant))
	return nil
}

// awaitOutcomes waits until the ledger has as many outcomes as intents.
func (s *System) awaitOutcomes(ctx context.Context, progress func(string, int, int)) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		h, err := proof.Read(ctx, s.Producer.Ledger())
		if err != nil {
			return err
		}
		progress("waiting for outcomes", len(h.Outcomes), len(h.Intents))
		if len(h.Outcomes) >= len(h.Intents) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// compare reads the fleet's ledger and the broker's.
func (s *System) compare(ctx context.Context) (*Report, error) {
	h, err := proof.Read(ctx, s.Producer.Ledger())
	if err != nil {
		return nil, err
	}
	if h.Arrivals, h.Bookings, err = proof.ReadBroker(ctx, s.AdminURL); err != nil {
		return nil, err
	}
	return newReport(h), nil
}
