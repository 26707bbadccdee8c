package local

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Report is what a demo found out.
type Report struct {
	Tenants []Row `json:"tenants"`
	proof.Report
}

// Row is a tenant's line of a report.
type Row struct {
	Tenant    string               `json:"tenant"`
	Published int                  `json:"published"`
	Outcomes  map[order.Status]int `json:"outcomes"`
	// P50 and P99 of the time from publish to the broker's answer, in milliseconds; 0 if
	// the broker was never asked.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

// newReport compares the ledgers and sums them up.
func newReport(h proof.History) *Report {
	r := &Report{Report: proof.Check(h)}
	rows, answers := map[string]*Row{}, map[string][]time.Duration{}
	row := func(tenant string) *Row {
		if rows[tenant] == nil {
			rows[tenant] = &Row{Tenant: tenant, Outcomes: map[order.Status]int{}}
		}
		return rows[tenant]
	}
	for _, in := range h.Intents {
		row(in.Tenant).Published++
	}
	for _, o := range h.Outcomes {
		row(o.Tenant).Outcomes[o.Status]++
		if !o.Answered.IsZero() {
			answers[o.Tenant] = append(answers[o.Tenant], o.Answered.Sub(o.Published))
		}
	}
	for tenant, row := range rows {
		p := proof.Percentiles(answers[tenant], 0.5, 0.99)
		row.P50, row.P99 = p[0], p[1]
		r.Tenants = append(r.Tenants, *row)
	}
	slices.SortFunc(r.Tenants, func(a, b Row) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return r
}

// statuses are the columns of the table; the last two are shown only if there are any.
var statuses = []order.Status{order.Accepted, order.Rejected, order.Blocked, order.Expired, order.Invalid, order.Duplicate, order.Failed}

// Print writes a report for people.
func (r *Report) Print(w io.Writer) {
	sum := Row{Tenant: "all", Outcomes: map[order.Status]int{}}
	for _, row := range r.Tenants {
		sum.Published += row.Published
		for s, n := range row.Outcomes {
			sum.Outcomes[s] += n
		}
	}
	shown := slices.DeleteFunc(slices.Clone(statuses), func(s order.Status) bool {
		return (s == order.Duplicate || s == order.Failed) && sum.Outcomes[s] == 0
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "tenant\tpublished\t")
	for _, s := range shown {
		fmt.Fprintf(table, "%s\t", s)
	}
	fmt.Fprintln(table, "p50 ms\tp99 ms\t")
	for _, row := range append(slices.Clone(r.Tenants), sum) {
		fmt.Fprintf(table, "%s\t%d\t", row.Tenant, row.Published)
		for _, s := range shown {
			fmt.Fprintf(table, "%d\t", row.Outcomes[s])
		}
		if row.P99 == 0 {
			fmt.Fprintln(table, "\t\t")
			continue
		}
		fmt.Fprintf(table, "%.1f\t%.1f\t\n", row.P50, row.P99)
	}
	table.Flush() //nolint:errcheck // as any print to w
	verdict := "the broker's own ledger agrees"
	if !r.OK() {
		verdict = "THE BROKER'S OWN LEDGER DISAGREES"
	}
	fmt.Fprintf(w, "\n%s: %d intents, %d outcomes, %d orders; %d lost, %d duplicated, %d reordered, %d contradicted\n",
		verdict, r.Intents, r.Outcomes, r.Orders, r.Lost, r.Duplicated, r.Reordered, r.Contradicted)
	for _, f := range r.Findings {
		fmt.Fprintln(w, "  "+f)
	}
}
