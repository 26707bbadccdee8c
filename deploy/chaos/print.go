package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Print writes a report for people.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%d faults in %s (%d more found nothing to strike, or came too late) over %d tenants, seed %d\n\n", r.Injected, r.Duration, r.Missed, r.Tenants, r.Seed)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, kind := range slices.Sorted(maps.Keys(r.Faults)) {
		fmt.Fprintf(table, "  %s\t%d\n", kind, r.Faults[kind])
	}
	table.Flush() //nolint:errcheck // as any print to w

	fmt.Fprintf(w, "\n%d publishes acknowledged (%d tried again, %d given up), %d intents, %d outcomes: ", r.Acknowledged, r.Refused, r.Unknown, r.Intents, r.Outcomes)
	var ends []string
	for _, s := range []order.Status{order.Accepted, order.Rejected, order.Expired, order.Duplicate, order.Blocked, order.Invalid, order.Failed} {
		if n := r.Statuses[s]; n > 0 {
			ends = append(ends, fmt.Sprintf("%d %s", n, s))
		}
	}
	fmt.Fprintf(w, "%s; %d recovered\n", strings.Join(ends, ", "), r.Recovered)
	fmt.Fprintf(w, "%d orders; %d requests beyond the first of their id: %.3f%% of orders were attempted again\n", r.Orders, r.SecondRequests, 100*r.SecondAttempts)
	fmt.Fprintf(w, "%d workers started, %d of them after one ended by itself", r.Started, r.Restarted)
	if r.LastEnd != "" {
		fmt.Fprintf(w, " (the last said: %s)", r.LastEnd)
	}
	fmt.Fprintln(w)
	r.printControls(w)
	r.printRecoveries(w)
	r.printVerdict(w)
}

func (r *Report) printControls(w io.Writer) {
	s := &r.Switches
	var thrown []string
	for _, what := range slices.Sorted(maps.Keys(s.Thrown)) {
		thrown = append(thrown, fmt.Sprintf("%d %s", s.Thrown[what], what))
	}
	fmt.Fprintf(w, "\nthe switch was thrown %d times (%s); %d may not have been written\n", s.Total, strings.Join(thrown, ", "), s.Unsure)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "confirmations amid\tasked\tgiven\tp50 ms\tp99\tmost\t")
	for _, c := range []struct {
		amid string
		Confirmations
	}{{"faults", s.Storm}, {"calm", s.Calm}} {
		fmt.Fprintf(table, "%s\t%d\t%d\t%.0f\t%.0f\t%.0f\t\n", c.amid, c.Asked, c.Given, c.P50, c.P99, c.Max)
	}
	table.Flush() //nolint:errcheck // as any print to w
	if n := r.Stopped; n != nil {
		fmt.Fprintf(w, "of stopped tenants, after the confirmation: %d intents published, %d blocked, %d waited; %d orders arrived (%d more that the confirmation had named)\n",
			n.Intents, n.Blocked, n.Waited, r.Violations[proof.Unstopped], n.Excused)
	}
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "limit\ttenants\tallowed\tmost at the broker\trefused\t")
	for _, u := range r.Uses {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%d\t\n", u.Limit, u.Tenants, u.Allowed, u.Most, u.Refusals)
	}
	table.Flush() //nolint:errcheck // as any print to w
}

func (r *Report) printRecoveries(w io.Writer) {
	fmt.Fprintln(w, `
how long tenants were not served when their worker left, in ms; of a tenant's orders
  wait     the longest from the fault, or its publish if that was later, to the broker, or to its expiry
  silence  from the last at the broker before the fault to the first after it: the wait, and having nothing to send
idle tenants had no order to send, waiting ones were not served already before; both are in no figure`)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "worker\tamid\tevents\ttenants\tidle\twaiting\twait p50\tp99\tmost\tsilence p50\tp99\t")
	for _, c := range r.Recoveries {
		amid := "faults"
		if c.Alone {
			amid = "calm"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t\n", c.Kind, amid, c.Events, c.Tenants, c.Idle, c.Waiting, c.WaitP50, c.WaitP99, c.WaitMax, c.SilenceP50, c.SilenceP99)
	}
	table.Flush() //nolint:errcheck // as any print to w
	fmt.Fprintf(w, "in calms: worst wait of an unaffected tenant %.0f ms\n", r.UnaffectedWorst)
	r.printDepartures(w)
}

func (r *Report) printDepartures(w io.Writer) {
	fmt.Fprintln(w, "\nshards of workers that left in calms; no others may move:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  at\tworker\t\theld\tmoved\tstayed\tothers moved")
	for _, d := range r.Departures {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%d\t%d\t%d\t%d\n", d.At.UTC().Format(time.RFC3339), d.Worker, d.Kind, d.Held, d.Moved, d.Stayed, d.Others)
	}
	table.Flush() //nolint:errcheck // as any print to w
}

func (r *Report) printVerdict(w io.Writer) {
	verdict := "every rule holds"
	switch {
	case !r.Report.OK():
		verdict = "RULES WERE BROKEN"
	case !r.OK():
		verdict = "THE RUN IS FLAWED"
	}
	fmt.Fprintf(w, "\n%s: %d lost, %d duplicated, %d reordered, %d contradicted; %d failed\n", verdict, r.Lost, r.Duplicated, r.Reordered, r.Contradicted, r.Failed)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, law := range proof.Rules {
		fmt.Fprintf(table, "  %s\t%d\t%s\n", law.Class, r.Violations[law.Rule], law.Says)
	}
	table.Flush() //nolint:errcheck // as any print to w
	for _, f := range r.Findings {
		fmt.Fprintln(w, "  "+f)
	}
	for _, f := range r.Flaws {
		fmt.Fprintln(w, "  the run: "+f)
	}
	for _, f := range r.Failures {
		fmt.Fprintln(w, "  failed: "+f)
	}
	if r.Logs != "" {
		fmt.Fprintf(w, "\nstores and logs are in %s\n", r.Logs)
	}
	fmt.Fprintf(w, "\nthe same schedule again: %s\n", r.Command)
}
