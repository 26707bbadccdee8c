package stress_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/deploy/stress"
	"go.uber.org/goleak"
)

// lazy in the environment makes workers that do nothing.
const lazy = "STRESS_TEST_LAZY_WORKER"

// TestMain lets this program be a part of the system.
func TestMain(m *testing.M) {
	roles := map[string]parts.Role{stress.RoleBare: stress.Bare}
	if os.Getenv(lazy) != "" {
		roles[parts.Worker] = func(ctx context.Context, _ []string) error {
			defer parts.AwaitParent(ctx)
			return parts.Say(parts.WorkerReady{})
		}
	}
	if done, err := parts.Run(context.Background(), os.Args, roles); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func options() stress.Options {
	return stress.Options{Tenants: 10, Orders: 20, Clients: parts.Own, Shards: 2, Patience: 10 * time.Second}
}

func linux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("figures of processes are read from /proc")
	}
}

func TestRun(t *testing.T) {
	linux(t)
	o := options()
	o.IdleTenants, o.IdleFor = 50, 100*time.Millisecond
	phases := make(map[string]bool)
	o.Progress = func(phase string, done, of int) {
		if done == of {
			phases[phase] = true
		}
	}
	reports, err := stress.Run(t.Context(), o, parts.AllClients)
	if err != nil {
		t.Fatal(err)
	}
	if len(reports) != 3 || len(phases) < 5 {
		t.Errorf("%d reports; phases %v", len(reports), slices.Collect(maps.Keys(phases)))
	}
	for i, r := range reports {
		if !r.OK() || r.Audit.Messages < 400 || r.Audit.Orders != 200 || r.Intents != 200 || r.Outcomes != 200 || r.Orders != 200 || r.Clients != parts.AllClients[i] {
			t.Errorf("clients %s: %+v", parts.AllClients[i], r.Report)
		}
		if r.OrdersPerSecond <= 0 || r.BareOrdersPerSecond <= 0 || r.Ratio != r.OrdersPerSecond/r.BareOrdersPerSecond {
			t.Errorf("rates %v, %v, ratio %v", r.OrdersPerSecond, r.BareOrdersPerSecond, r.Ratio)
		}
		for _, p := range []stress.Percentiles{r.PublishToBroker, r.PublishToOutcome} {
			if p.P50 <= 0 || p.P99 < p.P50 || p.P999 < p.P99 {
				t.Errorf("percentiles %+v", p)
			}
		}
		if r.PublishToOutcome.P50 < r.PublishToBroker.P50 {
			t.Errorf("outcomes after %+v, before the broker had the order, %+v", r.PublishToOutcome, r.PublishToBroker)
		}
		if r.WorkerRSS < 5 || len(r.CPU) != 4 || len(r.RSS) != 4 {
			t.Errorf("worker %v MiB, CPU %v, memory %v", r.WorkerRSS, r.CPU, r.RSS)
		}
		if r.Idle == nil || r.Idle.Tenants != 50 {
			t.Errorf("idle %+v", r.Idle)
		}
	}
	var out bytes.Buffer
	stress.Print(&out, reports)
	for _, text := range []string{"own", "shared", "locked", "ratio to the bare loop", "lost", "50 tenants without work"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("nothing of %q in\n%s", text, out.String())
		}
	}
}

// A worker that does nothing loses every order, and the report says so.
func TestLostOrdersAreFound(t *testing.T) {
	linux(t)
	o := options()
	o.Patience = 100 * time.Millisecond
	t.Setenv(lazy, "yes")
	reports, err := stress.Run(t.Context(), o, []parts.Clients{parts.Own})
	if err != nil {
		t.Fatal(err)
	}
	if r := reports[0]; r.OK() || r.Lost != 200 {
		t.Errorf("the worker did nothing, and the report says %+v", r.Report)
	}
}

// The names are a contract with those who read it by machine.
func TestNamesInJSON(t *testing.T) {
	data, err := json.Marshal(stress.Report{Report: proof.Report{}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"orders_per_second", "bare_orders_per_second", "ratio", "lost", "duplicated", "reordered",
		"publish_to_broker_ms", "publish_to_outcome_ms", "worker_cpu_us_per_order", "worker_rss_mib"} {
		if got[name] == nil {
			t.Errorf("no %s in %s", name, data)
		}
	}
	if want := `{"p50":0,"p99":0,"p999":0}`; string(got["publish_to_broker_ms"]) != want {
		t.Errorf("latencies are %s, not %s", got["publish_to_broker_ms"], want)
	}
}

func TestValidate(t *testing.T) {
	for name, bend := range map[string]func(*stress.Options){
		"tenants":      func(o *stress.Options) { o.Tenants = 0 },
		"orders":       func(o *stress.Options) { o.Orders = 0 },
		"shards":       func(o *stress.Options) { o.Shards = 257 },
		"rate":         func(o *stress.Options) { o.Rate = -1 },
		"idle-tenants": func(o *stress.Options) { o.IdleTenants = -1 },
		"clients":      func(o *stress.Options) { o.Clients = "none" },
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			if err := o.Validate(); err != nil {
				t.Fatal(err)
			}
			bend(&o)
			if err := o.Validate(); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestMeasureIsolation: the measurement itself, small.
func TestMeasureIsolation(t *testing.T) {
	o := stress.Options{Tenants: 4, Orders: 5, Clients: parts.Own, Shards: 2, Rate: 200, Patience: 30 * time.Second}
	r, err := stress.MeasureIsolation(t.Context(), o, 500)
	if err != nil {
		t.Fatal(err)
	}
	if r.Orders != r.Rounds*4*5 || r.Backlog < 1 || r.Backlog > 500 || r.Stuck != 1000 || r.FloodDelay != 20 {
		t.Errorf("%+v", r)
	}
	for _, p := range []stress.Percentiles{r.Quiet, r.Troubled, r.FirstQuiet, r.FirstTroubled} {
		if p.P50 <= 0 || p.P99 < p.P50 {
			t.Errorf("percentiles %+v", p)
		}
	}
	if len(r.Ratios) != r.Rounds || !slices.IsSorted(r.Ratios) || r.Ratios[0] <= 0 || r.Ratio != r.Ratios[r.Rounds/2] {
		t.Errorf("ratio %v of %v", r.Ratio, r.Ratios)
	}
	var out bytes.Buffer
	r.Print(&out)
	for _, text := range []string{"20 ms each at the broker", "never at the same time", "first orders, with", "ratio"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("nothing of %q in\n%s", text, out.String())
		}
	}
}

// A measurement that would say nothing is refused.
func TestIsolationRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		backlog int
		bend    func(*stress.Options)
	}{
		"rate":      {1, func(o *stress.Options) { o.Rate = 0 }},
		"first":     {1, func(o *stress.Options) { o.Orders = 1 }},
		"backlog":   {0, func(*stress.Options) {}},
		"not last:": {1, func(*stress.Options) {}}, // it is worked off in no time
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.Tenants, o.Rate = 2, 100
			tc.bend(&o)
			if _, err := stress.MeasureIsolation(t.Context(), o, tc.backlog); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}
