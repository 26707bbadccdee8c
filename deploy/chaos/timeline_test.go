package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

var noon = time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// lived is a history in which tenants published and were served at these milliseconds.
func lived(of map[string][][2]int) proof.History {
	var h proof.History
	for tenant, orders := range of {
		for n, o := range orders {
			in := proof.Intent{Tenant: tenant, At: at(o[0])}
			in.ID = fmt.Sprint(n)
			h.Intents = append(h.Intents, in)
			h.Arrivals = append(h.Arrivals, proof.Arrival{ClientOrderID: order.ClientOrderID(tenant, in.ID), Time: at(o[1])})
		}
	}
	return h
}

// A run in which little was traded is no proof.
func TestNothingTraded(t *testing.T) {
	for _, tc := range []struct {
		name     string
		receipts int
		statuses []order.Status
		flaws    int
	}{
		{"half accepted", 2, []order.Status{order.Accepted, order.Expired}, 0},
		{"less than half accepted", 3, []order.Status{order.Accepted, order.Expired, order.Rejected}, 1},
		{"nothing acknowledged", 0, []order.Status{order.Accepted}, 1},
		{"nothing at all", 0, nil, 1},
		{"nothing accepted", 1, []order.Status{order.Failed}, 1},
		{"much blocked", 3, []order.Status{order.Accepted, order.Blocked, order.Blocked}, 0},
		{"nearly all blocked", 4, []order.Status{order.Accepted, order.Blocked, order.Blocked, order.Blocked}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := proof.History{Receipts: make([]proof.Receipt, tc.receipts)}
			for _, status := range tc.statuses {
				h.Outcomes = append(h.Outcomes, proof.Outcome{Outcome: order.Outcome{Status: status}})
			}
			if r := newReport(Options{}, h, nil, nil); len(r.Flaws) != tc.flaws {
				t.Errorf("%q", r.Flaws)
			}
		})
	}
}

// TestRecoveries: a worker that holds shard 0 is killed at second 10, in a calm.
func TestRecoveries(t *testing.T) {
	shards := map[string]int{"a": 0, "b": 0, "stuck": 0, "idle": 0, "late": 0, "other": 1}
	h := lived(map[string][][2]int{
		"a":     {{9000, 9001}, {9990, 11000}, {10500, 11001}}, // waits a second from the kill on
		"b":     {{9500, 9501}, {10800, 11000}},                // its order waits 200 ms
		"stuck": {{8000, 15000}},                               // was waiting before
		"idle":  {{2000, 2001}, {14000, 14001}},                // had nothing to send
		"other": {{10100, 10400}},
	})
	// "late" had an order that nobody sent, from second 10.2 until it expired at 11.5.
	late := proof.Intent{Tenant: "late", Seq: 7, At: at(10200)}
	late.ID, late.ExpiresAt = "x", at(11500)
	h.Intents = append(h.Intents, late)
	h.Outcomes = append(h.Outcomes, proof.Outcome{Tenant: "late", Outcome: order.Outcome{IntentSeq: 7, Status: order.Expired}})
	e := &Event{At: at(10000), Target: "w", kind: Kill, Alone: true, held: []int{0}, before: []string{"w", "x"}, after: []string{"x", "x"}}
	timeline := newTimeline(h, func(tenant string) int { return shards[tenant] })
	all := timeline.recoveries([]*Event{e, {At: at(10000), kind: Hole}})
	want := Recovery{Kind: Kill, Alone: true, Events: 1, Tenants: 5, Idle: 1, Waiting: 1, WaitP50: 1000, WaitP99: 1300, WaitMax: 1300, SilenceP50: 1999, SilenceP99: 1999}
	if len(all) != 1 || all[0] != want {
		t.Errorf("got  %+v\nwant %+v", all, want)
	}
	if worst := timeline.worstOfOthers(e); worst != 300*time.Millisecond {
		t.Errorf("the worst of the others is %s", worst)
	}
	r := newReport(Options{}, h, []*Event{e}, func(tenant string) int { return shards[tenant] })
	left := Departure{At: e.At, Kind: Kill, Worker: "w", Held: 1, Moved: 1}
	if len(r.Departures) != 1 || r.Departures[0] != left || r.UnaffectedWorst != 300 || r.Injected != 1 {
		t.Errorf("%+v", r)
	}
}

// Orders that the operator held up tell nothing of how long a worker kept them waiting, nor does
// the silence of a tenant that its limits keep silent.
func TestStoppedTenantsDoNotWait(t *testing.T) {
	h := lived(map[string][][2]int{
		"paused":  {{9000, 9001}, {10100, 13000}, {13500, 13501}},
		"limited": {{9000, 9001}, {10100, 10200}},
		"free":    {{9000, 9001}, {10100, 10200}},
	})
	h.Stops = []proof.Stop{{Tenant: "paused", Written: at(10500), Lifted: at(12900), Over: at(12950)}}
	h.Limits = map[string]tenant.Limits{"limited": {OrdersPerMinute: 1}}
	e := &Event{At: at(10000), kind: Kill, held: []int{0}, before: []string{"w"}}
	want := Recovery{Kind: Kill, Events: 1, Tenants: 3, Idle: 1, WaitP50: 100, WaitP99: 100, WaitMax: 100, SilenceP50: 1199, SilenceP99: 1199}
	if got := newTimeline(h, func(string) int { return 0 }).recoveries([]*Event{e}); len(got) != 1 || got[0] != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A shard may move only from the worker that left; who keeps a shard is counted.
func TestDepartures(t *testing.T) {
	e := &Event{At: noon, Target: "w", kind: Drain, Alone: true, before: []string{"w", "w", "x", "y"}, after: []string{"x", "w", "y", "y"}}
	d := e.departure()
	if want := (Departure{noon, Drain, "w", 2, 1, 1, 1}); d != want {
		t.Errorf("got  %+v\nwant %+v", d, want)
	}
	var r Report
	r.addDeparture(Departure{Held: 1, Moved: 1})
	if len(r.Flaws) != 0 {
		t.Errorf("%q", r.Flaws)
	}
	if r.addDeparture(d); len(r.Flaws) != 1 || !strings.Contains(r.Flaws[0], "1 shards moved that w did not hold") {
		t.Errorf("%q", r.Flaws)
	}
}
