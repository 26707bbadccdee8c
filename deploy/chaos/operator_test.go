package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/shopspring/decimal"
)

// thrown is a throw of the operator, at a second, that shards 0 and 1 confirmed after 1 s, 2 s.
func thrown(begins int, scope registry.Scope, mode tenant.Mode, revision uint64) throw {
	t := throw{name: "one", scope: scope, mode: mode, began: second(begins), revision: revision}
	if mode == tenant.Run {
		t.name = ""
	}
	if revision > 0 {
		t.confirmations = []fleetctl.Confirmation{
			{Shard: 0, Confirmed: true, After: time.Second},
			{Shard: 1, Confirmed: true, After: 2 * time.Second, Open: []string{"t0001"}},
		}
	}
	return t
}

func second(n int) time.Time { return time.Unix(int64(n), 0) }

// Tenants t0000 and t0003 are of desk d0, t0001 of d1; t0001 is of shard 1, the others of shard 0.
func shardOf(name string) int {
	if name == "t0001" {
		return 1
	}
	return 0
}

// TestStops: what the operator did, and was told, comes to the stops that are judged.
func TestStops(t *testing.T) {
	one := registry.OfTenant("t0001")
	unconfirmed := thrown(10, one, tenant.Halt, 5)
	unconfirmed.confirmations[1].Confirmed = false
	lapsing := thrown(10, one, tenant.Pause, 5)
	lapsing.until = second(14)
	resumedUnheard := thrown(20, one, tenant.Run, 6)
	resumedUnheard.confirmations = nil
	for _, tc := range []struct {
		name   string
		throws []throw
		want   []string
	}{
		{"of a tenant", []throw{thrown(10, one, tenant.Halt, 5), thrown(20, one, tenant.Run, 6)}, []string{"t0001 halt from 12 (open) to 20, over 22"}},
		{"of a desk", []throw{thrown(10, registry.OfLabel(deskLabel, "d0"), tenant.Pause, 5), thrown(20, registry.OfLabel(deskLabel, "d0"), tenant.Run, 6)},
			[]string{"t0000 pause from 11 to 20, over 21", "t0003 pause from 11 to 20, over 21"}},
		{"of all", []throw{thrown(10, registry.All, tenant.ReduceOnly, 5), thrown(20, registry.All, tenant.Run, 6)}, []string{
			"t0000 reduce_only from 11 to 20, over 21", "t0001 reduce_only from 12 (open) to 20, over 22",
			"t0002 reduce_only from 11 to 20, over 21", "t0003 reduce_only from 11 to 20, over 21",
		}},
		{"not confirmed", []throw{unconfirmed, thrown(20, one, tenant.Run, 6)}, []string{"t0001 halt to 20, over 22"}},
		{"perhaps not written", []throw{thrown(10, one, tenant.Halt, 0), thrown(20, one, tenant.Run, 6)}, []string{"t0001 halt to 20, over 22"}},
		{"lifted at the second try", []throw{thrown(10, one, tenant.Halt, 5), thrown(20, one, tenant.Run, 0), thrown(30, one, tenant.Run, 7)},
			[]string{"t0001 halt from 12 (open) to 20, over 32"}},
		{"its end confirmed with another's", []throw{thrown(10, one, tenant.Halt, 5), resumedUnheard, thrown(40, registry.All, tenant.Run, 9)},
			[]string{"t0001 halt from 12 (open) to 20, over 42"}},
		{"its end never confirmed", []throw{thrown(10, one, tenant.Halt, 5), resumedUnheard}, []string{"t0001 halt from 12 (open) to 20"}},
		{"over by itself", []throw{lapsing, thrown(40, one, tenant.Run, 9)}, []string{"t0001 pause from 12 (open) to 14, over 14"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := operator{throws: tc.throws}
			var got []string
			for _, s := range o.stops(Options{Tenants: 4}.roles(), shardOf) {
				text := fmt.Sprintf("%s %s", s.Tenant, s.Mode)
				if !s.Confirmed.IsZero() {
					text += fmt.Sprint(" from ", s.Confirmed.Unix())
				}
				if s.Open {
					text += " (open)"
				}
				text += fmt.Sprint(" to ", s.Lifted.Unix())
				if !s.Over.IsZero() {
					text += fmt.Sprint(", over ", s.Over.Unix())
				}
				if !s.Written.Equal(second(10)) {
					t.Errorf("written at %s", s.Written)
				}
				got = append(got, text)
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("got %q, wanted %q", got, tc.want)
			}
		})
	}
}

// TestSwitches: confirmations are counted, those that were not given too, and told apart.
func TestSwitches(t *testing.T) {
	calm := thrown(10, registry.All, tenant.Halt, 5)
	calm.calm, calm.confirmations[0].Confirmed, calm.confirmations[0].Problem = true, false, "nobody answered"
	o := operator{throws: []throw{calm, thrown(20, registry.All, tenant.Run, 6), thrown(30, registry.All, tenant.Halt, 0)}}
	s := o.switches()
	if s.Total != 2 || s.Thrown["one"] != 2 || s.Unsure != 1 || !strings.Contains(s.Problem, "shard 0 (): nobody answered") {
		t.Errorf("%+v", s)
	}
	if s.Calm != (Confirmations{2, 1, 2000, 2000, 2000}) || s.Storm != (Confirmations{2, 2, 2000, 2000, 2000}) {
		t.Errorf("%+v, %+v", s.Calm, s.Storm)
	}
}

// TestTenantsFile: a worker reads who the tenants are, and which limits and switches are theirs.
func TestTenantsFile(t *testing.T) {
	path, o := filepath.Join(t.TempDir(), "tenants.yaml"), Options{Tenants: 11}
	if err := os.WriteFile(path, []byte(o.tenantsFile("127.0.0.1:1")), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := tenant.LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	limits := o.limits()
	for _, r := range o.roles() {
		one, err := file.Lookup(t.Context(), r.name)
		if err != nil || one.Credentials.KeyID != r.name || one.BaseURL != "http://127.0.0.1:1" {
			t.Errorf("%+v: %v", one, err)
		}
		settings, _ := file.Settings(r.name)
		group := settings.Labels[groupLabel]
		if _, limited := limits[r.name]; limited != (group != "") || limited && group != r.group.name {
			t.Errorf("%s is in the group %q", r.name, group)
		}
		if !r.in(registry.OfLabel(deskLabel, settings.Labels[deskLabel])) || r.in(registry.OfLabel(deskLabel, "d9")) || r.in(registry.OfTenant("t0")) {
			t.Errorf("%+v, labels %v", r, settings.Labels)
		}
	}
	if len(file.Names()) != 11 || len(limits) != len(groups)+1 {
		t.Errorf("%d tenants, %d with limits", len(file.Names()), len(limits))
	}
}

// TestControlsShowSomething: a run in which the switch or a limit was put to no test is flawed.
func TestControlsShowSomething(t *testing.T) {
	good := func() *Report {
		r := &Report{Duration: time.Minute}
		r.Stopped = &proof.Stopped{Confirmed: 3, Intents: 10}
		r.Switches.Calm = Confirmations{Asked: 20, Given: 18}
		r.Uses = []proof.Use{{Limit: "max_qty", Tenants: 1, Most: decimal.NewFromInt(10), Allowed: decimal.NewFromInt(10), Refusals: 1}}
		return r
	}
	for _, tc := range []struct {
		name   string
		change func(r *Report)
		flaw   string
	}{
		{"all well", func(*Report) {}, ""},
		{"nobody was stopped", func(r *Report) { r.Stopped = nil }, "nothing of the switch"},
		{"nobody published", func(r *Report) { r.Stopped.Intents = 0 }, "nothing of the switch"},
		{"many unconfirmed", func(r *Report) { r.Switches.Calm.Given, r.Switches.Problem = 17, "frozen" }, "17 of 20 confirmations were given; the last that was not: frozen"},
		{"nothing refused", func(r *Report) { r.Uses[0].Refusals = 0 }, "refused 0 orders"},
		{"a limit far away", func(r *Report) { r.Uses[0].Most = decimal.NewFromInt(8) }, "max_qty of 10"},
		{"a short run", func(r *Report) { r.Duration, r.Stopped = period-1, nil }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := good()
			tc.change(r)
			r.checkControls()
			flaws := strings.Join(r.Flaws, "\n")
			if (tc.flaw == "") != (flaws == "") || !strings.Contains(flaws, tc.flaw) {
				t.Errorf("flaws %q, wanted %q", flaws, tc.flaw)
			}
		})
	}
}
