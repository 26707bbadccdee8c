package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/local"
	"github.com/orderfleet/orderfleet/shared/cli"
)

func TestDemoAsJSON(t *testing.T) {
	var out bytes.Buffer
	cmd := newRoot()
	cmd.SetArgs([]string{"demo", "-o", "json"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var r local.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if !r.OK() || r.Intents != 220 || len(r.Tenants) != 20 {
		t.Errorf("%+v", r)
	}
}

func TestMistakesOfUsage(t *testing.T) {
	for _, args := range [][]string{{"dmo"}, {"demo", "now"}, {"demo", "-o", "xml"}, {"up", "--nats", "x"}, {"demo", "--loud"}} {
		cmd := newRoot()
		cmd.SetArgs(args)
		if cli.ExitCode(cmd.ExecuteContext(t.Context())) != 2 {
			t.Errorf("%q is no mistake of usage", args)
		}
	}
}
