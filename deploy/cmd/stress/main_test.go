package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/deploy/stress"
	"github.com/orderfleet/orderfleet/shared/cli"
)

func TestMistakesOfUsage(t *testing.T) {
	for _, args := range [][]string{{"now"}, {"--tenants", "0"}, {"--clients", "none"}, {"-o", "xml"}, {"--loud"}} {
		cmd := newRoot()
		cmd.SetArgs(args)
		if cli.ExitCode(cmd.ExecuteContext(t.Context())) != 2 {
			t.Errorf("%q is no mistake of usage", args)
		}
	}
}

// Whatever was lost, duplicated or reordered makes the exit code 1, in either format.
func TestShow(t *testing.T) {
	for _, test := range []struct {
		name string
		proof.Report
		want error
	}{
		{"all well", proof.Report{Intents: 1, Outcomes: 1, Orders: 1}, nil},
		{"lost", proof.Report{Lost: 1}, errViolated},
		{"duplicated", proof.Report{Duplicated: 1}, errViolated},
		{"reordered", proof.Report{Reordered: 1}, errViolated},
		{"contradicted", proof.Report{Contradicted: 1}, errViolated},
	} {
		t.Run(test.name, func(t *testing.T) {
			reports := []stress.Report{{}, {Report: test.Report}}
			for _, asJSON := range []bool{false, true} {
				var out bytes.Buffer
				if err := show(&out, reports, asJSON, true); !errors.Is(err, test.want) {
					t.Errorf("JSON %v: got %v", asJSON, err)
				}
				if asJSON && !json.Valid(out.Bytes()) {
					t.Errorf("no JSON: %s", out.String())
				}
			}
		})
	}
}
