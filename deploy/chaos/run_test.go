package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/worker/plant"
)

// TestMain lets this program be a part of the system.
func TestMain(m *testing.M) {
	if done, err := parts.Run(context.Background(), os.Args, nil); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// small is a short run with the real worker command.
func small(t *testing.T) Options {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the worker command and runs a dozen processes")
	}
	if runtime.GOOS == "windows" {
		t.Skip("processes cannot be frozen there")
	}
	worker := filepath.Join(t.TempDir(), "worker")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", worker, "./worker/cmd/worker")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("TMPDIR", t.TempDir())
	return Options{
		Seed: 5, Duration: 6 * time.Second, Tenants: 20, Rate: 60, Shards: 3,
		Worker: worker, Patience: 60 * time.Second,
	}
}

// nothingLeft checks that no process of a run is left, nor a file: no worker, and none of
// the parts, which are this program in a role.
func nothingLeft(t *testing.T, worker string) {
	t.Helper()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range commands {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		words := strings.Split(string(line), "\x00")
		if words[0] == worker || words[0] == self && len(words) > 1 && words[1] == parts.Arg {
			t.Errorf("%s still runs: %q", path, words)
		}
	}
}

// TestRun: a few seconds of storm, and nothing is lost.
func TestRun(t *testing.T) {
	o := small(t)
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r.Print(&out)
	if !r.OK() || r.Acknowledged == 0 || r.Outcomes != r.Intents || r.Injected < 5 {
		t.Errorf("%s", out.String())
	}
	if r.Switches.Total == 0 || r.Stopped == nil || len(r.Uses) != len(groups) || r.Uses[0].Most.IsZero() {
		t.Errorf("the operator did nothing, or nobody traded under limits: %+v %+v %+v", r.Switches, r.Stopped, r.Uses)
	}
	for _, text := range []string{"every rule holds", "the switch was thrown", "orders_per_minute", "--seed 5", "intents without an outcome", "worker killed"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("nothing of %q in\n%s", text, out.String())
		}
	}
	nothingLeft(t, o.Worker)
}

// TestInterrupted: whoever interrupts a run ends every part of it.
func TestInterrupted(t *testing.T) {
	o := small(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Tell = func(Event) { cancel() } // at the first fault
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	nothingLeft(t, o.Worker)
}

// A worker command that does not work ends a run with what it said.
func TestBrokenWorker(t *testing.T) {
	o := Options{Duration: 5 * time.Second, Tenants: 1, Rate: 1, Shards: 1, Worker: filepath.Join(t.TempDir(), "none")}
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "go build") {
		t.Errorf("got %v", err)
	}
	for _, change := range []func(*Options){
		func(o *Options) { o.Duration = time.Second },
		func(o *Options) { o.Tenants = 0 },
		func(o *Options) { o.Rate = 0 },
		func(o *Options) { o.Shards = 65 },
		func(o *Options) { o.Worker = "" },
	} {
		bad := o
		change(&bad)
		if bad.Validate() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// Every bug names the rules that it breaks.
func TestBreaks(t *testing.T) {
	for _, bug := range plant.Bugs {
		if len(breaks[bug]) == 0 {
			t.Errorf("%s breaks nothing", bug)
		}
	}
}

func TestCatch(t *testing.T) {
	broken := map[proof.Rule]int{proof.SecondOrder: 2}
	wanted := []proof.Rule{proof.Fenced, proof.SecondOrder}
	for _, tc := range []struct {
		catch  Catch
		caught bool
		says   string
	}{
		{Catch{Runs: 1, Seed: 7}, true, "nothing found  seed 7"},
		{Catch{Runs: 1, Broken: broken}, false, "FOUND"},
		{Catch{Runs: 1, Flaws: []string{"a flaw"}}, false, "a flaw"},
		{Catch{Bug: "fence", Runs: 4, Wanted: wanted}, false, "NOT CAUGHT"},
		{Catch{Bug: "fence", Runs: 4, Wanted: wanted[:1], Broken: broken}, false, "NOT CAUGHT"},
		{Catch{Bug: "fence", Runs: 2, Wanted: wanted, Broken: broken}, true, "second_order 2"},
	} {
		var out bytes.Buffer
		tc.catch.Print(&out)
		if tc.catch.Caught() != tc.caught || !strings.Contains(out.String(), tc.says) {
			t.Errorf("%+v: %v, %s", tc.catch, tc.catch.Caught(), out.String())
		}
	}
}
