package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/order"
)

// away is a server that a producer has lost, and how it comes back.
func away(t *testing.T, opts ...nats.Option) (p *Producer, back func()) {
	t.Helper()
	ports, err := natsserver.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	s := ledger.DefaultSettings()
	s.Shards = 4
	o := natsserver.Options{Dir: t.TempDir(), Port: ports[0], Shards: s.Shards}
	srv, err := natsserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Stop() })
	lost := make(chan struct{}, 1)
	nc := ledgertest.Connect(t, srv.URL(), append(opts, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.DisconnectErrHandler(func(*nats.Conn, error) {
			select {
			case lost <- struct{}{}:
			default:
			}
		}))...)
	if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
		t.Fatal(err)
	}
	if p, err = New(t.Context(), nc); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	<-lost
	return p, func() {
		again, err := natsserver.Start(o)
		if err != nil {
			t.Error(err)
			return
		}
		srv = again
	}
}

// cancels are intents of many tenants, who take turns.
func cancels(tenants, each int) []Item {
	var all []Item
	for n := range each {
		for who := range tenants {
			all = append(all, Item{fmt.Sprintf("t%d", who), order.Intent{ID: fmt.Sprintf("%04d", n), Kind: order.KindCancelAll}})
		}
	}
	return all
}

// TestPublishAllLosesPatienceOnce: without a server and without a deadline, all tenants
// together wait for as long as one does.
func TestPublishAllLosesPatienceOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		opts []nats.Option
		want error
	}{
		"kept to be sent later":       {nil, ErrUnknown},
		"not sent without connection": {[]nats.Option{nats.ReconnectBufSize(-1)}, ErrUnsent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := away(t, tc.opts...)
			p.patience = time.Second
			const tenants, each = InFlight / 2, 3
			began, n := time.Now(), 0
			for r := range p.PublishAll(t.Context(), slices.Values(cancels(tenants, each))) {
				want := ErrHeldBack
				if n < tenants {
					want = tc.want
				}
				if !errors.Is(r.Err, want) {
					t.Errorf("result %d: %v", n, r.Err)
				}
				n++
			}
			if n != tenants*each {
				t.Errorf("%d results", n)
			}
			// One after the other takes two minutes.
			if took := time.Since(began); took > tenants*p.patience/4 {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestPublishAllOutlivesARestart: what could not be sent is tried again, of all tenants at
// once, and each tenant's order is kept.
func TestPublishAllOutlivesARestart(t *testing.T) {
	p, back := away(t, nats.ReconnectBufSize(-1))
	p.patience = time.Minute
	started := make(chan struct{})
	go func() { defer close(started); back() }()
	defer func() { <-started }()
	last, n := make(map[string]uint64), 0
	for r := range p.PublishAll(t.Context(), slices.Values(cancels(20, 30))) {
		if r.Err != nil || r.Receipt.Duplicate || r.Receipt.Seq <= last[r.Item.Tenant] {
			t.Fatalf("result %d: %+v", n, r)
		}
		last[r.Item.Tenant] = r.Receipt.Seq
		n++
	}
	if n != 600 {
		t.Errorf("%d results", n)
	}
}

// TestPublishAfterTheEnd: what was begun too late is not sent.
func TestPublishAfterTheEnd(t *testing.T) {
	_, nc := ledgertest.Open(t, 4)
	p, err := New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Publish(ctx, "acme", cancels(1, 1)[0].Intent); !errors.Is(err, ErrUnsent) {
		t.Errorf("got %v", err)
	}
}
