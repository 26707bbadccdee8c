package worker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// holding is a worker's setting: every tenant is held when an intent of its fails.
func (r *rig) holding(c *worker.Config) {
	c.Connect = func(ctx context.Context, name string) (broker.Line, error) {
		line, err := r.books.connect(ctx, name)
		line.HoldOnFailed = true
		return line, err
	}
}

// undecidable makes the broker never answer for orders whose id ends so.
func (r *rig) undecidable(id string) {
	r.books.mu.Lock()
	defer r.books.mu.Unlock()
	r.books.meddle = func(_, whole string, _ func()) *broker.Verdict {
		if strings.HasSuffix(whole, "."+id) {
			return &broker.Verdict{Kind: broker.Unknown, HTTPStatus: 504, RequestID: "req-9", Message: "gateway timeout"}
		}
		return nil
	}
}

// release releases a tenant, between two words on its intents that change nothing.
func (r *rig) release(tenant string) {
	r.Helper()
	drop := order.Control{Version: order.Version, Verb: order.Drop, IntentID: "bad", By: "kim", Reason: "looked into it", At: time.Now()}
	release := order.Control{Version: order.Version, Verb: order.Release, By: "kim", Reason: "seen at the broker", At: time.Now()}
	for _, said := range []order.Control{drop, release, drop} {
		if _, err := r.ledger.Control(r.Context(), tenant, said); err != nil {
			r.Fatal(err)
		}
	}
}

// brief is an order that cannot be decided for long.
func brief(id string) order.Intent {
	in := buy(id)
	in.ExpiresAt = time.Now().Add(200 * time.Millisecond)
	return in
}

// TestFailedSaysAllThatIsKnown: whoever has to look at a failed intent finds in its outcome
// what the broker said last, and when.
func TestFailedSaysAllThatIsKnown(t *testing.T) {
	r := newRig(t)
	r.undecidable("bad")
	r.work()
	r.publish("acme", brief("bad"))
	o := r.outcomes("acme", 1)[0]
	if o.Status != order.Failed || o.HTTPStatus != 504 || o.RequestID != "req-9" || o.Attempts != 1 ||
		o.Submitted.IsZero() || o.ClientOrderID != "acme.bad" || !strings.Contains(o.Message, "HTTP 504 gateway timeout") {
		t.Errorf("outcome %+v", o)
	}
}

// TestHeld: after an intent that failed, a tenant whose policy is to hold stands still, with
// more intents waiting than a session takes, while its neighbour trades; a release lets it
// go on in its order, and intents whose time ran out meanwhile expire.
func TestHeld(t *testing.T) {
	r, log := newRig(t), newJournal()
	r.undecidable("bad")
	r.work(r.holding, log.log)
	r.publish("acme", brief("bad"))
	r.publish("acme", brief("stale"))
	const more = 30
	ids := make([]string, more)
	for i := range more {
		ids[i] = fmt.Sprintf("i%02d", i)
		r.publish("acme", buy(ids[i]))
	}
	log.wait(t, 1, "tenant held")
	r.publish("acme", buy("late")) // to a tenant that has no session
	r.publish("other", buy("one"))
	r.outcomes("other", 1)
	if n := r.count("acme"); n != 1 {
		t.Errorf("%d outcomes of a held tenant", n)
	}
	r.release("acme")
	got := r.outcomes("acme", more+3)
	if got[0].Status != order.Failed || got[1].Status != order.Expired || got[1].IntentID != "stale" {
		t.Errorf("outcomes %+v, %+v", got[0], got[1])
	}
	for i, id := range append(ids, "late") {
		if o := got[i+2]; o.IntentID != id || o.Status != order.Accepted {
			t.Errorf("outcome %d: %+v", i+2, o)
		}
	}
	if n, _ := log.count("tenant held"); n > 2 { // again, if the first word came before the release
		t.Errorf("held %d times", n)
	}
	if n, _ := log.count("tenant released"); n != 1 {
		t.Errorf("released %d times", n)
	}
	if n, _ := log.count("fleetctl release acme --reason"); n == 0 { // as often as it is held
		t.Error("nobody is told what to do")
	}
}

// TestHeldAfterATakeOver: who takes the shard over finds the tenant held, whether the owner
// before crashed or drained, and a release that came while nobody was there counts.
func TestHeldAfterATakeOver(t *testing.T) {
	for _, how := range []string{"crash", "drain"} {
		t.Run(how, func(t *testing.T) {
			r, log := newRig(t), newJournal()
			r.undecidable("bad")
			end := func(w *running) {
				if how == "crash" {
					w.crash()
				} else {
					w.stop()
				}
			}
			first := r.work(r.holding, log.log)
			r.publish("acme", brief("bad"))
			r.publish("acme", buy("one"))
			log.wait(t, 1, "tenant held")
			end(first)

			second := r.work(r.holding, log.log)
			log.wait(t, 2, "tenant held")
			r.publish("acme", buy("two"))
			if n := r.count("acme"); n != 1 {
				t.Errorf("%d outcomes of a held tenant", n)
			}
			end(second)

			r.release("acme")
			r.work(r.holding, log.log)
			for i, o := range r.outcomes("acme", 3)[1:] {
				if want := []string{"one", "two"}[i]; o.IntentID != want || o.Status != order.Accepted {
					t.Errorf("outcome %d: %+v", i+1, o)
				}
			}
		})
	}
}

// TestHeldAgain: a release counts for the failure that it stands behind, not for the next.
func TestHeldAgain(t *testing.T) {
	r, log := newRig(t), newJournal()
	r.undecidable("bad")
	r.work(r.holding, log.log)
	r.release("acme") // before there is anything to release
	r.publish("acme", brief("bad"))
	log.wait(t, 1, "tenant held")
	r.release("acme")
	log.wait(t, 1, "tenant released")
	r.undecidable("worse")
	r.publish("acme", brief("worse"))
	r.publish("acme", buy("one"))
	r.outcomes("acme", 2) // before the release the tenant may have been held twice: a word on it has it looked at again
	log.wait(t, 2, "tenant held")
	if n := r.count("acme"); n != 2 {
		t.Errorf("%d outcomes", n)
	}
	r.release("acme")
	if o := r.outcomes("acme", 3)[2]; o.IntentID != "one" || o.Status != order.Accepted {
		t.Errorf("outcome %+v", o)
	}
}
