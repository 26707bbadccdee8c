package chaos

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The schedule of five minutes has at least two hundred faults; twenty schedules have every
// kind there is.
func TestPlanHasEverything(t *testing.T) {
	links, kinds, misbehaved := make(map[Link]bool), make(map[string]bool), make(map[string]bool)
	thrown, calmly, lapses := make(map[string]bool), false, false
	for seed := range uint64(20) {
		faults, alone := 0, make(map[string]int)
		for _, f := range Plan(seed, 5*time.Minute) {
			if f.Kind == Join {
				continue
			}
			if f.Lane == Operator {
				thrown[f.Kind] = true
				calm := f.At % period
				calmly, lapses = calmly || f.Alone && calm > storm, lapses || f.Lapses
				continue
			}
			faults++
			links[f.Link], kinds[string(f.Lane)+" "+f.Kind] = true, true
			if f.Alone {
				alone[f.Kind]++
			}
			if m := f.Misbehaviour; m != nil {
				misbehaved[m.Kind+m.When] = true
			}
		}
		if faults < 200 {
			t.Errorf("seed %d has %d faults", seed, faults)
		}
		if alone[Kill] < 5 || alone[Drain] < 5 || alone[Freeze] < 5 {
			t.Errorf("seed %d: in calms %v", seed, alone)
		}
	}
	for _, link := range []Link{WorkerNATS, WorkerBroker, ProducerNATS, NATSNATS} {
		if !links[link] {
			t.Errorf("no fault of %s", link)
		}
	}
	for _, m := range misbehaviours {
		if !misbehaved[m.Kind+m.When] {
			t.Errorf("the broker never does %s %s", m.Kind, m.When)
		}
	}
	if len(thrown) != 3*3 || !calmly || !lapses {
		t.Errorf("the operator throws only %q (in calms: %t; lapsing: %t)", slices.Sorted(maps.Keys(thrown)), calmly, lapses)
	}
	if len(kinds) < 3+5+3+10+1 {
		t.Errorf("only %q", slices.Sorted(maps.Keys(kinds)))
	}
}

// A seed makes one schedule; in a lane no fault begins before the last one has ended, and
// nothing but the one worker, or the operator, disturbs a calm.
func TestPlanIsOrderly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, seconds := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(5, 400).Draw(t, "seconds")
		d := time.Duration(seconds) * time.Second
		plan := Plan(seed, d)
		again := Plan(seed, d)
		free := make(map[Lane]time.Duration)
		for i, f := range plan {
			if f.Name() != again[i].Name() || f.At != again[i].At || f.Pick != again[i].Pick {
				t.Fatalf("the schedule differs: %+v and %+v", f, again[i])
			}
			if f.At < free[f.Lane] || f.For < 0 || f.At+f.For > d {
				t.Fatalf("%+v begins before %s, or outlasts %s", f, free[f.Lane], d)
			}
			free[f.Lane] = f.At + f.For
			if calm := f.At % period; d >= period && f.Kind != Join && !f.Alone && calm+f.For > storm {
				t.Fatalf("%+v is in a calm", f)
			}
		}
	})
}
