package updates_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/reconcile"
	"github.com/orderfleet/orderfleet/worker/updates"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"
)

// dropped is a day's ledger on which only some of the updates are.
func dropped(t interface{ Fatal(...any) }, d *trader, keep func(i int) bool) {
	for i, u := range d.exchange.want {
		if !keep(i) {
			continue
		}
		u.Worker, u.Epoch = "somebody", 1
		data, err := order.EncodeUpdate(u)
		if err != nil {
			t.Fatal(err)
		}
		d.sheet.put(ledger.Updates, data)
	}
}

// reconciled reconciles the tenant, and has it repaired.
func (d *trader) reconciled(t interface{ Fatal(...any) }) inquiry.Reconciliation {
	books := func(context.Context, string) (broker.Books, error) { return d.exchange, nil }
	cfg := updates.Config{Worker: "mender", Ledger: d.sheet, Log: zerolog.Nop(), Books: books}.WithDefaults()
	runner := reconcile.NewRunner(&reconcile.Config{Ledger: d.sheet, Updates: &cfg, Settle: time.Second},
		reconcile.Owner{Epoch: d.epoch, Until: func() time.Time { return time.Time{} }})
	found, err := runner.Run(context.Background(), reconcile.Request{Tenant: "acme", Repair: true})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// mended says how the ledger is not what happened: each order's updates have to be there, all
// and once, and those that are not late in their order.
func (d *trader) mended(t interface{ Fatal(...any) }) string {
	perOrder := func(all []order.Update, late bool) map[string][]string {
		m := make(map[string][]string)
		for _, u := range all {
			if u.Late && !late {
				continue
			}
			u.Late = false
			m[u.BrokerOrderID] = append(m[u.BrokerOrderID], bare(t, u))
		}
		return m
	}
	all := d.sheet.updates(t)
	got, timely, want := perOrder(all, true), perOrder(all, false), perOrder(d.exchange.want, true)
	if len(got) != len(want) {
		return fmt.Sprintf("the ledger tells of %d orders, and there are %d", len(got), len(want))
	}
	for id := range want {
		inOrder := slices.DeleteFunc(slices.Clone(want[id]), func(u string) bool { return !slices.Contains(timely[id], u) })
		slices.Sort(got[id])
		sorted := slices.Sorted(slices.Values(want[id]))
		if !slices.Equal(got[id], sorted) || !slices.Equal(timely[id], inOrder) {
			return fmt.Sprintf("of %s the ledger has\n%v\nand what happened is\n%v", id, got[id], want[id])
		}
	}
	return ""
}

// mend takes a tenant through a day that nobody followed, puts a part of what happened on the
// ledger, and repairs it twice.
func mend(t *testing.T, x *exchange, day []step, keep func(int) bool, followed bool) (problem string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &trader{desk: newDesk(x)}
		d.desk.closed = true
		for _, s := range day {
			s.do(d)
		}
		d.outcomes()
		dropped(t, d, keep)
		missing := len(x.want) - len(d.sheet.updates(t))
		if followed {
			d.desk.closed = false
			d.start()
			defer d.close()
		}
		first := d.reconciled(t)
		written := first.Repaired
		if followed { // it may have written some of it
			pass(5 * time.Minute)
			synctest.Wait()
			first, written = d.reconciled(t), missing
		}
		again := d.reconciled(t)
		switch problem = d.mended(t); {
		case problem != "":
		case written != missing:
			problem = fmt.Sprintf("%d updates were written, and %d were missing", written, missing)
		case again.Repaired > 0:
			problem = fmt.Sprintf("%d updates were written the second time", again.Repaired)
		default:
			for _, d := range slices.Concat(first.Left(), again.Left()) {
				if d.Kind != inquiry.ForeignOrder {
					problem = fmt.Sprintf("not repaired: %+v", d)
				}
			}
		}
	})
	return problem
}

// TestMendADay: whichever one update of a day is missing, and all that came after it, or
// before, a repair writes what happened, once.
func TestMendADay(t *testing.T) {
	for name, broker := range kinds() {
		for i := range 30 {
			for what, keep := range map[string]func(int) bool{
				"one is missing":         func(n int) bool { return n != i },
				"nothing came after one": func(n int) bool { return n <= i },
				"nothing came before it": func(n int) bool { return n >= i },
			} {
				if problem := mend(t, broker(), theDay(), keep, false); problem != "" {
					t.Errorf("%s, %s: %d: %s", name, what, i, problem)
				}
			}
		}
	}
}

// TestMendAnyDay: of any day, whatever is missing, a repair writes what happened, once; also
// beside a follower that does the same.
func TestMendAnyDay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := newExchange()
		x.showsLegs, x.inherits = rapid.Bool().Draw(rt, "shows legs"), rapid.Bool().Draw(rt, "inherits")
		day := drawDay(rt)
		keep := rapid.SliceOfN(rapid.Bool(), 16, 16).Draw(rt, "keep")
		followed := rapid.Bool().Draw(rt, "followed")
		kept := func(i int) bool { return keep[i%len(keep)] }
		if followed { // only what came last can be missing to a follower
			n := rapid.IntRange(0, 30).Draw(rt, "kept")
			kept = func(i int) bool { return i < n }
		}
		if problem := mend(t, x, day, kept, followed); problem != "" {
			for i, s := range day {
				rt.Logf("%2d %s", i, s.name)
			}
			rt.Fatal(problem)
		}
	})
}
