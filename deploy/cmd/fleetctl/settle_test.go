package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// TestFailedSettled: what failed is driven again, or dropped, after a preview; who reads JSON
// learns of which tenant, and where on the ledger.
func TestFailedSettled(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	end := func(id string, seq, tip uint64, status order.Status) uint64 {
		f, err := l.Append(0, "acme", &order.Outcome{IntentID: id, IntentSeq: seq, Kind: order.KindOrder, Status: status, Worker: "w", Epoch: 1, Committed: time.Now()}, tip)
		if err != nil {
			t.Error(err)
			return 0
		}
		select {
		case ack := <-f.Ok():
			return ack.Sequence
		case err := <-f.Err():
			t.Error(err)
			return 0
		}
	}
	tip, one := uint64(0), decimal.NewFromInt(1)
	for _, id := range []string{"a", "b", "c"} {
		data, err := order.EncodeIntent(order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Minute), Order: &order.Order{
			Symbol: "F", Qty: &one, Side: order.Buy, Type: order.Market, TimeInForce: order.Day,
		}})
		if err != nil {
			t.Fatal(err)
		}
		ack, err := l.JetStream().Publish(t.Context(), ledger.PublishSubject("acme"), data)
		if err != nil {
			t.Fatal(err)
		}
		tip = end(id, ack.Sequence, tip, order.Failed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	worker := make(chan error, 1)
	go func() { // it accepts what drives something again
		worker <- l.Tail(ctx, 0, tip+1, func(e ledger.Entry) error {
			if in, err := order.DecodeIntent(e.Data); e.Class == ledger.Intents && err == nil {
				tip = end(in.ID, e.Seq, tip, order.Accepted)
			}
			return nil
		})
	}()
	defer func() {
		cancel()
		if err := <-worker; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	failed := func(args ...string) string {
		t.Helper()
		code, out, problems := run(t, append([]string{"--server", nc.ConnectedUrl(), "failed"}, args...)...)
		if code != 0 {
			t.Fatalf("exit code %d: %s%s", code, out, problems)
		}
		return out
	}
	if out := failed("retry", "acme", "a", "b", "--reason", "back"); !strings.Contains(out, "nothing was done; add --yes") {
		t.Errorf("a preview: %s", out)
	}
	out := failed("retry", "acme", "a", "b", "--reason", "back", "--rate", "1000", "--yes")
	if !strings.Contains(out, "acme a, driven again as ") || !strings.HasSuffix(out, "2 of 2 came to an end: 2 accepted\n") {
		t.Errorf("a retry: %s", out)
	}
	if out := failed("drop", "acme", "--reason", "too late"); !strings.Contains(out, "nothing was done; add --yes") {
		t.Errorf("a preview: %s", out)
	}
	var said struct {
		Tenant string `json:"tenant"`
		Seq    uint64 `json:"seq"`
		order.Control
	}
	if err := json.Unmarshal([]byte(failed("drop", "acme", "--reason", "too late", "--yes", "-o", "json")), &said); err != nil || said.Tenant != "acme" || said.Seq == 0 || said.IntentID != "c" || said.Reason != "too late" {
		t.Errorf("%+v: %v", said, err)
	}
	if out := failed("list"); out != "no failed intents\n" {
		t.Errorf("left: %s", out)
	}
	for id, done := range map[string]string{"a": "1, last accepted", "c": "dropped"} {
		code, out, problems := run(t, "--server", nc.ConnectedUrl(), "failed", "retry", "acme", id, "--reason", "again", "--yes")
		if code != 1 || !strings.Contains(problems, "is settled already: "+done) {
			t.Errorf("%s again: exit code %d: %s%s", id, code, out, problems)
		}
	}
}
