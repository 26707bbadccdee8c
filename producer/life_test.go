package producer_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// worker writes outcomes and updates of a tenant, in the place of one.
type worker struct {
	testing.TB
	p                *producer.Producer
	tenant           string
	outcomes, filled uint64 // the last of each
}

func (w *worker) outcome(r producer.Receipt, o order.Outcome) {
	w.Helper()
	o.IntentID, o.IntentSeq, o.Worker, o.Epoch = r.ID, r.Seq, "w", 1
	if o.ClientOrderID == "" {
		o.ClientOrderID = order.ClientOrderID(w.tenant, r.ID)
	}
	f, err := w.p.Ledger().Append(r.Shard, w.tenant, &o, w.outcomes)
	if err != nil {
		w.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		w.outcomes = ack.Sequence
	case err := <-f.Err():
		w.Fatal(err)
	}
}

func (w *worker) update(u order.Update) {
	w.Helper()
	u.At = time.Now()
	f, err := w.p.Ledger().AppendUpdate(w.p.Ledger().ShardOf(w.tenant), w.tenant, &u, w.filled)
	if err != nil {
		w.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		w.filled = ack.Sequence
	case err := <-f.Err():
		w.Fatal(err)
	}
}

// of is an update of an order.
func of(clientID, id, event string, change ...func(*order.Update)) order.Update {
	one := decimal.New(1, 0)
	u := order.Update{Event: event, ClientOrderID: clientID, BrokerOrderID: id, FilledQty: &one}
	if u.Fills() {
		u.Price, u.Qty = &one, &one
	}
	for _, c := range change {
		c(&u)
	}
	return u
}

func by(id string) func(*order.Update)       { return func(u *order.Update) { u.ReplacedBy = id } }
func legs(ids ...string) func(*order.Update) { return func(u *order.Update) { u.Legs = ids } }
func placed(kind order.Kind, id string) order.Outcome {
	return order.Outcome{Kind: kind, Status: order.Accepted, BrokerOrderID: id}
}

// TestAwaitUntil: an order is followed to its end, whatever the order in which the ledger
// tells of it, and no further.
func TestAwaitUntil(t *testing.T) {
	const mine, other = "acme.mine", "acme.other"
	accepted := placed(order.KindOrder, "b1")
	for _, tc := range []struct {
		name    string
		until   producer.Until
		outcome order.Outcome
		before  []order.Update // its outcome
		updates []order.Update // all that come; the life ends with the last one
		events  []string       // that are told
		filled  bool
	}{
		{name: "rejected", until: producer.UntilDone, outcome: order.Outcome{Kind: order.KindOrder, Status: order.Rejected}},
		{name: "expired", until: producer.UntilFilled, outcome: order.Outcome{Kind: order.KindOrder, Status: order.Expired}},
		{name: "a cancel", until: producer.UntilDone, outcome: order.Outcome{Kind: order.KindCancel, Status: order.Accepted, BrokerOrderID: "b1", ClientOrderID: other}},
		{name: "filled", until: producer.UntilFilled, outcome: accepted, filled: true,
			updates: []order.Update{of(mine, "b1", "partial_fill"), of(other, "b2", "fill"), of(mine, "b1", "fill")},
			events:  []string{"partial_fill", "fill"}},
		{name: "canceled", until: producer.UntilFilled, outcome: accepted,
			updates: []order.Update{of(mine, "b1", "partial_fill"), of(mine, "b1", "canceled")},
			events:  []string{"partial_fill", "canceled"}},
		{name: "filled before its outcome", until: producer.UntilDone, outcome: accepted, filled: true,
			before: []order.Update{of(other, "b0", "fill"), of(mine, "b1", "fill")}, events: []string{"fill"}},
		{name: "a bracket until filled", until: producer.UntilFilled, outcome: accepted, filled: true,
			updates: []order.Update{of(mine, "b1", "fill", legs("l1", "l2"))}, events: []string{"fill"}},
		{name: "a bracket until done", until: producer.UntilDone, outcome: accepted, filled: true,
			updates: []order.Update{of(mine, "b1", "fill", legs("l1", "l2")), of("x", "l2", "fill"), of("y", "l1", "canceled")},
			events:  []string{"fill", "fill", "canceled"}},
		{name: "replaced", until: producer.UntilFilled, outcome: accepted, filled: true,
			updates: []order.Update{of(mine, "b1", "replaced", by("b2")), of(other, "b2", "replaced", by("b3")), of("by-hand", "b3", "fill")},
			events:  []string{"replaced", "replaced", "fill"}},
		{name: "replaced, and that was known before", until: producer.UntilDone, outcome: accepted, filled: true,
			updates: []order.Update{of(other, "b2", "fill"), of(mine, "b1", "replaced", by("b2"))},
			events:  []string{"replaced"}},
		{name: "a replacement", until: producer.UntilDone, outcome: placed(order.KindReplace, "b2"),
			updates: []order.Update{of(other, "b1", "replaced", by("b2")), of(mine, "b2", "canceled")},
			events:  []string{"canceled"}},
		{name: "a leg is replaced", until: producer.UntilDone, outcome: accepted, filled: true,
			updates: []order.Update{of(mine, "b1", "fill", legs("l1")), of("x", "l1", "replaced", by("l2")), of("y", "l2", "fill")},
			events:  []string{"fill", "replaced", "fill"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, _ := start(t)
			r, err := p.Publish(t.Context(), "acme", buy("mine"))
			if err != nil {
				t.Fatal(err)
			}
			w := &worker{TB: t, p: p, tenant: "acme"}
			type end struct {
				life producer.Life
				err  error
			}
			ended := make(chan end, 1)
			go func() {
				life, err := p.AwaitUntil(t.Context(), r, tc.until)
				ended <- end{life, err}
			}()
			for _, u := range tc.before {
				w.update(u)
			}
			w.outcome(r, tc.outcome)
			for _, u := range tc.updates {
				select {
				case e := <-ended:
					t.Fatalf("ended before %s of %s: %+v", u.Event, u.BrokerOrderID, e)
				default:
				}
				w.update(u)
			}
			e := <-ended
			var events []string
			for _, u := range e.life.Updates {
				events = append(events, u.Event)
			}
			if e.err != nil || e.life.Outcome.Status != tc.outcome.Status || !slices.Equal(events, tc.events) || e.life.Filled != tc.filled {
				t.Errorf("ended with %v, status %s, events %v, filled %t", e.err, e.life.Outcome.Status, events, e.life.Filled)
			}
		})
	}
}

// TestAwaitUntilOfARetry: an intent that drives an earlier one again has that one's order,
// which may have been filled before it was published.
func TestAwaitUntilOfARetry(t *testing.T) {
	p, _ := start(t)
	w := &worker{TB: t, p: p, tenant: "acme"}
	first, err := p.Publish(t.Context(), "acme", buy("first"))
	if err != nil {
		t.Fatal(err)
	}
	w.outcome(first, order.Outcome{Kind: order.KindOrder, Status: order.Failed})
	w.update(of("acme.first", "b1", "fill"))
	in := buy("again")
	in.RetryOf = "first"
	r, err := p.Publish(t.Context(), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	o := placed(order.KindOrder, "b1")
	o.ClientOrderID = "acme.first"
	w.outcome(r, o)
	life, err := p.AwaitUntil(t.Context(), r, producer.UntilFilled)
	if err != nil || !life.Filled || len(life.Updates) != 1 {
		t.Errorf("%+v: %v", life, err)
	}
}

func TestAwaitUntilGivesUp(t *testing.T) {
	p, _ := start(t)
	w := &worker{TB: t, p: p, tenant: "acme"}
	r, err := p.Publish(t.Context(), "acme", buy("mine"))
	if err != nil {
		t.Fatal(err)
	}
	w.outcome(r, placed(order.KindOrder, "b1"))
	w.update(of("acme.mine", "b1", "partial_fill"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := p.Follow(r, producer.UntilDone)
	told := 0
	for n, err := range f.News(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if told++; n.Update != nil {
			cancel()
		}
	}
	if told != 2 || f.Over() || f.Filled() || !f.Accepted() || !f.Places() {
		t.Errorf("told %d times, over %t, filled %t", told, f.Over(), f.Filled())
	}
	if _, err := p.AwaitUntil(ctx, r, producer.UntilDone); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
