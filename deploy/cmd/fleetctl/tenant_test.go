package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/registry"
)

// fleetctlIn runs the command as a user with a folder for configuration.
func fleetctlIn(t *testing.T, home string, args ...string) (code int, out string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", home)
	var text bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs(args)
	cmd.SetOut(&text)
	cmd.SetErr(&text)
	code = cli.Run(t.Context(), cmd)
	return code, text.String()
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTenantCommands is the life of a few tenants, step by step.
func TestTenantCommands(t *testing.T) {
	server := ledgertest.Provision(t, 2).ConnectedUrl()
	ann, eve := t.TempDir(), t.TempDir()
	limits := writeFile(t, "limits.yaml", "max_notional: 1000.50\nduplicate_window: 30s\nallowed: [AAPL, MSFT]\n")
	lines := writeFile(t, "clients.jsonl", `{"tenant":"gamma","broker":"paper","labels":{"strategy":"pairs"}}`+"\n\n"+`{"tenant":"delta","broker":"paper"}`+"\n")
	tenants := writeFile(t, "tenants.yaml", `broker: live
limits: {open_orders: 9}
labels: {strategy: {pairs: {max_qty: 3}}}
tenants: {epsilon: {key_id: PRIVATE, secret: PRIVATE, labels: {strategy: pairs}, limits: {max_qty: 2}}}
`)
	for _, step := range []struct {
		name string
		home string
		args string // words that hold a space stand between '
		code int
		says string
	}{
		{"a tenant without reason", ann, "tenant add acme --broker paper", 2, "--reason"},
		{"a tenant without broker", ann, "tenant add acme --reason r", 2, "--broker: say which"},
		{"a tenant of the live market by a slip", ann, "tenant add acme --broker live --reason r", 2, "--live"},
		{"the live market by its address", ann, "tenant add acme --broker https://API.alpaca.markets. --reason r", 2, "--live"},
		{"a tenant's bad name", ann, "tenant add a.b --broker paper --reason r", 2, "a.b"},
		{"a bad number", ann, "tenant add acme --broker paper --weight x --reason r", 2, "whole number"},
		{"a bad label", ann, "tenant add acme --broker paper --label x --reason r", 2, "key=value"},
		{"the first change makes a key", ann, "tenant add acme --broker paper --label strategy=pairs --reason new", 0, "made a key of yours"},
		{"a tenant twice", ann, "tenant add acme --broker paper --reason r", 1, "registered already"},
		{"nothing to set", ann, "tenant set acme --reason r", 2, "what to change"},
		{"a change of nobody", ann, "tenant set nobody --weight 2 --reason r", 1, "nobody registered nobody"},
		{"no change", ann, "tenant set acme --broker paper --reason r", 1, "nothing to change"},
		{"to the live market by a slip", ann, "tenant set acme --broker live --reason r", 2, "--live"},
		{"what a change changed", ann, "tenant set acme --weight 4 --reason r", 0, "  weight is 4\n"},
		{"a pool that is not there", ann, "tenant set acme --pool desk --reason r", 0, "pool desk is not there"},
		{"and no pool", ann, "tenant set acme --pool= --weight= --reason r -o json", 0, `"changes":[{"field":"pool","before":"desk"},{"field":"weight","before":"4"}]`},
		{"a change", ann, "tenant set acme --requests-per-minute 200 --reason more -o json", 0, `"key":"tenant.acme"`},
		{"limits of nobody in particular", ann, "limits set --max-qty 1 --reason r", 2, "say whom"},
		{"limits of two", ann, "limits set acme --all --max-qty 1 --reason r", 2, "say whom"},
		{"a limit below 0", ann, "limits set acme --max-qty=-1 --reason r", 2, "max_qty"},
		{"hours that are none", ann, "limits set acme --hours always --reason r", 2, "--hours"},
		{"no limits", ann, "limits set acme --reason r", 2, "which limits"},
		{"limits of a tenant", ann, "limits set acme --max-qty 100 --orders-per-minute 60 --reason r", 0, "limits of tenant.acme are set"},
		{"limits of a file", ann, "limits set --all --file " + limits + " --max-qty 50 --reason r", 0, "limits of all are set"},
		{"nobody is an operator yet", ann, "limits set --label strategy=pairs --max-qty 71 --reason r", 0, "NOBODY IS AN OPERATOR"},
		{"limits of a label", ann, "limits set --label strategy=pairs --max-qty 70 --no-short true --hours 'America/New_York mon-fri 09:30-16:00' --reason r", 0, "label.strategy.pairs"},
		{"a limit taken away", ann, "limits set acme --orders-per-minute= --reason r", 0, "are set"},
		{"limits shown", ann, "limits show --all", 0, "max_notional      1000.5"},
		{"a type of orders that is none", ann, "limits set acme --types market,limits --reason r", 2, "\"limits\" is none of [market limit"},
		{"what a change of limits changed", ann, "limits set acme --max-qty 90 --reason r", 0, "limits.max_qty from 100 to 90"},
		{"the tightest limit with its scope", ann, "tenant show acme", 0, "max_qty           50                                    from all"},
		{"no keys", ann, "tenant show acme", 0, "fleetctl credential"},
		{"a show as JSON", ann, "tenant show acme -o json", 0, `"mode":"run"`},
		{"nobody shown", ann, "tenant show nobody", 1, "nobody registered"},
		{"an import that was only tried", ann, "tenant import " + lines + " --dry-run", 0, "2 tenants would be registered"},
		{"an import without reason", ann, "tenant import " + lines, 2, "--reason"},
		{"an import", ann, "tenant import " + lines + " --reason moved", 0, "2 tenants are registered"},
		{"an import again", ann, "tenant import " + lines + " --reason moved -o json", 0, `"added":0,"changed":0,"same":2`},
		{"an import for real money by a slip", ann, "tenant import " + tenants + " --reason moved", 2, "--live"},
		{"an import of a tenants file", ann, "tenant import " + tenants + " --live --reason moved", 0, "1 tenants are registered, 0 changed, 0 left as they were; 2 limits"},
		{"an import of what is no file", ann, "tenant import " + tenants + "x --reason moved", 2, "no such file"},
		{"an import of what is no tenant", ann, "tenant import " + writeFile(t, "x", `{"tenant":"a","brokr":"x"}`) + " --reason moved", 2, "line 1"},
		{"a list", ann, "tenant list --label strategy=pairs", 0, "gamma"},
		{"everybody may write", eve, "tenant set gamma --weight 5 --reason mine", 0, "is changed"},
		{"an operator's bad key", ann, "operator add ann UABC --reason r", 1, "no public nkey"},
		{"a halt that nobody confirms", ann, "halt gamma --wait 1ms --reason r", 1, "NOT CONFIRMED for 1 of 1 shard: their tenants may still trade"},
		{"a halt of nobody", ann, "halt --label strategy=pears --wait 1ms --reason r", 1, "NOBODY IS REGISTERED"},
		{"a halt of nobody in particular", ann, "halt --reason r", 2, "say whom"},
		{"a halt, as JSON", ann, "pause gamma --until 2h --wait 1ms --reason mine -o json", 1, `"tenants":1,"confirmed":false`},
		{"which switches lie", ann, "status", 1, "PAUSE   tenant.gamma"},
		{"which switches lie, as JSON", ann, "status -o json", 1, `"switches":[{"mode":"halt"`},
		{"a switch that was taken off", ann, "resume gamma --wait 1ms --reason r", 1, "tenant.gamma: run"},
		{"a switch that lies no more", ann, "tenant show gamma", 0, "run\nlimit"},
		{"no recipients", ann, "recipient list", 0, "nobody: no keys"},
		{"no recipients, as JSON", ann, "recipient list -o json", 0, `{"recipients":[]}`},
		{"a key as JSON", ann, "operator key -o json", 0, `{"key":"U`},
		{"nobody is an operator", ann, "operator list", 0, "every signature counts"},
	} {
		t.Run(step.name, func(t *testing.T) {
			if code, out := fleetctlIn(t, step.home, append(words(step.args), "--server", server)...); code != step.code || !strings.Contains(out, step.says) {
				t.Errorf("exit code %d, wanted %d with %q:\n%s", code, step.code, step.says, out)
			}
		})
	}
	_, key := fleetctlIn(t, ann, "operator", "key")
	for _, step := range []struct {
		home, args string
		code       int
		says       string
	}{
		{eve, "operator add ann " + key + " --reason r", 1, "may not change"},
		{ann, "operator add ann " + key + " --reason 'the first'", 0, "ann is an operator"},
		{eve, "tenant set gamma --weight 6 --reason mine", 1, "none of the operators"},
		{ann, "operator remove " + key + " --reason r", 1, "nobody would be left"},
		{ann, "tenant set gamma --weight 7 --reason mine -o json", 0, `"by":"ann"`},
		{ann, "tenant remove epsilon --reason left", 0, "is removed"},
		{ann, "tenant remove epsilon --reason left", 1, "nobody registered"},
		{ann, "history --kind x", 2, "--kind"},
		{ann, "history acme", 0, "requests_per_minute is 200"},
		{ann, "history gamma", 0, "weight is 5"},
		{ann, "history --kind operators --since 1h", 0, "why: the first"},
		{ann, "history epsilon", 0, "removed"},
	} {
		if code, out := fleetctlIn(t, step.home, append(words(step.args), "--server", server)...); code != step.code || !strings.Contains(out, step.says) {
			t.Errorf("%s: exit code %d, wanted %d with %q:\n%s", step.args, code, step.code, step.says, out)
		}
	}
}

// words takes a command line apart.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}

// TestHistoryShowsWhatIsNotVerified: what somebody wrote without a key is shown, is told from
// what counts, and fails the command.
func TestHistoryShowsWhatIsNotVerified(t *testing.T) {
	nc := ledgertest.Provision(t, 1)
	server, home := nc.ConnectedUrl(), t.TempDir()
	if code, out := fleetctlIn(t, home, "tenant", "add", "acme", "--broker", "paper", "--reason", "new", "--server", server); code != 0 {
		t.Fatal(out)
	}
	for _, garbage := range []string{`{"status":"disabled"}`, "\x1b[2J"} {
		if _, err := nc.Request("$KV.TENANTS.tenant.acme", []byte(garbage), 0); err == nil {
			t.Fatal("no time, and an answer")
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	code, out := fleetctlIn(t, home, "history", "--server", server)
	if code != 1 || strings.Count(out, "NOT VERIFIED") != 3 || !strings.Contains(out, "2 changes are NOT VERIFIED") || strings.Contains(out, "\x1b") {
		t.Errorf("exit code %d:\n%q", code, out)
	}
	if code, out = fleetctlIn(t, home, "tenant", "show", "acme", "--server", server); code != 0 || !strings.Contains(out, "NOT VERIFIED: the last changes of tenant.acme") || strings.Contains(out, "disabled") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	code, out = fleetctlIn(t, home, "history", "acme", "-o", "json", "--server", server)
	verified := 0
	for line := range strings.Lines(out) {
		var d fleetctl.Deed
		if json.Unmarshal([]byte(line), &d) == nil && d.Verified {
			verified++
		}
	}
	if code != 1 || verified != 1 {
		t.Errorf("exit code %d, %d verified:\n%s", code, verified, out)
	}
}

// TestSigningKeys: the key that signs is the one that is named, or that of the identity, or
// one's own, which nobody else may read.
func TestSigningKeys(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	_, own := fleetctlIn(t, other, "operator", "key")
	own = strings.TrimSpace(own[strings.LastIndex(strings.TrimSpace(own), "\n")+1:])
	file := filepath.Join(other, "orderfleet", "operator.nk")
	seed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it is made with mode %v: %v", info.Mode(), err)
	}
	creds := writeFile(t, "user.creds", fmt.Sprintf("-----BEGIN NATS USER JWT-----\neyJ\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", strings.TrimSpace(string(seed))))
	for name, env := range map[string][2]string{
		"the key that is named":  {registry.SigningKey, file},
		"that of an nkey":        {"NATS_NKEY", file},
		"that of credentials":    {"NATS_CREDS", creds},
		"a seed that is not one": {registry.SigningKey, writeFile(t, "x", "PRIVATE")},
		"a file that is missing": {registry.SigningKey, file + "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(env[0], env[1])
			code, out := fleetctlIn(t, home, "operator", "key")
			if good := strings.HasPrefix(name, "th"); good && strings.TrimSpace(out) != own || good != (code == 0) || strings.Contains(out, "PRIVATE") {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out := fleetctlIn(t, other, "operator", "key"); code != 2 || !strings.Contains(out, "chmod 600") {
		t.Errorf("a key that others can read: exit code %d: %s", code, out)
	}
}
