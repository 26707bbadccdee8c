package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/local"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
)

// fleet is a fleet at work, whose tenant acme bought a share and asked for another one too
// late.
func fleet(t *testing.T) *local.System {
	t.Helper()
	s, err := local.Start(t.Context(), local.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	for id, lifetime := range map[string]time.Duration{"bought": time.Minute, "late": -time.Minute} {
		if o := ask(t, s.Producer, id, lifetime); (o.Status == order.Accepted) != (id == "bought") {
			t.Fatalf("%s is %s", id, o.Status)
		}
	}
	return s
}

func ask(t *testing.T, p *producer.Producer, id string, lifetime time.Duration) order.Outcome {
	t.Helper()
	one := decimal.NewFromInt(1)
	r, err := p.Publish(t.Context(), "acme", order.Intent{
		ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(lifetime), Labels: map[string]string{"desk": "7"},
		Order: &order.Order{Symbol: "F", Qty: &one, Side: order.Buy, Type: order.Market, TimeInForce: order.Day},
	})
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.Await(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// run runs the command and returns its exit code, and what it printed.
func run(t *testing.T, args ...string) (code int, out, problems string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs(args)
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	code = cli.Run(t.Context(), cmd)
	return code, stdout.String(), stderr.String()
}

// TestReplay: every target, on a fleet at work and on an export of it.
func TestReplay(t *testing.T) {
	s := fleet(t)
	server := []string{"--server", s.NATSURL}
	dir := t.TempDir()
	exported, file := filepath.Join(dir, "export"), filepath.Join(dir, "intents.jsonl")
	if code, _, problems := run(t, append(server, "export", "--to", exported)...); code != 0 {
		t.Fatal(problems)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"report", nil, 0, "2 intents of 1 tenants"},
		{"an export", []string{"--from", exported}, 0, "1 accepted, 1 expired"},
		{"at the original pace", []string{"--pace", "original"}, 0, "buy 1 F market"},
		{"an export at ten times the pace", []string{"--from", exported, "--pace", "10x"}, 0, "buy 1 F market"},
		{"as JSON", []string{"-o", "json"}, 0, `{"totals":{"intents":2`},
		{"a label", []string{"--label", "desk=8"}, 0, "nothing was asked"},
		{"an unknown tenant", []string{"nobody"}, 0, "nothing was asked by tenant nobody"},
		{"shadow", []string{"--to", "shadow"}, 0, "2 ended as then, 0 differ"},
		{"shadow of an export", []string{"--to", "shadow", "--from", exported, "-o", "json"}, 0, `"differ":0`},
		{"shadow without money", []string{"--to", "shadow", "--cash", "1"}, 1, "because of the cash or a price that was given"},
		{"shadow with a fault", []string{"--to", "shadow", "--fault", `{"operation":"place","kind":"error","when":"after","count":1}`}, 1, "because of a fault"},
		{"a file", []string{"--to", file}, 0, "2 intents written"},
		{"a file that is there", []string{"--to", file}, 1, "is there already"},
		{"a misspelt target", []string{"--to", "Shadow"}, 2, `"Shadow" is shadow in small letters`},
		{"standard output", []string{"--to", "-"}, 0, `"tenant":"acme"`},
		{"live, a preview", []string{"--to", "live", "--reason", "it is time"}, 0, "nothing was published; add --yes to drive these 1 intents again"},
		{"live without a reason", []string{"--to", "live"}, 2, "--reason"},
		{"live of an export", []string{"--to", "live", "--reason", "r", "--from", exported}, 2, "--from"},
		{"live without time", []string{"--to", "live", "--reason", "r", "--lifetime", "0s"}, 2, "--lifetime"},
		{"live at no rate", []string{"--to", "live", "--reason", "r", "--rate", "0"}, 2, "--rate"},
		{"a reason for a report", []string{"--reason", "r"}, 2, "--reason is of no use with --to report"},
		{"a fault for live", []string{"--to", "live", "--reason", "r", "--fault", "{}"}, 2, "--fault is of no use"},
		{"no fault", []string{"--to", "shadow", "--fault", "place"}, 2, "--fault place"},
		{"a fault that makes no sense", []string{"--to", "shadow", "--fault", `{"kind":"error","count":1}`}, 2, "needs an operation"},
		{"no limit", []string{"--to", "shadow", "--limit", "orders=1"}, 2, "requests_per_minute"},
		{"a limit at once", []string{"--to", "shadow", "--limit", "requests_per_minute=10"}, 2, "original pace"},
		{"no money", []string{"--to", "shadow", "--cash", "none"}, 2, "--cash"},
		{"no price", []string{"--to", "shadow", "--price", "AAPL=0"}, 2, "--price"},
		{"no pace", []string{"--pace", "slow"}, 2, "--pace"},
		{"nowhere", []string{"--to", ""}, 2, "--to"},
		{"a directory that is not there", []string{"--to", filepath.Join(dir, "none", "file")}, 1, "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, problems := run(t, append(append(server, "replay"), tc.args...)...)
			if code != tc.code || !strings.Contains(out+problems, tc.says) {
				t.Errorf("exit code %d, wanted %d with %q:\n%s%s", code, tc.code, tc.says, out, problems)
			}
		})
	}
	if end := published(t, s.Producer.Ledger()); end != 2 {
		t.Errorf("%d intents are on the ledger: a replay published some", end)
	}

	code, out, problems := run(t, append(server, "replay", "--to", "live", "--reason", "it is time", "--yes")...)
	if code != 0 || !strings.Contains(out, "acme late, driven again as") || !strings.Contains(out, "1 of 1 came to an end: 1 accepted") {
		t.Errorf("exit code %d:\n%s%s", code, out, problems)
	}
	code, out, problems = run(t, append(server, "replay", "--label", "retry_reason=it is time", "-o", "json")...)
	var row struct {
		RetryOf string            `json:"retry_of"`
		Labels  map[string]string `json:"labels"`
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&row); err != nil || code != 0 || row.RetryOf != "late" || row.Labels["retry_by"] != cliUser() || row.Labels["desk"] != "7" {
		t.Errorf("%+v, %v: %s%s", row, err, out, problems)
	}
	if code, out, _ := run(t, append(server, "replay", "--to", "live", "--reason", "again", "--yes")...); code != 0 || !strings.Contains(out, "nothing is to be driven again") {
		t.Errorf("exit code %d:\n%s", code, out)
	}

	ask(t, s.Producer, "later", -time.Minute)
	code, out, problems = run(t, append(server, "replay", "--to", "live", "--reason", "too short", "--lifetime", "1ns", "--yes", "-o", "json")...)
	if code != 1 || !strings.Contains(problems, "not settled") || !strings.Contains(out, `{"totals":{"unsettled":1,"statuses":{"expired":1}}}`) {
		t.Errorf("exit code %d:\n%s%s", code, out, problems)
	}
}

func published(t *testing.T, l *ledger.Ledger) (n int) {
	t.Helper()
	for shard := range l.Shards() {
		end, err := l.End(t.Context(), shard)
		if err != nil {
			t.Fatal(err)
		}
		err = l.Read(t.Context(), shard, ledger.Start{}, end, func(e ledger.Entry) error {
			if e.Class == ledger.Intents {
				n++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// readOnly lets a user look at streams and read them, and publish nothing else.
const readOnly = `
listen: 127.0.0.1:-1
jetstream: {store_dir: %q}
mappings = { "intents.*": "intents.{{partition(2,1)}}.{{wildcard(1)}}" }
authorization {
  users = [
    {user: admin, password: admin}
    {user: reader, password: reader, permissions: {
      publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.MSG.NEXT.>", "$JS.API.CONSUMER.DELETE.>"]
      subscribe: "_INBOX.>"
    }}
  ]
}
`

// TestReplayReadsOnly: who may read the ledger, and publish nothing, can replay it to
// everything but live.
func TestReplayReadsOnly(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, readOnly, filepath.Join(dir, "store")), 0o600); err != nil {
		t.Fatal(err)
	}
	srv, err := natsserver.StartFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	nc, err := nats.Connect(srv.URL(), nats.UserInfo("admin", "admin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	settings := ledger.DefaultSettings()
	settings.Shards = 2
	if _, err := ledger.Provision(t.Context(), nc, settings); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := l.JetStream().Publish(t.Context(), ledger.PublishSubject("acme"), []byte(`{"id":"a","kind":"order","expires_at":"2024-01-01T00:00:00Z","order":{"symbol":"F","qty":"1","side":"buy","type":"market","time_in_force":"day"}}`))
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Append(l.ShardOf("acme"), "acme", &order.Outcome{IntentID: "a", IntentSeq: ack.Sequence, Kind: order.KindOrder, Status: order.Expired, ClientOrderID: "acme.a"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	<-f.Ok()

	t.Setenv("NATS_USER", "reader")
	t.Setenv("NATS_PASSWORD", "reader")
	for _, where := range [][]string{
		{"report"}, {"report", "--pace", "original"}, {"shadow"}, {"shadow", "--pace", "original"}, {filepath.Join(dir, "file.jsonl")},
	} {
		args := append([]string{"--server", srv.URL(), "replay", "--to"}, where...)
		if code, out, problems := run(t, args...); code != 0 || !strings.Contains(out, "1 intents") {
			t.Errorf("to %v: exit code %d:\n%s%s", where, code, out, problems)
		}
	}
	code, out, problems := run(t, "--server", srv.URL(), "replay", "--to", "live", "--reason", "r", "--yes")
	if code != 1 || !strings.Contains(problems, "does not permit publishing") {
		t.Errorf("live: exit code %d:\n%s%s", code, out, problems)
	}
	if end, err := l.End(t.Context(), l.ShardOf("acme")); err != nil || end != 2 {
		t.Error(errors.Join(err, fmt.Errorf("the ledger ends at %d", end)))
	}
}
