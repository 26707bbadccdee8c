package test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

// acting is a tenants file of tenants t00, t01, ..., each an account of a correspondent's; the
// last one is another correspondent's.
func (s *system) acting(tenants int) *tenant.File {
	s.Helper()
	s.accounts = make(map[string]account)
	var text strings.Builder
	fmt.Fprintf(&text, "broker: %s\ntenants:\n", s.url)
	for n := range tenants {
		name, a := fmt.Sprintf("t%02d", n), account{fmt.Sprintf("0d18ae51-2f22-4bb7-a3d8-%012x", n), "CK1"}
		if n == tenants-1 {
			a.correspondent = "CK2"
		}
		s.accounts[name] = a
		fmt.Fprintf(&text, "  %s: {key_id: %s, secret: parts, account: %s}\n", name, a.correspondent, a.id)
	}
	path := filepath.Join(s.TempDir(), "tenants.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		s.Fatal(err)
	}
	f, err := tenant.LoadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	return f
}

// by has a worker find its tenants in a directory.
func by(directory tenant.Directory) func(*worker.Config) {
	client := func(ctx context.Context, name string) (*alpaca.Client, string, error) {
		t, err := directory.Lookup(ctx, name)
		if err != nil {
			return nil, "", err
		}
		c, err := alpaca.New(alpaca.Config{
			Tenant: name, BaseURL: t.BaseURL, Credentials: t.Credentials, Logger: zerolog.Nop(),
			Timeouts: alpaca.Timeouts{Ping: 200 * time.Millisecond},
		})
		return c, t.BaseURL, err
	}
	return func(cfg *worker.Config) {
		cfg.Connect = func(ctx context.Context, name string) (broker.Line, error) {
			c, address, err := client(ctx, name)
			if err != nil {
				return broker.Line{}, err
			}
			return broker.Line{Client: c, Address: address}, nil
		}
		cfg.Books = func(ctx context.Context, name string) (broker.Books, error) {
			c, _, err := client(ctx, name)
			if err != nil {
				return nil, err
			}
			return c, nil
		}
	}
}

// TestCorrespondent: two workers trade for twenty accounts of one correspondent, and one of
// another's, while answers get lost, streams are cut, and a worker leaves. Every intent is one
// order on the account of its tenant, every fill is on the ledger once, and the broker's count
// of what the correspondent asked is whole. What the environment says is nobody's key.
func TestCorrespondent(t *testing.T) {
	for _, name := range []string{"APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "APCA_API_OAUTH", "APCA_BROKER_KEY", "APCA_BROKER_SECRET", "APCA_API_BASE_URL"} {
		t.Setenv(name, "stray")
	}
	log := new(lines)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	const tenants, each = 21, 12
	s := boot(t, paper.Config{
		NoDuplicateCheck: true, Heartbeat: 200 * time.Millisecond,
		Correspondent: paper.Limit{Requests: 50_000, Window: 5 * time.Second},
	})
	s.fault(
		paper.Fault{Kind: paper.Error, Operation: paper.Place, When: paper.After, Probability: 0.05},
		paper.Fault{Kind: paper.Reset, Operation: paper.Place, When: paper.Before, Probability: 0.05},
		paper.Fault{Kind: paper.Reset, Operation: paper.Stream, Probability: 0.02},
		paper.Fault{Kind: paper.Drop, Operation: paper.Stream, Probability: 0.02},
	)
	directory := s.acting(tenants)
	old, w := s.follow(log, by(directory)), s.follow(log, by(directory))
	s.publish(orders(tenants, each))
	s.await(tenants * each / 2)
	old.leave(t)
	s.await(tenants * each)
	if err := s.broker.SetPrices(map[string]decimal.Decimal{"AAPL": *d("1.00")}); err != nil { // everything fills
		t.Fatal(err)
	}
	s.caughtUp(true, directory.Names()...)
	w.leave(t)

	h := s.history()
	for i := range h.Bookings {
		h.Bookings[i].Account = s.tenantOf(h.Bookings[i].Account)
	}
	for i := range h.Arrivals {
		h.Arrivals[i].Account = s.tenantOf(h.Arrivals[i].Account)
	}
	if r := proof.Check(h); !r.OK() || r.Intents != tenants*each || r.Orders != tenants*each {
		t.Errorf("wanted %d orders: %+v", tenants*each, r)
	}
	for _, o := range h.Outcomes {
		if o.Status != order.Accepted {
			t.Errorf("intent %s of %s: %s: %s", o.IntentID, o.Tenant, o.Status, o.Message)
		}
	}
	total := 0
	for _, key := range []string{"CK1", "CK2"} {
		u := s.broker.Usage(key, time.Time{}, time.Time{})
		if u.Refused > 0 || u.Most > u.Limit.Requests || u.Most == 0 || u.Requests < u.Most {
			t.Errorf("%s: %+v", key, u)
		}
		total += u.Requests
		t.Logf("%s: %d requests, at most %d within %v", key, u.Requests, u.Most, u.Limit.Window)
	}
	if total < len(h.Arrivals)+tenants { // with the streams, at least
		t.Errorf("%d requests counted, %d that may book", total, len(h.Arrivals))
	}
}
