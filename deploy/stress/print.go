package stress

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/orderfleet/orderfleet/deploy/parts"
)

// Print writes reports for people, side by side.
func Print(w io.Writer, reports []Report) {
	first := reports[0]
	fmt.Fprintf(w, "%d orders of %d tenants, published at once; the bare SDK loop with %d goroutines: %.0f orders/s\n\n",
		first.Intents, first.Tenants, bareGoroutines, first.BareOrdersPerSecond)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name, format string, value func(Report) any) {
		fmt.Fprintf(table, "%s\t", name)
		for _, r := range reports {
			fmt.Fprintf(table, format+"\t", value(r))
		}
		fmt.Fprintln(table)
	}
	row("clients", "%s", func(r Report) any { return r.Clients })
	row("orders/s", "%.0f", func(r Report) any { return r.OrdersPerSecond })
	row("ratio to the bare loop", "%.2f", func(r Report) any { return r.Ratio })
	row("publish to broker, ms p50", "%.1f", func(r Report) any { return r.PublishToBroker.P50 })
	row("p99", "%.1f", func(r Report) any { return r.PublishToBroker.P99 })
	row("p99.9", "%.1f", func(r Report) any { return r.PublishToBroker.P999 })
	row("publish to outcome, ms p50", "%.1f", func(r Report) any { return r.PublishToOutcome.P50 })
	row("p99", "%.1f", func(r Report) any { return r.PublishToOutcome.P99 })
	row("p99.9", "%.1f", func(r Report) any { return r.PublishToOutcome.P999 })
	row("worker CPU, us an order", "%.0f", func(r Report) any { return r.WorkerCPU })
	for _, name := range []string{parts.NATS, parts.Paper, parts.Worker, "producer"} {
		row(name+" CPU, s", "%.1f", func(r Report) any { return r.CPU[name] })
		row(name+" memory, MiB", "%.0f", func(r Report) any { return r.RSS[name] })
	}
	row("second attempts, %", "%.3f", func(r Report) any { return 100 * r.SecondAttempts })
	row("lost", "%d", func(r Report) any { return r.Lost })
	row("duplicated", "%d", func(r Report) any { return r.Duplicated })
	row("reordered", "%d", func(r Report) any { return r.Reordered })
	row("contradicted", "%d", func(r Report) any { return r.Contradicted })
	row("violations in the audit", "%d", func(r Report) any {
		if r.Audit == nil {
			return 0
		}
		return r.Audit.Found()
	})
	table.Flush() //nolint:errcheck // as any print to w
	if i := first.Idle; i != nil {
		fmt.Fprintf(w, "\n%d tenants without work: %.1f MiB, %d goroutines more; the worker uses %.2f%% of a core\n", i.Tenants, i.RSS, i.Goroutines, i.CPU)
	}
	for _, r := range reports {
		for _, f := range slices.Compact(r.Findings) {
			fmt.Fprintf(w, "%s: %s\n", r.Clients, f)
		}
		if r.Audit == nil {
			continue
		}
		for _, f := range r.Audit.Findings {
			fmt.Fprintf(w, "%s: audit: %s: %s\n", r.Clients, f.Rule, f.Says)
		}
	}
}
