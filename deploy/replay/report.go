package replay

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Row is an intent in a report: what was asked, and what became of it.
type Row struct {
	At       time.Time         `json:"at"` // when the ledger took it
	Tenant   string            `json:"tenant"`
	Shard    int               `json:"shard"`
	Seq      uint64            `json:"seq"`
	IntentID string            `json:"intent_id,omitzero"`
	Kind     order.Kind        `json:"kind,omitzero"`
	What     string            `json:"what"`
	Target   string            `json:"target,omitzero"`
	RetryOf  string            `json:"retry_of,omitzero"`
	Labels   map[string]string `json:"labels,omitempty"`
	// Status is what became of it; [Due] if nothing did yet.
	Status        order.Status `json:"status"`
	OutcomeSeq    uint64       `json:"outcome_seq,omitzero"`
	Took          string       `json:"took,omitzero"` // from At to the outcome
	HTTPStatus    int          `json:"http_status,omitzero"`
	Code          int          `json:"code,omitzero"`
	Rule          string       `json:"rule,omitzero"`
	DuplicateOf   uint64       `json:"duplicate_of,omitzero"`
	Message       string       `json:"message,omitzero"`
	Attempts      int          `json:"attempts,omitzero"`
	Recovered     bool         `json:"recovered,omitzero"`
	BrokerOrderID string       `json:"broker_order_id,omitzero"`
	ClientOrderID string       `json:"client_order_id,omitzero"`
	Fill
}

// Due stands for the status of an intent that has no outcome.
const Due order.Status = "due"

// Row is the intent's row of a report.
func (a *Asked) Row() Row {
	r := Row{At: a.At, Tenant: a.Tenant, Shard: a.Shard, Seq: a.Seq, IntentID: a.ID, What: a.What(), Status: Due, Fill: a.Filled()}
	if in := a.Intent; in != nil {
		r.Kind, r.Target, r.RetryOf, r.Labels = in.Kind, in.Target, in.RetryOf, in.Labels
	}
	if o := a.Outcome; o != nil {
		r.Status, r.OutcomeSeq, r.HTTPStatus, r.Code, r.Rule = o.Status, a.OutcomeSeq, o.HTTPStatus, o.Code, o.Rule
		r.DuplicateOf, r.Message, r.Attempts, r.Recovered = o.DuplicateOf, o.Message, o.Attempts, o.Recovered
		r.BrokerOrderID, r.ClientOrderID = o.BrokerOrderID, o.ClientOrderID
		if !o.Committed.IsZero() {
			r.Took = o.Committed.Sub(a.At).Round(time.Microsecond).String()
		}
	}
	return r
}

// filled says in a few words how far its order was filled.
func (f Fill) filled() string {
	switch {
	case f.Qty == nil || f.Qty.IsZero():
		return f.Status
	case f.AvgPrice == nil:
		return fmt.Sprintf("%s %s", f.Status, f.Qty)
	}
	return fmt.Sprintf("%s %s at %s", f.Status, f.Qty, f.AvgPrice)
}

// why says in a few words what stands behind a status.
func (r *Row) why() string {
	var all []string
	if r.HTTPStatus >= 300 {
		all = append(all, fmt.Sprintf("HTTP %d", r.HTTPStatus))
	}
	if r.Code != 0 {
		all = append(all, fmt.Sprint(r.Code))
	}
	all = append(all, words(r.Rule, r.Message)...)
	if r.Recovered {
		all = append(all, "found at the broker")
	}
	return strings.Join(all, " ")
}

// Totals sum a replay up.
type Totals struct {
	Intents int `json:"intents"`
	Tenants int `json:"tenants"`
	// First and Last are when the ledger took the first and the last intent; nil without any.
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
	// Statuses is how many ended how, [Due] among them.
	Statuses map[order.Status]int `json:"statuses"`
	// Filled and Partly are how many orders the ledger says were filled to the end, and not
	// to the end.
	Filled int `json:"filled"`
	Partly int `json:"partly_filled"`
}

// Sum sums up what was asked.
func Sum(all []*Asked) Totals {
	t := Totals{Intents: len(all), Statuses: make(map[order.Status]int)}
	tenants := make(map[string]bool)
	for _, a := range all {
		tenants[a.Tenant] = true
		status := a.Status()
		if status == "" {
			status = Due
		}
		t.Statuses[status]++
		switch f := a.Filled(); {
		case f.Status == "filled":
			t.Filled++
		case f.Qty != nil && f.Qty.IsPositive():
			t.Partly++
		}
	}
	t.Tenants = len(tenants)
	if len(all) > 0 {
		t.First, t.Last = &all[0].At, &all[len(all)-1].At
	}
	return t
}

// statuses is their order in what people read.
var statuses = []order.Status{order.Accepted, order.Rejected, order.Blocked, order.Expired, order.Duplicate, order.Invalid, order.Failed, Due}

func (t Totals) String() string {
	if t.Intents == 0 {
		return "nothing was asked"
	}
	return fmt.Sprintf("%d intents of %d tenants from %s to %s: %s; %d orders filled, %d in part", t.Intents, t.Tenants,
		t.First.UTC().Format(time.RFC3339), t.Last.UTC().Format(time.RFC3339), Ends(t.Statuses), t.Filled, t.Partly)
}

// Ends says for people how many ended how.
func Ends(n map[order.Status]int) string {
	var all []string
	for _, s := range statuses {
		if n[s] > 0 {
			all = append(all, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	return strings.Join(all, ", ")
}

// Table writes rows for people, one at a time, as they are due.
type Table struct {
	w      io.Writer
	widths []int
	begun  bool
}

var columns = []string{"TIME", "TENANT", "SEQ", "INTENT", "ASKED", "BECAME", "FILLED", "WHY"}

// cells of a row.
func (r *Row) cells() []string {
	return []string{
		r.At.UTC().Format("2006-01-02T15:04:05.000Z"), printable(r.Tenant), fmt.Sprintf("%d/%d", r.Shard, r.Seq), printable(r.IntentID),
		printable(r.What), string(r.Status), printable(r.filled()), printable(r.why()),
	}
}

// maxText bounds what is printed of a text, in bytes.
const maxText = 400

// printable keeps what strangers wrote, names of tenants among it, from moving about on a
// terminal.
func printable(s string) string { return ledger.Printable(s, maxText) }

// NewTable makes a table with room for all that will be written.
func NewTable(w io.Writer, all []*Asked) *Table {
	t := &Table{w: w, widths: make([]int, len(columns))}
	lines := [][]string{columns}
	for _, a := range all {
		r := a.Row()
		lines = append(lines, r.cells())
	}
	for _, line := range lines {
		for i, cell := range line {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	return t
}

// Add writes a row, behind the head if it is the first one.
func (t *Table) Add(r Row) error {
	if !t.begun {
		t.begun = true
		if err := t.line(columns); err != nil {
			return err
		}
	}
	return t.line(r.cells())
}

func (t *Table) line(cells []string) error {
	var b strings.Builder
	for i, cell := range cells {
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell)+2))
		}
	}
	if _, err := fmt.Fprintln(t.w, strings.TrimRight(b.String(), " ")); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	return nil
}

// Missing are those tenants of whom nothing was asked in the selection.
func Missing(s Selection, all []*Asked) []string {
	var missing []string
	for _, tenant := range s.Tenants {
		if !slices.ContainsFunc(all, func(a *Asked) bool { return a.Tenant == tenant }) {
			missing = append(missing, tenant)
		}
	}
	return missing
}
