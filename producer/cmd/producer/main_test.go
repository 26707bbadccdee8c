package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// serve runs a NATS server with a ledger and makes it the one of the environment.
func serve(t *testing.T) *producer.Producer {
	t.Helper()
	nc := ledgertest.Provision(t, 2)
	t.Setenv("NATS_URL", nc.ConnectedUrl())
	p, err := producer.New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run runs the command.
func run(ctx context.Context, stdin string, args ...string) (code int, stdout, stderr string) {
	cmd := newRoot()
	var out, problems bytes.Buffer
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&problems)
	cmd.SetArgs(args)
	code = cli.Run(ctx, cmd)
	return code, out.String(), problems.String()
}

func TestMistakes(t *testing.T) {
	serve(t)
	buy := []string{"publish", "acme", "--symbol", "AAPL", "--qty", "1", "--side", "buy", "--type", "market", "--tif", "day"}
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"publish", "--help"}, 0, "Examples:"},
		{"no command", []string{"bogus"}, 2, "bogus"},
		{"no tenant", []string{"publish"}, 2, "accepts 1 arg"},
		{"no such flag", append(buy, "--colour", "red"), 2, "--colour"},
		{"output", append(buy, "-o", "xml"), 2, `"xml"`},
		{"no number", append(buy, "--limit-price", "cheap"), 2, "--limit-price"},
		{"no time", append(buy, "--expires-at", "later"), 2, "--expires-at"},
		{"two kinds", []string{"publish", "acme", "--cancel", "a", "--close", "AAPL"}, 2, "exclude each other"},
		{"against the rules", append(buy, "--type", "limit"), 2, "order.limit_price"},
		{"bad tenant", []string{"publish", "a.b", "--cancel-all"}, 1, "tenant"},
		{"no file", []string{"import", "nowhere.jsonl"}, 2, "nowhere.jsonl"},
		{"format", []string{"import", "-", "--format", "xml"}, 2, "xml"},
		{"since", []string{"watch", "acme", "--since", "once"}, 2, "--since"},
		{"since and sequence", []string{"watch", "acme", "--since", "1h", "--from-seq", "1"}, 2, "exclude"},
		{"no server", append(buy, "--server", "nats://127.0.0.1:1"), 1, "127.0.0.1:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, problem := run(t.Context(), "", tc.args...)
			if code != tc.code || !strings.Contains(out+problem, tc.says) {
				t.Errorf("exit code %d, wanted %d and %q: %s%s", code, tc.code, tc.says, out, problem)
			}
		})
	}
}

func TestPublishFromFlags(t *testing.T) {
	p := serve(t)
	code, out, problem := run(t.Context(), "", "publish", "acme", "--id", "a", "--symbol", "AAPL", "--qty", "1", "--side", "buy", "--type", "limit",
		"--limit-price", "187.50", "--tif", "gtc", "--class", "bracket", "--take-profit", "200", "--stop-loss", "150", "--stop-loss-limit", "149", "--label", "s=x", "-o", "json")
	var r producer.Receipt
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil {
		t.Fatalf("%d %v: %s%s", code, err, out, problem)
	}
	e, err := p.Ledger().At(t.Context(), r.Shard, r.Seq)
	if err != nil {
		t.Fatal(err)
	}
	in, err := order.DecodeIntent(e.Data)
	if err != nil {
		t.Fatal(err)
	}
	o := in.Order
	if in.ID != "a" || in.Labels["s"] != "x" || o.LimitPrice.String() != "187.5" || o.TakeProfit.LimitPrice.String() != "200" ||
		o.StopLoss.StopPrice.String() != "150" || o.StopLoss.LimitPrice.String() != "149" || o.OrderClass != order.Bracket {
		t.Errorf("published %s", e.Data)
	}
	if code, out, _ := run(t.Context(), "", "publish", "acme", "--id", "a", "--cancel-all"); code != 0 || !strings.Contains(out, "there already") {
		t.Errorf("the id again: %d %s", code, out)
	}
	for _, args := range [][]string{{"--cancel", "a"}, {"--replace", "a", "--limit-price", "188"}, {"--close", "AAPL", "--qty", "2"}} {
		if code, _, problem := run(t.Context(), "", append([]string{"publish", "acme"}, args...)...); code != 0 {
			t.Errorf("%v: %s", args, problem)
		}
	}
}

func TestPublishFromStandardInput(t *testing.T) {
	serve(t)
	in := `{"id":"a","kind":"cancel_all","expires_at":"2030-01-01T00:00:00Z"}` + "\n\n" + `{"kind":"cancel_all"}` + "\n"
	if code, out, problem := run(t.Context(), in, "publish", "acme"); code != 0 || strings.Count(out, "sequence") != 2 {
		t.Errorf("%d: %s%s", code, out, problem)
	}
	if code, _, problem := run(t.Context(), `{"kind":`, "publish", "acme"); code != 1 || !strings.Contains(problem, "line 1") {
		t.Errorf("%d: %s", code, problem)
	}
}

// TestWait: the exit code says whether the intent was accepted.
func TestWait(t *testing.T) {
	p := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	worker := make(chan struct{})
	go func() { // accepts every other intent
		defer close(worker)
		tip, status := uint64(0), order.Accepted
		shard := p.Ledger().ShardOf("acme")
		p.Ledger().Tail(ctx, shard, 1, func(e ledger.Entry) error { //nolint:errcheck // it ends with ctx
			if e.Class == ledger.Outcomes {
				tip = e.Seq
				return nil
			}
			o := &order.Outcome{IntentID: order.PeekID(e.Data), IntentSeq: e.Seq, Kind: order.KindCancelAll, Status: status, Message: "so be it", Worker: "w", Epoch: 1}
			status = order.Rejected
			_, err := p.Ledger().Append(shard, e.Tenant, o, tip)
			return err
		})
	}()
	for _, want := range []struct {
		code   int
		status string
	}{{0, "accepted"}, {1, "rejected"}} {
		code, out, problem := run(t.Context(), "", "publish", "acme", "--cancel-all", "--wait")
		if code != want.code || !strings.Contains(out, want.status) || !strings.Contains(out, "so be it") {
			t.Errorf("%d, wanted %+v: %s%s", code, want, out, problem)
		}
	}
	code, out, _ := run(watchFor(t, time.Second), "", "watch", "acme", "--from-seq", "1")
	if code != 0 || strings.Count(out, "\n") != 2 {
		t.Errorf("watch: %d %s", code, out)
	}
	cancel()
	<-worker
}

// watchFor is a context that ends as Ctrl-C would end it.
func watchFor(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestImport(t *testing.T) {
	serve(t)
	file := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(file, []byte("tenant,symbol,qty,side,type,time_in_force\nacme,AAPL,1,buy,market,day\nacme,AAPL,none,buy,market,day\nacme,AAPL,1,buy,market,day\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 published, 0 on the ledger already", "0 published, 2 on the ledger already"} {
		code, out, problem := run(t.Context(), "", "import", file)
		if code != 1 || !strings.Contains(out, want) || !strings.Contains(problem, "line 3: order.qty") {
			t.Errorf("%d: %s%s", code, out, problem)
		}
	}
	code, out, _ := run(t.Context(), `{"tenant":"acme","id":"x","kind":"cancel_all"}`, "import", "-", "-o", "json")
	if code != 0 || !strings.Contains(out, `"published":1`) {
		t.Errorf("%d: %s", code, out)
	}
}

func TestEnv(t *testing.T) {
	if code, out, _ := run(t.Context(), "", "env"); code != 0 || !strings.Contains(out, "NATS_CREDS") {
		t.Errorf("%d: %s", code, out)
	}
}

// TestUntil: what becomes of an order is printed until its end, which decides the exit code.
func TestUntil(t *testing.T) {
	p := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	worker := make(chan struct{})
	go func() { // accepts every intent, and fills every other order
		defer close(worker)
		outcomes, updates, event := uint64(0), uint64(0), order.EventFill
		shard := p.Ledger().ShardOf("acme")
		one := decimal.New(1, 0)
		p.Ledger().Tail(ctx, shard, 1, func(e ledger.Entry) error { //nolint:errcheck // it ends with ctx
			switch e.Class {
			case ledger.Outcomes:
				outcomes = e.Seq
				return nil
			case ledger.Updates:
				updates = e.Seq
				return nil
			case ledger.Intents, ledger.Controls, ledger.Epochs:
			}
			id := order.PeekID(e.Data)
			o := &order.Outcome{IntentID: id, IntentSeq: e.Seq, Kind: order.KindOrder, Status: order.Accepted,
				BrokerOrderID: "b-" + id, ClientOrderID: "acme." + id, Worker: "w", Epoch: 1}
			if _, err := p.Ledger().Append(shard, e.Tenant, o, outcomes); err != nil {
				return err
			}
			u := &order.Update{Event: event, BrokerOrderID: "b-" + id, ClientOrderID: "acme." + id, IntentID: id, Symbol: "AAPL",
				Side: order.Buy, Price: &one, Qty: &one, FilledQty: &one, At: time.Now()}
			event = order.EventCanceled
			_, err := p.Ledger().AppendUpdate(shard, e.Tenant, u, updates)
			return err
		})
	}()
	buy := []string{"publish", "acme", "--symbol", "AAPL", "--qty", "1", "--side", "buy", "--type", "market", "--tif", "day", "--until"}
	for _, tc := range []struct {
		until string
		code  int
		says  []string
	}{
		{"filled", 0, []string{"accepted", "fill  ", "buy 1 AAPL at 1, 1 in all"}},
		{"filled", 1, []string{"accepted", "canceled"}},
		{"done", 0, []string{"accepted", "canceled"}},
		{"forever", 2, []string{"forever"}},
	} {
		code, out, problem := run(t.Context(), "", append(buy, tc.until)...)
		for _, says := range tc.says {
			if code != tc.code || !strings.Contains(out+problem, says) {
				t.Errorf("until %s: %d, wanted %d and %q: %s%s", tc.until, code, tc.code, says, out, problem)
			}
		}
	}
	code, out, _ := run(watchFor(t, time.Second), "", "watch", "acme", "--from-seq", "1", "--updates", "-o", "json")
	if code != 0 || strings.Count(out, "\n") != 6 || strings.Count(out, `"event":"canceled"`) != 2 {
		t.Errorf("watch: %d %s", code, out)
	}
	cancel()
	<-worker
}
