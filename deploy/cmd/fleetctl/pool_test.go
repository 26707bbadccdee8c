package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestPools: each step is a command on what the ones before left.
func TestPools(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(t.TempDir(), "config"))
	t.Setenv("HOME", t.TempDir())
	server := ledgertest.Provision(t, 1).ConnectedUrl()
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"none", []string{"pool", "list"}, 0, "POOL"},
		{"without a reason", []string{"pool", "set", "desk", "--requests", "1000"}, 2, "--reason"},
		{"without a limit", []string{"pool", "set", "desk", "--reserve-percent", "5", "--reason", "r"}, 2, "requests: 0"},
		{"nothing to set", []string{"pool", "set", "desk", "--reason", "r"}, 2, "--requests"},
		{"no number", []string{"pool", "set", "desk", "--requests", "many", "--reason", "r"}, 2, "number"},
		{"no time", []string{"pool", "set", "desk", "--window", "long", "--reason", "r"}, 2, "window"},
		{"too short a window", []string{"pool", "set", "desk", "--requests", "5", "--window", "1ms", "--reason", "r"}, 2, "window: 1ms"},
		{"no name", []string{"pool", "set", "a.b", "--requests", "5", "--reason", "r"}, 2, "name of a pool"},
		{"made", []string{"pool", "set", "desk", "--requests", "1000", "--reason", "the correspondent's"}, 0, "pool desk is set, at revision"},
		{"the same again", []string{"pool", "set", "desk", "--requests", "1000", "--reason", "r"}, 1, "nothing to change"},
		{"changed", []string{"pool", "set", "desk", "--reserve-percent", "10", "--reason", "r"}, 0, "is set"},
		{"shared", []string{"tenant", "add", "acme", "--broker", "http://127.0.0.1:1", "--pool", "desk", "--weight", "3", "--reason", "r"}, 0, "acme"},
		{"shared by another", []string{"tenant", "add", "beta", "--broker", "http://127.0.0.1:1", "--pool", "nowhere", "--reason", "r"}, 0, "beta"},
		{"shown", []string{"pool", "show", "desk"}, 0, "1000 in any 1m0s"},
		{"who shares it", []string{"pool", "show", "desk"}, 0, "acme, weight 3"},
		{"shown as JSON", []string{"pool", "show", "desk", "-o", "json"}, 0, `{"name":"desk","requests":1000,"window":"1m0s","reserve_percent":10,"tenants":["acme"]}`},
		{"not there", []string{"pool", "show", "nowhere"}, 1, "there is no pool nowhere"},
		{"listed", []string{"pool", "list"}, 1, "nowhere  NOT THERE"},
		{"listed as JSON", []string{"pool", "list", "-o", "json"}, 1, `"missing":true`},
		{"removed too early", []string{"pool", "remove", "desk", "--reason", "r"}, 1, "1 tenants share pool desk, acme first"},
		{"shared no more", []string{"tenant", "set", "acme", "--pool", "", "--reason", "r"}, 0, "acme"},
		{"removed", []string{"pool", "remove", "desk", "--reason", "r"}, 0, "pool desk is removed"},
		{"removed again", []string{"pool", "remove", "desk", "--reason", "r"}, 1, "there is no pool desk"},
		{"who did it", []string{"history"}, 0, "the correspondent's"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			cmd := newRoot()
			cmd.SetArgs(append(tc.args, "--server", server))
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			if code := cli.Run(t.Context(), cmd); code != tc.code || !strings.Contains(out.String(), tc.says) {
				t.Errorf("exit code %d, wanted %d with %q:\n%s", code, tc.code, tc.says, out.String())
			}
		})
	}
}
