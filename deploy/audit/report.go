package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Report is the verdict over a stretch. Its names in JSON are part of the contract.
type Report struct {
	Source  string          `json:"source"`
	Stretch history.Stretch `json:"stretch"`
	// AsOf is when the ledger's end was as it was read.
	AsOf time.Time `json:"as_of"`
	// Broker is whose orders were compared; empty if none were.
	Broker string `json:"broker,omitempty"`

	// Messages are those of the stretch, and how many there are of each class.
	Messages int `json:"messages"`
	Intents  int `json:"intents"`
	Outcomes int `json:"outcomes"`
	Updates  int `json:"updates"`
	Controls int `json:"controls"`
	Epochs   int `json:"epochs"`
	// Statuses counts outcomes, those behind the stretch's end of its intents too.
	Statuses map[order.Status]int `json:"statuses"`
	// Earlier is how many outcomes are of intents before the stretch, Later how many of its
	// intents have theirs behind its end.
	Earlier int `json:"earlier"`
	Later   int `json:"later"`
	// Without an outcome, and no violation: Due intents have time left; Held ones wait for the
	// release of their tenant; of Unknown ones the source ends too early to tell.
	Due     int `json:"due"`
	Held    int `json:"held"`
	Unknown int `json:"unknown"`

	// Orders are those at the broker that belong to the stretch; Foreign ones bear no id of a
	// tenant's intent: somebody trades the account beside the fleet. Unjudged ones may be of
	// intents that stand before what the source has.
	Orders   int `json:"orders"`
	Foreign  int `json:"foreign_orders"`
	Unjudged int `json:"unjudged_orders"`

	// Unlisted are the tenants whose orders could not be listed. With any the audit is
	// incomplete: see [Report.Err].
	Unlisted []Unlisted `json:"unlisted_tenants,omitempty"`

	// Violations counts by rule; those that hold are left out.
	Violations map[proof.Rule]int `json:"violations,omitempty"`
	// Findings are the violations, the first thousand of each shard.
	Findings []Finding `json:"findings,omitempty"`

	// Shards are those that have messages in the stretch.
	Shards []Shard `json:"shards"`
	// Digest stands for all that was read of the stretch: equal digests, equal messages. It is
	// the SHA-256 of the shards' numbers, counts and digests.
	Digest string `json:"digest"`
}

// Shard is what was read of a shard.
type Shard struct {
	Shard    int    `json:"shard"`
	Messages int    `json:"messages"`
	First    uint64 `json:"first_seq"`
	Last     uint64 `json:"last_seq"`
	// Digest is a chain over the messages; see [Chain].
	Digest string `json:"digest"`
}

// Finding is a violation.
type Finding struct {
	Rule   proof.Rule  `json:"rule"`
	Class  proof.Class `json:"class"`
	Shard  int         `json:"shard"`
	Tenant string      `json:"tenant,omitempty"`
	// Seqs are the sequence numbers of the messages that it is about, in the shard.
	Seqs []uint64 `json:"seqs"`
	Says string   `json:"says"`
}

// Unlisted is a tenant whose orders at the broker could not be listed, or not all of them.
type Unlisted struct {
	Tenant string `json:"tenant"`
	Why    string `json:"why"`
	// Orders is how many of its accepted orders were not looked for: not judged.
	Orders int `json:"unjudged_orders"`
}

// ErrIncomplete says that an audit could not compare what it was to compare.
var ErrIncomplete = errors.New("the audit is incomplete")

// maxFindings bounds the findings of a shard that are explained.
const maxFindings = 1000

// OK says that nothing was found.
func (r *Report) OK() bool { return len(r.Violations) == 0 }

// Err is nil if the stretch was judged as a whole, and nothing was found. [ErrIncomplete] alone
// says that what was judged is well.
func (r *Report) Err() error {
	var err error
	if !r.OK() {
		err = fmt.Errorf("%d violations", r.Found())
	}
	if len(r.Unlisted) == 0 {
		return err
	}
	incomplete := fmt.Errorf("%w: the orders of %d tenants could not be listed", ErrIncomplete, len(r.Unlisted))
	if err == nil {
		return incomplete
	}
	return fmt.Errorf("%w; %w", err, incomplete)
}

// Found is how many violations there are.
func (r *Report) Found() int {
	n := 0
	for _, of := range r.Violations {
		n += of
	}
	return n
}

// seal sorts the report and computes its digest.
func (r *Report) seal() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), slices.Compare(a.Seqs, b.Seqs), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Says, b.Says))
	})
	slices.SortFunc(r.Unlisted, func(a, b Unlisted) int { return cmp.Compare(a.Tenant, b.Tenant) })
	sum := sha256.New()
	fmt.Fprintln(sum, "orderfleet audit 1")
	for _, s := range r.Shards {
		fmt.Fprintln(sum, s.Shard, s.Messages, s.Digest)
	}
	r.Digest = hex.EncodeToString(sum.Sum(nil))
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SHARD\tMESSAGES\tFROM\tTO\tDIGEST")
	for _, s := range r.Shards {
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%s\n", s.Shard, s.Messages, s.First, s.Last, s.Digest)
	}
	table.Flush() //nolint:errcheck // as any print to w
	fmt.Fprintf(w, "\n%d messages of %s, as of %s: %d intents, %d outcomes, %d updates, %d controls, %d epochs\n",
		r.Messages, r.Source, r.AsOf.Format(time.RFC3339), r.Intents, r.Outcomes, r.Updates, r.Controls, r.Epochs)
	for _, s := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(w, "  %s %d\n", s, r.Statuses[s])
	}
	for _, part := range []struct {
		n    int
		says string
	}{
		{r.Earlier, "outcomes of intents before the stretch: only their order and their owner were judged"},
		{r.Later, "intents have their outcome behind the end of the stretch"},
		{r.Due, "intents are due"},
		{r.Held, "intents wait for the release of their tenant"},
		{r.Unknown, "intents have no outcome in the export, which ends before the ledger did"},
	} {
		if part.n > 0 {
			fmt.Fprintf(w, "%d %s\n", part.n, part.says)
		}
	}
	r.printOrders(w)
	r.printFindings(w)
	fmt.Fprintf(w, "digest %s\n", r.Digest)
}

func (r *Report) printOrders(w io.Writer) {
	if r.Broker == "" {
		fmt.Fprintln(w, "the broker was not asked (--broker): only the fleet's ledger was audited")
		return
	}
	fmt.Fprintf(w, "%d orders at %s\n", r.Orders, r.Broker)
	if r.Foreign > 0 {
		fmt.Fprintf(w, "%d orders there bear no id of an intent: somebody trades beside the fleet\n", r.Foreign)
	}
	if r.Unjudged > 0 {
		fmt.Fprintf(w, "%d orders there may be of intents before the export: they were not judged\n", r.Unjudged)
	}
	for _, u := range r.Unlisted {
		fmt.Fprintf(w, "the orders of tenant %s could not be listed (%s): %d that were accepted were not judged\n", u.Tenant, u.Why, u.Orders)
	}
}

func (r *Report) printFindings(w io.Writer) {
	fmt.Fprintln(w)
	switch {
	case r.OK() && len(r.Unlisted) > 0:
		fmt.Fprintln(w, "no violation in what was judged, which is not all")
		return
	case r.OK():
		fmt.Fprintln(w, "no violation")
		return
	}
	for _, l := range Rules {
		if n := r.Violations[l.Rule]; n > 0 {
			fmt.Fprintf(w, "%s %s: %d %s\n", l.Class, l.Rule, n, l.Says)
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "  shard %d %v %s: %s\n", f.Shard, f.Seqs, f.Rule, f.Says)
	}
	if more := r.Found() - len(r.Findings); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}
