package chaos

import (
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// Report is what a run found out. Its names in JSON are part of the contract.
type Report struct {
	Seed     uint64         `json:"seed"`
	Command  string         `json:"command"` // that runs the schedule again
	Duration time.Duration  `json:"duration_ns"`
	Tenants  int            `json:"tenants"`
	Faults   map[string]int `json:"faults"` // injected, by kind
	Injected int            `json:"injected"`
	Missed   int            `json:"missed"` // not injected: there was nothing to strike, or their lane was late
	proof.Report
	// Flaws are what is wrong with the run beside the rules of the judge.
	Flaws    []string             `json:"flaws,omitempty"`
	Statuses map[order.Status]int `json:"statuses"` // of outcomes
	// Recovered is how many intents were found at the broker after an answer, or a worker,
	// was lost.
	Recovered int `json:"recovered"`
	// SecondRequests is how many requests the broker got for an id beyond the first, and
	// SecondAttempts the share of ids that are so. With its duplicate check off, only the
	// lookups keep them from becoming second orders.
	SecondRequests int     `json:"second_requests"`
	SecondAttempts float64 `json:"second_attempts"`

	Refused int `json:"publishes_refused"` // and tried again
	Unknown int `json:"publishes_unknown"` // given up without an acknowledgement

	// Started is how many workers were started, Restarted how many of them in the place
	// of one that ended by itself, LastEnd what the last of those said.
	Started   int    `json:"workers_started"`
	Restarted int    `json:"workers_restarted"`
	LastEnd   string `json:"last_end,omitempty"`
	// Logs is the directory of stores and logs; empty if it was removed.
	Logs string `json:"logs,omitempty"`

	// Switches is what the operator did; what came of it is in Stopped and Uses.
	Switches Switches `json:"switches"`

	// Recoveries by kind of fault: those in calms first.
	Recoveries []Recovery `json:"recoveries"`
	// UnaffectedWorst is the longest wait, in milliseconds, of an order of a tenant whose
	// worker stayed, after another left in a calm.
	UnaffectedWorst float64 `json:"unaffected_worst_ms"`
	// Departures are the ends of workers in calms, in the order of time.
	Departures []Departure `json:"departures"`
}

// newReport draws a report from a history and the faults in it.
func newReport(o Options, h proof.History, events []*Event, shardOf func(string) int) *Report {
	r := &Report{
		Seed: o.Seed, Command: o.Command(), Duration: o.Duration, Tenants: o.Tenants,
		Faults: make(map[string]int), Injected: len(events),
		Report:   proof.Check(h),
		Statuses: make(map[order.Status]int),
	}
	for _, e := range events {
		r.Faults[e.Fault]++
	}
	for _, out := range h.Outcomes {
		r.Statuses[out.Status]++
		if out.Recovered {
			r.Recovered++
		}
	}
	requests, repeated := make(map[string]int), 0
	for _, a := range h.Arrivals {
		if requests[a.ClientOrderID]++; requests[a.ClientOrderID] == 2 {
			repeated++
		}
	}
	r.SecondRequests = len(h.Arrivals) - len(requests)
	if len(requests) > 0 {
		r.SecondAttempts = float64(repeated) / float64(len(requests))
	}
	t := newTimeline(h, shardOf)
	r.Recoveries = t.recoveries(events)
	for _, e := range events {
		if !e.Alone {
			continue
		}
		r.addDeparture(e.departure())
		r.UnaffectedWorst = max(r.UnaffectedWorst, millis(t.worstOfOthers(e)))
	}
	r.checkTrade()
	return r
}

// OK says whether every rule holds, and the run is one that shows it.
func (r *Report) OK() bool { return r.Report.OK() && len(r.Flaws) == 0 }

func (r *Report) flaw(format string, args ...any) {
	r.Flaws = append(r.Flaws, fmt.Sprintf(format, args...))
}

// checkTrade: a run in which hardly anything was traded shows nothing. What switches and limits
// refused is judged by itself.
func (r *Report) checkTrade() {
	if r.Acknowledged == 0 {
		r.flaw("no publish was acknowledged")
	}
	let := r.Outcomes - r.Statuses[order.Blocked]
	if accepted := r.Statuses[order.Accepted]; 2*accepted < let {
		r.flaw("only %d of %d outcomes that no rule blocked are accepted, less than half", accepted, let)
	}
	if 3*let < r.Outcomes {
		r.flaw("%d of %d outcomes are blocked, more than two thirds", r.Outcomes-let, r.Outcomes)
	}
}

// nearly is which part of a limit has to be used by somebody, or it was no limit.
var nearly = decimal.RequireFromString("0.9")

// checkControls: in a run with calms switches are confirmed, but for a few, and limits are used,
// and refuse.
func (r *Report) checkControls() {
	if r.Duration < period {
		return
	}
	switch calm := r.Switches.Calm; {
	case r.Stopped == nil || r.Stopped.Confirmed == 0 || r.Stopped.Intents == 0:
		r.flaw("nobody published anything while it was stopped: the run shows nothing of the switch")
	case 10*calm.Given < 9*calm.Asked:
		r.flaw("in calms only %d of %d confirmations were given; the last that was not: %s", calm.Given, calm.Asked, r.Switches.Problem)
	}
	for _, u := range r.Uses {
		if u.Refusals == 0 || u.Most.LessThan(u.Allowed.Mul(nearly)) {
			r.flaw("the limit %s of %s refused %d orders, and the most that somebody had is %s: the run shows nothing of it", u.Limit, u.Allowed, u.Refusals, u.Most)
		}
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
