package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

func runKeygen(t *testing.T, args ...string) (code int, out, problems string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs(append([]string{"keygen"}, args...))
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	code = cli.Run(t.Context(), cmd)
	return code, stdout.String(), stderr.String()
}

// TestKeygen: what is sealed to the recipient that is printed opens with the file, which only
// its owner can read; an identity that is there is never overwritten.
func TestKeygen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.txt")
	keys := tenant.Credentials{OAuth: "PRIVATE"}
	opens := func(recipient string) {
		t.Helper()
		ids, err := seal.LoadIdentities(path)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := seal.Seal("acme", keys, seal.Recipients{strings.TrimSpace(recipient)})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ids.Open("acme", blob.Digest(), blob); err != nil || got.OAuth != keys.OAuth {
			t.Errorf("%v", err)
		}
	}
	if code, _, problems := runKeygen(t, "--add", path); code != 1 || !strings.Contains(problems, "no such file") {
		t.Errorf("added to nothing: %d, %s", code, problems)
	}
	code, first, _ := runKeygen(t, path)
	if code != 0 {
		t.Fatal(code)
	}
	opens(first)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, problems := runKeygen(t, path); code != 2 || !strings.Contains(problems, "--add") {
		t.Errorf("over the first: %d, %s", code, problems)
	}
	if err := os.WriteFile(path, bytes.TrimSpace(before), 0o600); err != nil {
		t.Fatal(err)
	}
	code, second, _ := runKeygen(t, "--add", path)
	if code != 0 || second == first {
		t.Fatal(code)
	}
	opens(first)
	opens(second)
	if strings.Contains(first+second, "SECRET") {
		t.Error("it printed the secret half")
	}
}
