package fleetctl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Failed is an intent that ended as failed: somebody has to look.
type Failed struct {
	Tenant string `json:"tenant"`
	Shard  int    `json:"shard"`
	// Seq is the intent's sequence number, OutcomeSeq that of its outcome.
	Seq        uint64        `json:"seq"`
	OutcomeSeq uint64        `json:"outcome_seq"`
	Outcome    order.Outcome `json:"outcome"`
	// Intent is what was asked; nil if retention has removed it.
	Intent *order.Intent `json:"intent,omitempty"`
	// Retries are the intents that drove it again, with what became of each; an empty
	// status is one that is still due.
	Retries []*Retry `json:"retries,omitempty"`
	// Dropped is an operator's word that it is not to be driven again; nil if there is none.
	Dropped *order.Control `json:"dropped,omitempty"`
}

// Retry is an intent that drives another one again.
type Retry struct {
	ID     string       `json:"id"`
	Seq    uint64       `json:"seq"`
	Status order.Status `json:"status,omitempty"`
}

// Settled says that nobody has to look any more: the intent was dropped, or a retry found
// out, or is about to, what became of it.
func (f *Failed) Settled() bool {
	return f.Dropped != nil || slices.ContainsFunc(f.Retries, func(r *Retry) bool { return r.Status != order.Failed && r.Status != order.Expired })
}

// Filter says which failed intents are meant.
type Filter struct {
	Tenant string   // empty for all
	IDs    []string // of intents; empty for all
	// Since and Until bound when the outcome was written; zero is no bound.
	Since, Until time.Time
	// Labels are those that the intent bears, with these values, and Symbol is what its order
	// is of. What retention has removed bears none.
	Labels map[string]string
	Symbol string
	// All lists also those that are settled.
	All bool
}

// Narrow says whether the filter leaves anything out but what is settled.
func (f Filter) Narrow() bool {
	return f.Tenant != "" || len(f.IDs) > 0 || !f.Since.IsZero() || !f.Until.IsZero() || len(f.Labels) > 0 || f.Symbol != ""
}

// ListFailed reads the failed intents in the order of their outcomes, shard by shard. It
// reads the whole ledger of the shards in question, and tells progress.
func ListFailed(ctx context.Context, l *ledger.Ledger, f Filter, progress func(phase string, done, of int)) ([]Failed, error) {
	var all []Failed
	for shard := range l.Shards() {
		if f.Tenant != "" && l.ShardOf(f.Tenant) != shard {
			continue
		}
		found, err := failedOf(ctx, l, shard, f, progress)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// reading is the failed intents of one shard, as far as it is read.
type reading struct {
	shard  int
	filter Filter
	found  []*Failed
	byID   map[string]*Failed // by client order id
	retry  map[string]*Retry  // by tenant and intent id, joined as client order ids are

	// first is the client order id that an intent bears which drives another one again, by
	// tenant and its own id; dropped is what was said of those that bear a client order id.
	first   map[string]string
	dropped map[string]*order.Control
}

// client is the client order id that a tenant's intent bears.
func (r *reading) client(tenant, id string) string {
	own := order.ClientOrderID(tenant, id)
	return cmp.Or(r.first[own], own)
}

func failedOf(ctx context.Context, l *ledger.Ledger, shard int, f Filter, progress func(string, int, int)) ([]Failed, error) {
	end, err := l.End(ctx, shard)
	if err != nil || end == 0 {
		return nil, err
	}
	r := &reading{
		shard: shard, filter: f, byID: make(map[string]*Failed), retry: make(map[string]*Retry),
		first: make(map[string]string), dropped: make(map[string]*order.Control),
	}
	err = l.Read(ctx, shard, ledger.Start{}, end, func(e ledger.Entry) error {
		progress("reading "+ledger.StreamName(shard), int(e.Seq), int(end))
		if f.Tenant == "" || e.Tenant == f.Tenant {
			return r.take(e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.complete(ctx, l)
}

// take looks at one message.
func (r *reading) take(e ledger.Entry) error {
	switch e.Class {
	case ledger.Intents:
		if !bytes.Contains(e.Data, []byte(`"retry_of"`)) {
			return nil
		}
		if in, err := order.DecodeIntent(e.Data); err == nil && in.RetryOf != "" { // what cannot be read drives nothing again
			r.driven(e, in)
		}
	case ledger.Controls:
		if c, err := order.DecodeControl(e.Data); err == nil && c.Verb == order.Drop {
			r.dropped[r.client(e.Tenant, c.IntentID)] = &c
		}
	case ledger.Outcomes:
		if len(r.retry) == 0 && !bytes.Contains(e.Data, []byte(`"failed"`)) {
			return nil // most of a ledger; reading them would take most of the time
		}
		o, err := order.DecodeOutcome(e.Data)
		if err != nil {
			return fmt.Errorf("fleetctl: outcome at %s sequence %d: %w", ledger.StreamName(r.shard), e.Seq, err)
		}
		id := order.ClientOrderID(e.Tenant, o.IntentID)
		if retry := r.retry[id]; retry != nil {
			retry.Status = o.Status
			return nil // it is listed with what it drove again
		}
		if o.Status == order.Failed && r.meant(e, o) {
			f := &Failed{Tenant: e.Tenant, Shard: r.shard, Seq: o.IntentSeq, OutcomeSeq: e.Seq, Outcome: o}
			r.found, r.byID[r.client(e.Tenant, o.IntentID)] = append(r.found, f), f
		}
	default:
	}
	return nil
}

// driven notes an intent that drives another one again.
func (r *reading) driven(e ledger.Entry, in order.Intent) {
	client := in.ClientOrderID(e.Tenant)
	r.first[order.ClientOrderID(e.Tenant, in.ID)] = client
	if f := r.byID[client]; f != nil {
		retry := &Retry{ID: in.ID, Seq: e.Seq}
		f.Retries = append(f.Retries, retry)
		r.retry[order.ClientOrderID(e.Tenant, in.ID)] = retry
	}
}

// meant says whether an outcome passes the filter.
func (r *reading) meant(e ledger.Entry, o order.Outcome) bool {
	f := &r.filter
	return (len(f.IDs) == 0 || slices.Contains(f.IDs, o.IntentID)) &&
		!e.Time.Before(f.Since) && (f.Until.IsZero() || e.Time.Before(f.Until))
}

// asks says whether what an intent asked for passes the filter.
func (f *Filter) asks(in *order.Intent) bool {
	if len(f.Labels) == 0 && f.Symbol == "" {
		return true
	}
	if in == nil || f.Symbol != "" && (in.Order == nil || !strings.EqualFold(in.Order.Symbol, f.Symbol)) {
		return false
	}
	for key, value := range f.Labels {
		if in.Labels[key] != value {
			return false
		}
	}
	return true
}

// complete reads what was asked.
func (r *reading) complete(ctx context.Context, l *ledger.Ledger) ([]Failed, error) {
	var all []Failed
	for _, f := range r.found {
		f.Dropped = r.dropped[r.client(f.Tenant, f.Outcome.IntentID)]
		if f.Settled() && !r.filter.All {
			continue
		}
		e, err := l.At(ctx, r.shard, f.Seq)
		switch {
		case err == nil:
			if in, err := order.DecodeIntent(e.Data); err == nil {
				f.Intent = &in
			}
		case !errors.Is(err, ledger.ErrNone):
			return nil, err
		}
		if r.filter.asks(f.Intent) {
			all = append(all, *f)
		}
	}
	return all, nil
}

// PrintFailed writes a list for people.
func PrintFailed(w io.Writer, all []Failed) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no failed intents")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TENANT\tINTENT\tWHAT\tFAILED\tATTEMPTS\tRETRIES\tWHY")
	for _, f := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", printable(f.Tenant), printable(f.Outcome.IntentID), printable(f.what()),
			f.Outcome.Committed.UTC().Format(time.RFC3339), f.Outcome.Attempts, f.Done(), printable(f.Outcome.Message))
	}
	table.Flush() //nolint:errcheck // as any print to w
}

// maxText bounds what is printed of a text, in bytes.
const maxText = 400

// printable keeps what strangers wrote, the broker among them, from moving about on a
// terminal.
func printable(s string) string { return ledger.Printable(s, maxText) }

// what was asked, in a few words.
func (f *Failed) what() string {
	switch {
	case f.Intent == nil:
		return string(f.Outcome.Kind)
	case f.Intent.Kind == order.KindOrder:
		o := f.Intent.Order
		amount := ""
		switch {
		case o.Qty != nil:
			amount = o.Qty.String()
		case o.Notional != nil:
			amount = "$" + o.Notional.String()
		}
		return fmt.Sprintf("%s %s %s %s", o.Side, amount, o.Symbol, o.Type)
	case f.Intent.Target != "":
		return fmt.Sprintf("%s %s", f.Intent.Kind, f.Intent.Target)
	}
	return string(f.Intent.Kind)
}

// Done says what was done about it.
func (f *Failed) Done() string {
	if f.Dropped != nil {
		return "dropped"
	}
	if len(f.Retries) == 0 {
		return "none"
	}
	last := f.Retries[len(f.Retries)-1]
	status := string(last.Status)
	if status == "" {
		status = "due"
	}
	return fmt.Sprintf("%d, last %s", len(f.Retries), status)
}
