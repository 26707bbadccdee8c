package test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const root = "github.com/orderfleet/orderfleet/"

// module is the first folder of a package of ours: shared, producer, worker or deploy.
func module(pkg string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(pkg, root), "/")
	return name
}

// law says which modules a module may import.
var law = map[string][]string{
	"shared":   {"shared"},
	"producer": {"shared", "producer"},
	"worker":   {"shared", "worker"},
	"deploy":   {"shared", "producer", "worker", "deploy"},
}

// adapters are the concrete ends of the system: only commands and the deploy module
// may know them (beside the adapter's own tests).
var adapters = map[string]bool{
	root + "worker/alpaca":     true,
	root + "shared/natsserver": true,
}

const (
	testLedgers = root + "shared/ledger/ledgertest" // for tests; the law over Deps keeps it there
	natsServer  = "github.com/nats-io/nats-server/"
	alpacaSDK   = "github.com/alpacahq/alpaca-trade-api-go/"
)

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// listPackages lists all packages of the project, without their tests.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps",
		"./shared/...", "./producer/...", "./worker/...", "./deploy/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 10 {
		t.Fatalf("found only %d packages: %v", len(pkgs), pkgs)
	}
	return pkgs
}

// TestImportLaw holds shared <- producer, worker <- deploy, and keeps concrete
// adapters out of everything but commands and deploy.
func TestImportLaw(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, broken := range breaches(p) {
			t.Error(broken)
		}
	}
}

// TestImportLawCanFail shows that the test above sees a breach of each kind.
func TestImportLawCanFail(t *testing.T) {
	for name, p := range map[string]goPackage{
		"shared imports worker":       {ImportPath: root + "shared/order", Imports: []string{root + "worker/shard"}},
		"worker imports producer":     {ImportPath: root + "worker/shard", Imports: []string{root + "producer"}},
		"worker imports an adapter":   {ImportPath: root + "worker/session", Imports: []string{root + "worker/alpaca"}},
		"worker links a NATS server":  {ImportPath: root + "worker/cmd/worker", Deps: []string{natsServer + "v2/server"}},
		"paper shares wire types":     {ImportPath: root + "deploy/paper", Imports: []string{root + "shared/order"}},
		"a session knows the SDK":     {ImportPath: root + "worker/session", Imports: []string{alpacaSDK + "v3/alpaca"}},
		"the producer links the SDK":  {ImportPath: root + "producer", Deps: []string{alpacaSDK + "v3/alpaca"}},
		"an audit uses the worker's":  {ImportPath: root + "deploy/audit", Deps: []string{root + "worker/session"}},
		"shared knows deploy's parts": {ImportPath: root + "shared/ledger", Imports: []string{root + "deploy/paper"}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(breaches(p)) == 0 {
				t.Error("not noticed")
			}
		})
	}
}

// breaches lists how a package breaks the law.
func breaches(p goPackage) []string {
	var found []string
	from := module(p.ImportPath)
	command := strings.Contains(p.ImportPath, "/cmd/")
	for _, imported := range p.Imports {
		ours := strings.HasPrefix(imported, root)
		switch {
		case ours && !slices.Contains(law[from], module(imported)):
			found = append(found, p.ImportPath+" imports "+imported+": "+from+" may import "+strings.Join(law[from], ", ")+" only")
		case ours && p.ImportPath == root+"deploy/paper":
			found = append(found, p.ImportPath+" imports "+imported+": the paper broker shares nothing with what it checks")
		case adapters[imported] && from != "deploy" && !command && p.ImportPath != testLedgers:
			found = append(found, p.ImportPath+" imports "+imported+": only commands and deploy know concrete adapters")
		case strings.HasPrefix(imported, alpacaSDK) && p.ImportPath != root+"worker/alpaca" && from != "deploy":
			found = append(found, p.ImportPath+" imports "+imported+": only its adapter knows the SDK")
		}
	}
	for _, dep := range p.Deps {
		switch {
		case p.ImportPath == root+"deploy/audit" && strings.HasPrefix(dep, root+"worker"):
			found = append(found, p.ImportPath+" links "+dep+": an audit shares the message types with the fleet, and no code with the worker")
		case strings.HasPrefix(dep, natsServer) && (from == "producer" || from == "worker"):
			found = append(found, p.ImportPath+" links "+dep+": producers and workers carry no server")
		case strings.HasPrefix(dep, alpacaSDK) && (from == "producer" || from == "shared"):
			found = append(found, p.ImportPath+" links "+dep+": producers do not talk to the broker")
		}
	}
	return found
}
