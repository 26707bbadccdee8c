package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

func TestCommands(t *testing.T) {
	server := ledgertest.Provision(t, 2).ConnectedUrl()
	exported, tenants := filepath.Join(t.TempDir(), "exported"), filepath.Join(t.TempDir(), "tenants.yaml")
	if err := os.WriteFile(tenants, []byte("broker: http://127.0.0.1:1\ntenants:\n  acme: {key_id: a, secret: s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unused := filepath.Join(t.TempDir(), "unused.nk")
	config, secrets, names := filepath.Join(t.TempDir(), "nats"), filepath.Join(t.TempDir(), "secrets"), filepath.Join(t.TempDir(), "names")
	if err := os.WriteFile(names, []byte("# new ones\ndelta\n\n  epsilon\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"--help"}, 0, "Examples:"},
		{"status without workers", []string{"status", "--server", server}, 1, "2 shards have no owner"},
		{"status as JSON", []string{"status", "--server", server, "-o", "json"}, 1, `"members":[]`},
		{"nothing failed", []string{"failed", "list", "--server", server}, 0, "no failed intents"},
		{"no such intent", []string{"failed", "show", "acme", "x", "--server", server}, 1, "has no failed intent x"},
		{"a retry without reason", []string{"failed", "retry", "acme", "x", "--server", server}, 2, "--reason"},
		{"a retry of everything", []string{"failed", "retry", "--reason", "r", "--server", server}, 2, "say which"},
		{"a retry of what did not fail", []string{"failed", "retry", "acme", "x", "--reason", "r", "--server", server}, 1, "has no failed intent x"},
		{"a drop without reason", []string{"failed", "drop", "acme", "--server", server}, 2, "--reason"},
		{"a retry at no rate", []string{"failed", "retry", "acme", "x", "--reason", "r", "--rate", "0", "--server", server}, 2, "--rate"},
		{"a drop of nothing", []string{"failed", "drop", "acme", "--reason", "r", "--yes", "--server", server}, 0, ""},
		{"a price", []string{"price", "set", "aapl", "191.20", "--server", server}, 0, "AAPL  191.2  20"},
		{"a price as it is", []string{"price", "show", "AAPL", "-o", "json", "--server", server}, 0, `{"symbol":"AAPL","price":"191.2","at":"20`},
		{"no price", []string{"price", "show", "AAPL", "MSFT", "--server", server}, 1, "there is no price of MSFT"},
		{"a price of nothing", []string{"price", "set", "AAPL", "0", "--server", server}, 2, "not above 0"},
		{"a price in words", []string{"price", "set", "AAPL", "much", "--server", server}, 2, "no price as 191.20"},
		{"a price of no symbol", []string{"price", "set", "A*", "1", "--server", server}, 2, "symbol"},
		{"no time", []string{"failed", "list", "--since", "yesterday", "--server", server}, 2, "--since"},
		{"no tenant's name", []string{"failed", "list", "a.b", "--server", server}, 2, "a.b"},
		{"a release", []string{"release", "acme", "--reason", "looked", "--server", server}, 0, "acme is released"},
		{"a release for a blank", []string{"release", "acme", "--reason", " ", "--server", server}, 2, "--reason: say why"},
		{"a retry for a blank", []string{"failed", "retry", "acme", "--reason", " ", "--server", server}, 2, "--reason: say why"},
		{"a retry for a long story", []string{"failed", "retry", "acme", "--reason", strings.Repeat("x", 257), "--server", server}, 2, "more than 256"},
		{"a drop that steers the terminal", []string{"failed", "drop", "acme", "--reason", "\x1b[2J", "--server", server}, 2, "--reason"},
		{"a replay to live for a blank", []string{"replay", "--to", "live", "--reason", " ", "--server", server}, 2, "--reason: say why"},
		{"a release without reason", []string{"release", "acme", "--server", server}, 2, "--reason"},
		{"an export", []string{"export", "--to", exported, "--server", server}, 0, "1 messages of the ledger at nats://"},
		{"an export of an export", []string{"export", "--from", exported, "acme", "--to", exported + ".zip", "-o", "json"}, 0, `"messages":1`},
		{"an export over another", []string{"export", "--from", exported, "--to", exported}, 1, "overwrites nothing"},
		{"an export to nowhere", []string{"export", "--server", server}, 2, "--to"},
		{"an export of no export", []string{"export", "--from", t.TempDir(), "--to", exported + "2"}, 1, "no manifest"},
		{"a stretch that ends before it begins", []string{"export", "--to", exported, "--since", "1h", "--until", "2h"}, 2, "--until"},
		{"a stretch without numbers", []string{"export", "--to", exported, "--from-seq", "5", "--to-seq", "4"}, 2, "--to-seq"},
		{"reconcile nobody", []string{"reconcile", "--server", server}, 2, "--all"},
		{"reconcile some and all", []string{"reconcile", "acme", "--all", "--server", server}, 2, "--all"},
		{"a repair without reason", []string{"reconcile", "acme", "--repair", "--server", server}, 2, "--reason"},
		{"reconcile no tenant", []string{"reconcile", "a.b", "--server", server}, 2, "a.b"},
		{"reconcile all, of none", []string{"reconcile", "--all", "--server", server}, 0, "0 tenants reconciled"},
		{"reconcile without workers", []string{"reconcile", "acme", "--server", server}, 1, "SHARD 1: 1 tenants were not reconciled: acme"},
		{"reconcile without workers, as JSON", []string{"reconcile", "acme", "-o", "json", "--server", server}, 1, `"problem":"inquiry: nobody answers`},
		{"an audit", []string{"audit", "--server", server}, 0, "only the fleet's ledger was audited"},
		{"an audit of an export", []string{"audit", "acme", "--from", exported, "-o", "json"}, 0, `"digest":"`},
		{"an audit of what is not in it", []string{"audit", "b", "--from", exported + ".zip"}, 1, "outside of the export"},
		{"an audit of no tenant", []string{"audit", "a.b", "--server", server}, 2, "a.b"},
		{"an audit without the tenants file", []string{"audit", "--broker", exported + "/none", "--server", server}, 2, "--broker"},
		{"an audit with a paper broker", []string{"audit", "--broker", paperLedger(t), "--server", server}, 0, "0 orders at the paper broker"},
		{"an audit with the tenants' accounts", []string{"audit", "b", "--broker", tenants, "--server", server}, 0, "0 orders at the tenants' accounts"},
		{"an audit of an account that refuses its keys", []string{"audit", "acme", "--broker", refusing(t), "--server", server}, 1, "the audit is incomplete"},
		{"an audit without a broker that answers", []string{"audit", "--broker", "http://127.0.0.1:1", "--server", server}, 1, "127.0.0.1:1"},
		{"an audit that finds something", []string{"audit", "--from", broken(t)}, 1, "unreadable"},
		{"NATS servers of no name", []string{"nats", "config", "--folder", config}, 2, "host"},
		{"NATS servers", []string{"nats", "config", "--folder", config, "--host", "nats-0", "--host", "nats-1"}, 0, "server.conf"},
		{"NATS servers twice", []string{"nats", "config", "--folder", config, "--host", "nats-0"}, 1, "never overwritten"},
		{"a tenant of the NATS servers", []string{"nats", "user", "add", "--folder", config, "acme"}, 0, "\nSU"},
		{"the tenant twice", []string{"nats", "user", "add", "--folder", config, "acme"}, 1, "is known already"},
		{"the tenant twice, to a file", []string{"nats", "user", "add", "--folder", config, "acme", "--to", unused}, 1, "is known already"},
		{"a worker, to a file that was not used", []string{"nats", "user", "add", "--folder", config, "--role", "worker", "w", "--to", unused, "-o", "json"}, 0, `{"role":"worker","name":"w","key":"U`},
		{"a user of no role", []string{"nats", "user", "add", "--folder", config, "--role", "king", "ann"}, 2, "no role"},
		{"a user of no name", []string{"nats", "user", "add", "--folder", config, "a.b"}, 2, "a.b"},
		{"an operator, over a file", []string{"nats", "user", "add", "--folder", config, "--role", "operator", "ann", "--to", tenants}, 1, "exists"},
		{"no user", []string{"nats", "user", "add", "--folder", config}, 2, "say whom"},
		{"users, and a file of them", []string{"nats", "user", "add", "--folder", config, "beta", "--file", tenants}, 2, "say whom"},
		{"several users on the terminal", []string{"nats", "user", "add", "--folder", config, "beta", "gamma"}, 2, "name a folder"},
		{"several users", []string{"nats", "user", "add", "--folder", config, "beta", "gamma", "--to", secrets}, 0, "2 of role producer"},
		{"users of a file, as JSON", []string{"nats", "user", "add", "--folder", config, "--file", names, "-o", "json"}, 0, `"name":"epsilon"`},
		{"users of a file that are there", []string{"nats", "user", "add", "--folder", config, "--file", names, "-o", "json"}, 1, "is known already"},
		{"users of no file", []string{"nats", "user", "add", "--folder", config, "--file", names + ".none"}, 2, "no such file"},
		{"an operator, as JSON", []string{"nats", "user", "add", "--folder", config, "--role", "operator", "ann", "-o", "json"}, 0, `"credentials":"SU`},
		{"NATS servers again", []string{"nats", "refresh", "--folder", config}, 0, "again"},
		{"the users", []string{"nats", "user", "list", "--folder", config}, 0, "operator  ann "},
		{"a push of no JWTs", []string{"nats", "push", "--folder", config}, 2, "nothing to push"},
		{"a user that leaves", []string{"nats", "user", "remove", "--folder", config, "acme"}, 0, "acme is out"},
		{"a user that left", []string{"nats", "user", "remove", "--folder", config, "acme"}, 1, "is not known"},
		{"the users as JSON", []string{"nats", "user", "list", "--folder", config, "-o", "json"}, 0, `{"role":"operator","name":"ann"`},
		{"no configuration", []string{"nats", "user", "list", "--folder", config + "2"}, 1, "fleetctl nats config"},
		{"certificates", []string{"nats", "certs", "--to", config + "3", "--host", "localhost"}, 0, "wrote ca.pem, server.pem and server.key to "},
		{"certificates twice", []string{"nats", "certs", "--to", config + "3", "--host", "localhost"}, 1, "never overwritten"},
		{"no such command", []string{"bogus"}, 2, `unknown command "bogus"`},
		{"no server", []string{"status", "--server", "nats://127.0.0.1:1"}, 1, "127.0.0.1:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			cmd := newRoot()
			cmd.SetArgs(tc.args)
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			if code := cli.Run(t.Context(), cmd); code != tc.code || !strings.Contains(out.String(), tc.says) {
				t.Errorf("exit code %d, wanted %d with %q:\n%s", code, tc.code, tc.says, out.String())
			}
		})
	}
}

// paperLedger is the address of a paper broker's ledger.
func paperLedger(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(paper.New(paper.Config{}).Admin())
	t.Cleanup(srv.Close)
	return srv.URL
}

// refusing is a tenants file whose broker knows none of its keys.
func refusing(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(srv.Close)
	path := filepath.Join(t.TempDir(), "refused.yaml")
	if err := os.WriteFile(path, []byte("broker: "+srv.URL+"\ntenants:\n  acme: {key_id: a, secret: s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// broken is an export of a ledger with a violation.
func broken(t *testing.T) string {
	t.Helper()
	l, _ := ledgertest.Open(t, 1)
	if _, err := l.JetStream().Publish(t.Context(), ledger.Outcomes.Subject(0, "acme"), []byte("{")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "broken.zip")
	if _, err := history.Export(t.Context(), history.Live(l), history.Stretch{}, path, func(string, int, int) {}); err != nil {
		t.Fatal(err)
	}
	return path
}
