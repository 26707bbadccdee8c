package session

import (
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// TestGoOn: the session that goes on after a set-aside tells of the wait that was begun, and
// of the one for a place that came behind it.
func TestGoOn(t *testing.T) {
	from := time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return from.Add(time.Duration(s) * time.Second) }
	limit := func(until int) order.Wait {
		return order.Wait{Why: order.WhyRateLimit, From: from, Until: at(until), Aside: true}
	}
	place := func(since, until int) order.Wait {
		return order.Wait{Why: order.WhyPlace, From: at(since), Until: at(until), Aside: true}
	}
	for _, tc := range []struct {
		name      string
		aside     order.Wait
		wake, now int
		want      []order.Wait
	}{
		{"in time", order.Wait{Why: order.WhyRateLimit, From: from}, 5, 5, []order.Wait{limit(5)}},
		{"early", order.Wait{Why: order.WhyRateLimit, From: from}, 5, 3, []order.Wait{limit(3)}},
		{"late", order.Wait{Why: order.WhyRateLimit, From: from}, 5, 9, []order.Wait{limit(5), place(5, 9)}},
		{"not set aside", order.Wait{}, 5, 9, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := course{aside: tc.aside}
			c.goOn(at(tc.wake), at(tc.now))
			var got []order.Wait
			if c.told != nil {
				got = c.told.Waits
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("told %v, wanted %v", got, tc.want)
			}
			c.goOn(at(tc.wake), at(tc.now)) // told once
			if c.told != nil && len(c.told.Waits) != len(tc.want) {
				t.Errorf("told again: %v", c.told.Waits)
			}
		})
	}
}

// TestOneRequestIsNotTold: of an intent that goes through at its first request the course
// tells nothing, and takes nothing from the heap; what comes later brings it in.
func TestOneRequestIsNotTold(t *testing.T) {
	now := time.Now()
	accepted := broker.Verdict{Kind: broker.Accepted, HTTPStatus: 200, Submitted: now, Answered: now}
	if n := testing.AllocsPerRun(100, func() {
		var c course
		c.waited(order.Wait{Why: order.WhyBackOff, From: now, Until: now.Add(worthTelling - 1)})
		c.tried(order.CallPlace, accepted)
		if c.told != nil {
			t.Error("told")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for _, tc := range []struct {
		name string
		call order.Call
		kind broker.VerdictKind
		told bool
	}{
		{"refused", order.CallPlace, broker.Rejected, false},
		{"answer lost", order.CallPlace, broker.Unknown, true},
		{"not sent", order.CallReplace, broker.Unsent, true},
		{"a lookup", order.CallLookup, broker.Found, true},
	} {
		var c course
		c.tried(tc.call, broker.Verdict{Kind: tc.kind})
		if (c.told != nil) != tc.told {
			t.Errorf("%s: told %v", tc.name, c.told)
		}
		c.waited(order.Wait{Why: order.WhyBackOff, From: now, Until: now.Add(time.Second)})
		if len(c.told.Tries) != 1 || len(c.told.Waits) != 1 {
			t.Errorf("%s and a wait: told %+v", tc.name, c.told)
		}
	}
}
