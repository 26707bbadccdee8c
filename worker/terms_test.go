package worker_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// board is a registry in memory.
type board struct {
	mu       sync.Mutex
	revision uint64
	terms    map[string]*tenant.Terms
	changed  chan struct{}
}

func newBoard() *board {
	return &board{terms: make(map[string]*tenant.Terms), changed: make(chan struct{})}
}

func (b *board) with(c *worker.Config) { c.Registry = b }

// set changes a tenant's terms and returns the revision.
func (b *board) set(name string, change func(*tenant.Terms)) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revision++
	terms := new(tenant.Terms)
	if old := b.terms[name]; old != nil {
		*terms = *old
	}
	change(terms)
	terms.Revision = b.revision
	b.terms[name] = terms
	close(b.changed)
	b.changed = make(chan struct{})
	return b.revision
}

// turn lays a switch on a tenant.
func (b *board) turn(name string, m tenant.Mode, until time.Time) uint64 {
	return b.set(name, func(t *tenant.Terms) {
		t.Switches = []tenant.Switch{{Mode: m, Until: until, By: "kim", Reason: "drill", Scope: "tenant." + name}}
	})
}

func (b *board) Terms(name string) *tenant.Terms {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.terms[name]; t != nil {
		return t
	}
	return new(tenant.Terms)
}

func (b *board) Revision() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.revision
}

func (b *board) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *board) Sync(context.Context) error { return nil }

// obeyed asks a tenant's shard whether the terms of a revision are obeyed.
func (r *rig) obeyed(name string, revision uint64) inquiry.Obeyed {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	a, err := inquiry.Ask(ctx, r.nc, r.ledger.ShardOf(name), inquiry.Question{Verb: inquiry.Obey, Revision: revision})
	if err != nil {
		r.Fatal(err)
	}
	return *a.Obeyed
}

// confirmed is obeyed, which it has to be.
func (r *rig) confirmed(name string, revision uint64) inquiry.Obeyed {
	r.Helper()
	o := r.obeyed(name, revision)
	if !o.Confirms(revision) {
		r.Fatalf("revision %d is not confirmed: %+v", revision, o)
	}
	return o
}

func (r *rig) statuses(name string, n int) string {
	r.Helper()
	text := ""
	for _, o := range r.outcomes(name, n) {
		text += fmt.Sprintf("%s:%s:%s ", o.IntentID, o.Status, o.Rule)
	}
	return text
}

// TestHalt: from the confirmation on, no order of a halted tenant reaches its broker: its
// intents are blocked, cancels pass, neighbours trade; once it may run again it does.
func TestHalt(t *testing.T) {
	r, b := newRig(t), newBoard()
	r.work(b.with)
	r.publish("acme", buy("a"))
	r.outcomes("acme", 1)
	r.confirmed("acme", b.turn("acme", tenant.Halt, time.Time{}))
	r.publish("acme", buy("b"))
	r.publish("acme", cancelAll("c"))
	r.publish("other", buy("one"))
	r.outcomes("other", 1)
	if got := r.statuses("acme", 3); got != "a:accepted: b:blocked:halted c:accepted: " {
		t.Error(got)
	}
	r.confirmed("acme", b.turn("acme", tenant.Run, time.Time{}))
	r.publish("acme", buy("d"))
	if o := r.outcomes("acme", 4)[3]; o.Status != order.Accepted {
		t.Errorf("%+v", o)
	}
	if ids := fmt.Sprint(r.books.ids("acme")); ids != "[a d]" {
		t.Errorf("the broker booked %s", ids)
	}
}

// TestPause: the intents of a paused tenant wait, in their order, also through a change of
// owners, and go on when it may run again, or when the pause is over by itself.
func TestPause(t *testing.T) {
	r, b := newRig(t), newBoard()
	first := r.work(b.with)
	r.confirmed("acme", b.turn("acme", tenant.Pause, time.Time{}))
	r.publish("acme", buy("a"))
	st := r.awaitPhase("acme", inquiry.Aside)
	if st.Why != order.WhyPaused || st.Since.IsZero() || !st.Until.IsZero() {
		t.Errorf("%+v", st)
	}
	first.stop()
	r.work(b.with)
	r.publish("acme", buy("b"))
	r.publish("other", buy("one"))
	r.outcomes("other", 1)
	since := r.awaitPhase("acme", inquiry.Aside).Since
	r.eventually(func() bool { return time.Since(since) > 20*time.Millisecond }) // less is not told
	if n := r.count("acme"); n != 0 {
		t.Errorf("%d outcomes of a paused tenant", n)
	}
	b.turn("acme", tenant.Run, time.Time{})
	outcomes := r.outcomes("acme", 2)
	if got := fmt.Sprint(r.books.ids("acme")); got != "[a b]" {
		t.Errorf("the broker booked %s", got)
	}
	if c := outcomes[0].Course; c == nil || len(c.Waits) == 0 || c.Waits[0].Why != order.WhyPaused {
		t.Errorf("the outcome tells nothing of the pause: %+v", c)
	}

	b.turn("acme", tenant.Pause, time.Now().Add(50*time.Millisecond))
	r.publish("acme", buy("c"))
	if o := r.outcomes("acme", 3)[2]; o.Status != order.Accepted {
		t.Errorf("%+v", o)
	}
}

// TestHaltAwaitsTheAnswer: while a request is under way a halt is not confirmed; an answer
// that is lost is looked up, and if the order is not there none is made any more.
func TestHaltAwaitsTheAnswer(t *testing.T) {
	for _, booked := range []bool{true, false} {
		t.Run(fmt.Sprintf("booked %t", booked), func(t *testing.T) {
			r, b := newRig(t), newBoard()
			asked, answer := make(chan struct{}), make(chan struct{})
			r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
				if call != "place" {
					return nil
				}
				close(asked)
				<-answer
				if booked {
					book()
				}
				return &broker.Verdict{Kind: broker.Unknown, Message: "cut"}
			}
			r.work(b.with)
			r.publish("acme", buy("a"))
			r.publish("acme", buy("b"))
			<-asked
			revision := b.turn("acme", tenant.Halt, time.Time{})
			early := r.obeyed("acme", revision)
			if early.Confirms(revision) || len(early.Missing) != 1 {
				t.Errorf("confirmed while a request is under way: %+v", early)
			}
			close(answer)
			r.confirmed("acme", revision)
			want, ids := "a:blocked:halted b:blocked:halted ", "[]"
			if booked {
				want, ids = "a:accepted: b:blocked:halted ", "[a]"
			}
			if got := r.statuses("acme", 2); got != want {
				t.Error(got)
			}
			if got := fmt.Sprint(r.books.ids("acme")); got != ids {
				t.Errorf("the broker booked %s", got)
			}
		})
	}
}

// TestHaltEndsWaits: intents that wait for the tenant's rate limit are refused at once.
func TestHaltEndsWaits(t *testing.T) {
	r, b := newRig(t), newBoard()
	slow := func(c *worker.Config) {
		c.Connect = func(ctx context.Context, name string) (broker.Line, error) {
			line, err := r.books.connect(ctx, name)
			line.PerMinute = 1
			return line, err
		}
	}
	r.work(slow, b.with)
	for i := range 60 { // the bucket holds one
		r.publish("acme", buy(fmt.Sprint(i)))
	}
	r.outcomes("acme", 1)
	r.confirmed("acme", b.turn("acme", tenant.Halt, time.Time{}))
	blocked := 0
	for _, o := range r.outcomes("acme", 60) {
		if o.Rule == "halted" {
			blocked++
		}
	}
	if booked := len(r.books.ids("acme")); booked+blocked != 60 || booked > 2 {
		t.Errorf("%d booked, %d blocked", booked, blocked)
	}
}

// TestOtherLine: other settings or keys make a new line before the next request; other
// limits do not.
func TestOtherLine(t *testing.T) {
	r, b := newRig(t), newBoard()
	r.work(b.with)
	dials := func() *desk {
		r.books.mu.Lock()
		defer r.books.mu.Unlock()
		return r.books.tenants["acme"]
	}
	r.publish("acme", buy("a"))
	r.outcomes("acme", 1)
	first := dials()
	r.confirmed("acme", b.set("acme", func(t *tenant.Terms) { t.Limits.OpenOrders = 1000 }))
	r.publish("acme", buy("b"))
	r.outcomes("acme", 2)
	if dials() != first {
		t.Error("another line for other limits")
	}
	r.confirmed("acme", b.set("acme", func(t *tenant.Terms) { t.Line = 7 }))
	r.publish("acme", buy("c"))
	r.outcomes("acme", 3)
	if dials() == first {
		t.Error("the same line with other keys")
	}
}

// TestPauseAwaitsTheAnswer: what became of an order whose answer was lost is found out under a
// pause, too; nothing more is sent of it, nor of a cancel, before the tenant goes on.
func TestPauseAwaitsTheAnswer(t *testing.T) {
	for _, tc := range []struct {
		name, call string
		booked     bool
		during     string // outcomes under the pause
		ids        string // that the broker booked in the end
	}{
		{"the order is there", "place", true, "rest:accepted: a:accepted: ", "[rest a b]"},
		{"the order is not there", "place", false, "rest:accepted: ", "[rest a b]"},
		{"a cancel", "cancel", true, "rest:accepted: ", "[rest b]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, b := newRig(t), newBoard()
			asked, answer := make(chan struct{}), make(chan struct{})
			var lookups, others atomic.Int64
			var armed atomic.Bool
			r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
				switch {
				case call == "by_client_id":
					lookups.Add(1)
					return nil
				case call != tc.call || !armed.CompareAndSwap(true, false):
					others.Add(1)
					return nil
				}
				close(asked)
				<-answer
				if tc.booked {
					book()
				}
				return &broker.Verdict{Kind: broker.Unknown, Message: "cut"}
			}
			r.work(b.with)
			r.publish("acme", lasting("rest"))
			r.outcomes("acme", 1)
			armed.Store(true)
			if tc.call == "cancel" {
				r.publish("acme", order.Intent{ID: "a", Kind: order.KindCancel, Target: "rest", ExpiresAt: time.Now().Add(time.Hour)})
			} else {
				r.publish("acme", lasting("a"))
			}
			r.publish("acme", lasting("b"))
			<-asked
			revision := b.turn("acme", tenant.Pause, time.Time{})
			before := others.Load()
			close(answer)
			r.confirmed("acme", revision)
			r.awaitPhase("acme", inquiry.Aside)
			n := strings.Count(tc.during, " ")
			if got := r.statuses("acme", n); got != tc.during || r.count("acme") != n {
				t.Errorf("%d outcomes: %s", r.count("acme"), got)
			}
			if l, o := lookups.Load(), others.Load(); l > 5 || o != before {
				t.Errorf("%d lookups, %d other requests under the pause", l, o-before)
			}
			b.turn("acme", tenant.Run, time.Time{})
			if got, want := r.statuses("acme", 3), "rest:accepted: a:accepted: b:accepted: "; got != want {
				t.Error(got)
			}
			if ids := fmt.Sprint(r.books.ids("acme")); ids != tc.ids {
				t.Errorf("the broker booked %s", ids)
			}
		})
	}
}

// TestPausedForAnotherTime: a pause whose end is moved ends when it was moved to.
func TestPausedForAnotherTime(t *testing.T) {
	for name, first := range map[string]time.Time{"without an end": {}, "for an hour": time.Now().Add(time.Hour)} {
		t.Run(name, func(t *testing.T) {
			r, b := newRig(t), newBoard()
			r.work(b.with)
			r.confirmed("acme", b.turn("acme", tenant.Pause, first))
			r.publish("acme", buy("a"))
			r.awaitPhase("acme", inquiry.Aside)
			r.confirmed("acme", b.turn("acme", tenant.Pause, time.Now().Add(200*time.Millisecond)))
			if o := r.outcomes("acme", 1)[0]; o.Status != order.Accepted {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestHaltNamesWhatIsInDoubt: an owner that took the shard over from one that died confirms a halt
// at once, and names the tenants of which the dead one's last request may still reach the
// broker, until it has found out.
func TestHaltNamesWhatIsInDoubt(t *testing.T) {
	r, b := newRig(t), newBoard()
	asked, gone, look := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r.books.meddle = func(call, id string, book func()) *broker.Verdict {
		switch {
		case call == "place" && id == "acme.a":
			close(asked)
			<-gone
			book() // it was on its way
			return &broker.Verdict{Kind: broker.Unknown, Message: "the worker is gone"}
		case call == "by_client_id":
			<-look
		}
		return nil
	}
	first := r.work(b.with)
	r.publish("acme", lasting("a"))
	r.publish("acme", lasting("b"))
	<-asked
	first.abandon()
	close(gone)
	first.crash()
	revision := b.turn("acme", tenant.Halt, time.Time{})
	r.work(b.with)
	if o := r.confirmed("acme", revision); fmt.Sprint(o.Open) != "[acme]" {
		t.Errorf("in doubt are %v", o.Open)
	}
	close(look)
	if got := r.statuses("acme", 2); got != "a:accepted: b:blocked:halted " {
		t.Error(got)
	}
	r.eventually(func() bool { return len(r.confirmed("acme", revision).Open) == 0 })
	if ids := fmt.Sprint(r.books.ids("acme")); ids != "[a]" {
		t.Errorf("the broker booked %s", ids)
	}
}
