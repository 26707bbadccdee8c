package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/chaos"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/cli"
)

func TestMistakesOfUsage(t *testing.T) {
	worker := filepath.Join(t.TempDir(), "worker")
	if err := os.WriteFile(worker, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"now", "--worker", worker},
		{"--worker", worker, "--duration", "1s"},
		{"--worker", worker, "--tenants", "0"},
		{"--worker", worker, "-o", "xml"},
		{"--worker", worker + "-that-is-not-there"},
		{"planted", "--worker", worker, "no-such-bug"},
		{"planted", "--worker", worker + "-that-is-not-there"},
	} {
		cmd := newRoot()
		cmd.SetArgs(args)
		cmd.SetErr(new(bytes.Buffer))
		if cli.ExitCode(cmd.ExecuteContext(t.Context())) != 2 {
			t.Errorf("%q is no mistake of usage", args)
		}
	}
}

// A broken rule makes the exit code 1, in either format.
func TestShow(t *testing.T) {
	for _, test := range []struct {
		name string
		proof.Report
		flaws []string
		want  error
	}{
		{"all well", proof.Report{Intents: 1, Outcomes: 1, Orders: 1, Failed: 1}, nil, nil},
		{"lost", proof.Report{Lost: 1}, nil, errViolated},
		{"contradicted", proof.Report{Contradicted: 1}, nil, errViolated},
		{"nothing traded", proof.Report{}, []string{"no publish was acknowledged"}, errFlawed},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, asJSON := range []bool{false, true} {
				var out bytes.Buffer
				if err := show(&out, &chaos.Report{Report: test.Report, Flaws: test.flaws}, asJSON); !errors.Is(err, test.want) {
					t.Errorf("JSON %v: got %v", asJSON, err)
				}
				if asJSON && !json.Valid(out.Bytes()) {
					t.Errorf("no JSON: %s", out.String())
				}
			}
		})
	}
}
