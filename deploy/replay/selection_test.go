package replay_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

func ids(all []*replay.Asked) []string {
	var found []string
	for _, a := range all {
		found = append(found, a.Tenant+"."+a.ID)
	}
	return found
}

// TestSelections: tenants, sequence numbers, times and labels choose what was asked, in the
// order in which the ledger took it, over all shards.
func TestSelections(t *testing.T) {
	d := newDesk(t)
	var seqs []uint64
	tenants := []string{"acme", "beta", "gamma"}
	for i, id := range []string{"a", "b", "c"} {
		for _, tenant := range tenants {
			seq := d.asked(tenant, buy(id, "AAPL", "1", "desk", []string{"7", "8", "7"}[i], "nr", id), order.Accepted)
			if tenant == "acme" {
				seqs = append(seqs, seq)
			}
		}
	}
	d.put(ledger.Intents, "acme", []byte("no JSON"))
	all := read(t, d.Ledger, replay.Selection{})
	want := []string{"acme.a", "beta.a", "gamma.a", "acme.b", "beta.b", "gamma.b", "acme.c", "beta.c", "gamma.c", "acme."}
	if got := ids(all); !slices.Equal(got, want) {
		t.Fatalf("all: %v", got)
	}
	middle := all[3].At // of acme.b
	for _, tc := range []struct {
		name string
		s    replay.Selection
		want []string
	}{
		{"a tenant", replay.Selection{Stretch: history.Stretch{Tenants: []string{"beta"}}}, []string{"beta.a", "beta.b", "beta.c"}},
		{"from a sequence number", replay.Selection{Stretch: history.Stretch{Tenants: []string{"acme"}, From: seqs[1]}}, []string{"acme.b", "acme.c", "acme."}},
		{"up to one", replay.Selection{Stretch: history.Stretch{Tenants: []string{"acme"}, To: seqs[1]}}, []string{"acme.a", "acme.b"}},
		{"since a time", replay.Selection{Stretch: history.Stretch{Tenants: []string{"acme"}, Since: middle}}, []string{"acme.b", "acme.c", "acme."}},
		{"until a time", replay.Selection{Stretch: history.Stretch{Tenants: []string{"acme"}, Until: middle}}, []string{"acme.a"}},
		{"a label", replay.Selection{Labels: map[string]string{"desk": "8"}}, []string{"acme.b", "beta.b", "gamma.b"}},
		{"two labels", replay.Selection{Labels: map[string]string{"desk": "7", "nr": "c"}}, []string{"acme.c", "beta.c", "gamma.c"}},
		{"a label that nothing bears", replay.Selection{Labels: map[string]string{"desk": "9"}}, nil},
		{"an empty stretch", replay.Selection{Stretch: history.Stretch{Since: middle, Until: middle}}, nil},
		{"the future", replay.Selection{Stretch: history.Stretch{Since: time.Now().Add(time.Hour)}}, nil},
		{"an unknown tenant", replay.Selection{Stretch: history.Stretch{Tenants: []string{"nobody", "acme"}, To: 1}}, []string{"acme.a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := read(t, d.Ledger, tc.s)
			if got := ids(found); !slices.Equal(got, tc.want) {
				t.Errorf("%v, wanted %v", got, tc.want)
			}
			for _, a := range found {
				if a.ID != "" && a.Status() != order.Accepted {
					t.Errorf("%s.%s is %q: its outcome may stand behind the stretch", a.Tenant, a.ID, a.Status())
				}
			}
		})
	}
	s := replay.Selection{Stretch: history.Stretch{Tenants: []string{"nobody", "acme"}}}
	if got := replay.Missing(s, read(t, d.Ledger, s)); !slices.Equal(got, []string{"nobody"}) {
		t.Errorf("missing: %v", got)
	}
}

// TestWhatBecameOfIt: outcomes, updates, retries and an operator's word are found behind the
// stretch.
func TestWhatBecameOfIt(t *testing.T) {
	d := newDesk(t)
	seq := d.publish("acme", buy("a", "AAPL", "3"))
	d.filled("acme", "a", "3", "190.5") // the broker may tell it before the worker
	d.end("acme", order.Outcome{IntentID: "a", IntentSeq: seq, Kind: order.KindOrder, Status: order.Accepted, BrokerOrderID: "order-of-acme-a"})
	failed := d.asked("acme", buy("b", "MSFT", "1"), order.Failed)
	again := buy("b2", "MSFT", "1")
	again.RetryOf = "b"
	d.asked("acme", again, order.Expired)
	if _, err := d.Control(t.Context(), "acme", order.Control{Verb: order.Drop, IntentID: "b", By: "ann", Reason: "no", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	due := d.publish("acme", buy("c", "MSFT", "1"))

	all := read(t, d.Ledger, replay.Selection{Stretch: history.Stretch{To: failed}})
	if len(all) != 2 {
		t.Fatalf("%v", ids(all))
	}
	if f := all[0].Filled(); f.Status != "filled" || f.Qty.String() != "3" || f.AvgPrice.String() != "190.5" {
		t.Errorf("%+v", f)
	}
	if r := all[1].Retries; len(r) != 1 || r[0].ID != "b2" || r[0].Status != order.Expired || all[1].Dropped == nil {
		t.Errorf("%+v, dropped %+v", r, all[1].Dropped)
	}
	rest := read(t, d.Ledger, replay.Selection{Stretch: history.Stretch{From: due}})
	if len(rest) != 1 || rest[0].Outcome != nil || rest[0].Status() != "" {
		t.Errorf("%v", ids(rest))
	}
}

// TestUnreadable: what a worker wrote and nobody can read ends the reading, with its place.
func TestUnreadable(t *testing.T) {
	for _, c := range []ledger.Class{ledger.Outcomes, ledger.Updates, ledger.Controls} {
		d := newDesk(t)
		d.put(c, "acme", []byte("no JSON"))
		_, err := replay.Read(t.Context(), history.Live(d.Ledger), replay.Selection{}, quiet)
		if _, ok := errors.AsType[*order.FieldError](err); !ok {
			t.Errorf("%s: %v", c, err)
		}
	}
}
