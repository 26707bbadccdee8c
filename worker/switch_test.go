package worker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// hand is an operator who stops tenants and lets them go on, and who sees at the broker whether
// those that are confirmed to be stopped make orders.
type hand struct {
	mu      sync.Mutex
	stopped map[string]uint64 // by the change of this revision, which is confirmed
	broken  []string
}

// made is an order that reaches the broker.
func (h *hand) made(call, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if revision := h.stopped[name]; revision > 0 {
		h.broken = append(h.broken, fmt.Sprintf("%s of %s, stopped by revision %d", call, name, revision))
	}
}

func (h *hand) set(name string, revision uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped[name] = revision
}

// TestSwitchAnyDay: tenants are halted, paused, reduced and let go on at random, while they trade
// with a broker that loses answers, with too few places, and workers come, go and die. From
// each confirmation on not one order of a stopped tenant reaches the broker; in the end every
// intent has its outcome, in order, and each order is there once.
func TestSwitchAnyDay(t *testing.T) {
	const tenants, rounds = 12, 60
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	r, b := newRig(t), newBoard()
	h := &hand{stopped: make(map[string]uint64)}
	r.books.meddle = func(call, id string, book func()) *broker.Verdict {
		if call != "place" && call != "replace" {
			return nil
		}
		name, _, _ := cutID(id)
		<-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond) // it is on its way
		h.made(call, name)
		switch rand.IntN(40) {
		case 0:
			book()
			return &broker.Verdict{Kind: broker.Unknown, Message: "cut"}
		case 1:
			return &broker.Verdict{Kind: broker.Unknown, Message: "cut"}
		case 2:
			return &broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: 5 * time.Millisecond}
		}
		return nil
	}
	settle := func(c *worker.Config) { c.Settle = 20 * time.Millisecond; c.Grace = time.Minute }
	w := r.work(b.with, few, settle)
	published := make(map[string]int)
	names := make([]string, tenants)
	for i := range names {
		names[i] = fmt.Sprintf("t%02d", i)
	}
	modes := []tenant.Mode{tenant.Halt, tenant.Pause, tenant.ReduceOnly, tenant.Run}
	now := make(map[string]tenant.Mode)
	for round := range rounds {
		if round%8 == 0 { // so that much is under way, and no more than can be
			for _, name := range names {
				r.eventually(func() bool { return now[name] == tenant.Pause || r.count(name) == published[name] })
			}
		}
		for range rnd.IntN(60) {
			name := names[rnd.IntN(tenants)]
			r.publish(name, lasting(fmt.Sprintf("%04d", published[name])))
			published[name]++
		}
		name, mode, until := names[rnd.IntN(tenants)], modes[rnd.IntN(len(modes))], time.Time{}
		if mode == tenant.Pause && rnd.IntN(2) == 0 {
			until = time.Now().Add(time.Duration(rnd.IntN(100)) * time.Millisecond)
		}
		h.set(name, 0)
		revision := b.turn(name, mode, until)
		now[name] = mode
		switch rnd.IntN(12) {
		case 0:
			w.stop()
			w = r.work(b.with, few, settle)
		case 1:
			w.crash()
			w = r.work(b.with, few, settle)
		}
		if rnd.IntN(2) == 0 {
			continue // another one comes at once
		}
		var o inquiry.Obeyed
		r.eventually(func() bool { // whoever begins to own the shard is about to listen
			a, err := inquiry.Ask(t.Context(), r.nc, r.ledger.ShardOf(name), inquiry.Question{Verb: inquiry.Obey, Revision: revision})
			if err != nil {
				return false
			}
			o = *a.Obeyed
			return o.Confirms(revision)
		})
		if (mode == tenant.Halt || mode == tenant.Pause) && until.IsZero() && !slices.Contains(o.Open, name) {
			h.set(name, revision)
		}
	}
	for _, name := range names {
		h.set(name, 0)
		b.turn(name, tenant.Run, time.Time{})
	}
	ended := make(map[order.Status]int)
	for _, name := range names {
		for i, o := range r.outcomes(name, published[name]) {
			if o.IntentID != fmt.Sprintf("%04d", i) {
				t.Fatalf("%s: outcome %d is of %s", name, i, o.IntentID)
			}
			ended[o.Status]++
			if o.Status != order.Accepted && (o.Status != order.Blocked || o.Rule != "halted" && o.Rule != "reduce_only") {
				t.Errorf("%s: %+v", name, o)
			}
		}
		last := ""
		for _, id := range r.books.ids(name) {
			if id <= last {
				t.Errorf("%s: order %s is there behind order %s", name, id, last)
			}
			last = id
		}
	}
	t.Log(ended)
	for _, what := range h.broken {
		t.Error(what)
	}
	if ended[order.Accepted] == 0 || ended[order.Blocked] == 0 {
		t.Errorf("it shows nothing: %v", ended)
	}
}
