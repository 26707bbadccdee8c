package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/explain"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestExplain: a life is told from a running ledger and from an export of it, for people and
// for machines.
func TestExplain(t *testing.T) {
	nc := ledgertest.Provision(t, 2)
	server := nc.ConnectedUrl()
	p, err := producer.New(t.Context(), nc, producer.By("ann@desk7 test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(t.Context(), "acme", order.Intent{ID: "one", Kind: order.KindCancelAll}); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		cmd := newRoot()
		cmd.SetArgs(append(args, "--server", server))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		return cli.Run(t.Context(), cmd), out.String()
	}
	export := filepath.Join(t.TempDir(), "ledger")
	if code, out := run("export", "acme", "--to", export); code != 0 {
		t.Fatal(out)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"live", []string{"acme", "one"}, 0, []string{"acme intent one: due", "by ann@desk7 test, sequence 1", "unowned", "is one running?"}},
		{"by client order id", []string{"acme", "acme.one"}, 0, []string{"acme intent one: due"}},
		{"an export", []string{"acme", "#1", "--from", export}, 0, []string{"acme intent one: due", "the export ", "as_of", "does not show"}},
		{"no such intent", []string{"acme", "two"}, 1, []string{`"two"`, "intent one", "producer watch acme"}},
		{"no such tenant", []string{"beta", "one"}, 1, []string{"is the name right?"}},
		{"not in the export", []string{"beta", "one", "--from", export}, 1, []string{"tenant beta"}},
		{"no export", []string{"acme", "one", "--from", export + "2"}, 1, []string{"ledger2"}},
		{"no tenant's name", []string{"a.b", "one"}, 2, []string{"a.b"}},
		{"half a question", []string{"acme"}, 2, []string{"accepts 2 arg"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out := run(append([]string{"explain"}, tc.args...)...)
			if code != tc.code {
				t.Errorf("exit code %d, wanted %d: %s", code, tc.code, out)
			}
			for _, want := range tc.says {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if strings.Contains(out, "\x1b") {
				t.Errorf("colour where there is no terminal: %q", out)
			}
		})
	}
	code, out := run("explain", "acme", "one", "-o", "json")
	var life explain.Life
	if err := json.Unmarshal([]byte(out), &life); code != 0 || err != nil || life.Status != explain.Due || life.Waiting.For[0].Code != explain.Unowned {
		t.Errorf("%d %v: %s", code, err, out)
	}
}
