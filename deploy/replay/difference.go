package replay

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Difference compares what became of an intent then and in a shadow. It holds no times and
// nothing that was made up on the way, so that two shadows of one stretch say the same.
type Difference struct {
	Tenant   string     `json:"tenant"`
	Shard    int        `json:"shard"`
	Seq      uint64     `json:"seq"`
	IntentID string     `json:"intent_id,omitzero"`
	Kind     order.Kind `json:"kind,omitzero"`
	What     string     `json:"what"`
	// Status is what became of it in the shadow.
	Status order.Status `json:"status"`
	// Fields are those that differ; none: it ended as then.
	Fields []Field `json:"differs,omitempty"`
	// Reason explains the difference; empty if nothing does.
	Reason Reason `json:"reason,omitzero"`
}

// Field is what differs: as it was then, and as it is in the shadow.
type Field struct {
	Name string `json:"field"`
	Then string `json:"then"`
	Now  string `json:"now"`
}

// Differences is the result of a shadow.
type Differences struct {
	// All are all intents, by shard and sequence number.
	All     []Difference `json:"-"`
	Intents int          `json:"intents"`
	Tenants int          `json:"tenants"`
	Same    int          `json:"same"`
	Differ  int          `json:"differ"`
	// Unexplained of those that differ have no reason.
	Unexplained int `json:"unexplained"`
}

// Compare compares what became of all with their fates in a shadow under conditions.
func Compare(all []*Asked, fates []Fate, c Conditions) *Differences {
	d := &Differences{Intents: len(all), Tenants: Sum(all).Tenants}
	w := newWitness(all, fates, c)
	for i, a := range all {
		diff := Difference{
			Tenant: a.Tenant, Shard: a.Shard, Seq: a.Seq, IntentID: a.ID, What: a.What(),
			Status: fates[i].Outcome.Status, Fields: fields(a, &fates[i]),
		}
		if a.Intent != nil {
			diff.Kind = a.Intent.Kind
		}
		switch {
		case len(diff.Fields) == 0:
			d.Same++
		default:
			d.Differ++
			if diff.Reason = w.reason(a, &fates[i]); diff.Reason == "" {
				d.Unexplained++
			}
		}
		d.All = append(d.All, diff)
	}
	slices.SortFunc(d.All, func(a, b Difference) int { return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Seq, b.Seq)) })
	return d
}

// fields are those in which a fate differs from what became of an intent.
func fields(a *Asked, f *Fate) []Field {
	now := &f.Outcome
	then := a.Outcome
	if then == nil {
		return []Field{{"status", string(Due), string(now.Status)}}
	}
	var all []Field
	add := func(name, then, now string) {
		if then != now {
			all = append(all, Field{name, then, now})
		}
	}
	add("status", string(then.Status), string(now.Status))
	add("rule", then.Rule, now.Rule)
	if then.Status != now.Status {
		return all // what else differs follows from that
	}
	add("client_order_id", then.ClientOrderID, now.ClientOrderID)
	switch then.Status {
	case order.Accepted:
		add("recovered", strconv.FormatBool(then.Recovered), strconv.FormatBool(now.Recovered))
		return append(all, filled(a.Filled(), f.Fill, a.told())...)
	case order.Rejected:
		add("http_status", strconv.Itoa(then.HTTPStatus), strconv.Itoa(now.HTTPStatus))
		add("code", strconv.Itoa(then.Code), strconv.Itoa(now.Code))
	default:
	}
	return all
}

// filled compares how two orders stand, if the ledger has updates of the one.
func filled(then, now Fill, known bool) []Field {
	var all []Field
	if !known {
		return nil
	}
	if t, n := standing(then.Status), standing(now.Status); t != n {
		all = append(all, Field{"order_status", t, n})
	}
	for _, f := range []struct {
		name      string
		then, now string
		differs   bool
	}{
		{"filled_qty", number(then.Qty), number(now.Qty), then.Qty != nil && (now.Qty == nil || !then.Qty.Equal(*now.Qty))},
		{"filled_avg_price", number(then.AvgPrice), number(now.AvgPrice), then.AvgPrice != nil && (now.AvgPrice == nil || !then.AvgPrice.Equal(*now.AvgPrice))},
	} {
		if f.differs {
			all = append(all, Field{f.name, f.then, f.now})
		}
	}
	return all
}

// standing is a broker's word for an order's state, where all words for one that can still
// change are the same.
func standing(word string) string {
	switch word {
	case "filled", "canceled", "expired", "replaced", "rejected":
		return word
	}
	return "open"
}

// Print writes what differs for people.
func (d *Differences) Print(w io.Writer) {
	for i := range d.All {
		diff := &d.All[i]
		if len(diff.Fields) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s %s (%d/%d) %s\n", printable(diff.Tenant), cmp.Or(printable(diff.IntentID), "without an id"), diff.Shard, diff.Seq, printable(diff.What))
		for _, f := range diff.Fields {
			fmt.Fprintf(w, "    %s: then %s, in the shadow %s\n", f.Name, cmp.Or(printable(f.Then), "none"), cmp.Or(printable(f.Now), "none"))
		}
		if diff.Reason != "" {
			fmt.Fprintf(w, "    because %s\n", diff.Reason.Text())
		} else {
			fmt.Fprintln(w, "    and nothing explains it")
		}
	}
	fmt.Fprintf(w, "%d intents of %d tenants: %d ended as then, %d differ, %d of them without an explanation\n", d.Intents, d.Tenants, d.Same, d.Differ, d.Unexplained)
}
