package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// ask asks for a tenant's state.
func (r *rig) ask(tenant string) (inquiry.Answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	return inquiry.Ask(ctx, r.nc, r.ledger.ShardOf(tenant), inquiry.Question{Verb: inquiry.State, Tenant: tenant})
}

// eventually asks again and again until it is so.
func (r *rig) eventually(so func() bool) {
	r.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			r.Fatal("it does not come about")
		}
	}
}

// awaitPhase asks until a tenant is in a phase.
func (r *rig) awaitPhase(tenant string, want inquiry.Phase) inquiry.TenantState {
	r.Helper()
	var st inquiry.TenantState
	r.eventually(func() bool {
		a, err := r.ask(tenant)
		if err != nil && !errors.Is(err, inquiry.ErrNobody) { // a shard that is served listens soon
			r.Fatal(err)
		}
		if err == nil {
			st = *a.State
		}
		return st.Phase == want
	})
	return st
}

// TestInquiries: while a worker serves a shard it is asked what it knows, also of a tenant
// whose broker does not answer; the next owner answers in its place, and then nobody does.
func TestInquiries(t *testing.T) {
	r := newRig(t)
	if _, err := r.ask("acme"); !errors.Is(err, inquiry.ErrNobody) {
		t.Errorf("without a worker: %v", err)
	}
	hung, release := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	first := true
	r.books.meddle = func(call, _ string, _ func()) *broker.Verdict {
		if call == "place" && first {
			first = false
			close(hung)
			<-release
		}
		return nil
	}
	one := r.work()
	r.awaitPhase("acme", inquiry.Idle)
	seq := r.publish("acme", buy("one"))
	<-hung
	r.publish("acme", buy("two"))
	r.eventually(func() bool { a, err := r.ask("acme"); return err == nil && a.State.Read > seq })
	if st := r.awaitPhase("acme", inquiry.Behind); st.First != seq || st.Given != seq || st.Read <= seq || st.Waiting != 1 {
		t.Errorf("while the broker does not answer: %+v", st)
	}
	letGo()
	r.outcomes("acme", 2)
	r.eventually(func() bool { a, err := r.ask("acme"); return err == nil && a.State.First == 0 && a.Epoch == 1 })

	other := r.ledger.ShardOf("acme") ^ 1
	_, err := inquiry.Ask(t.Context(), r.nc, other, inquiry.Question{Verb: inquiry.State, Tenant: "acme"})
	if refused, ok := errors.AsType[*inquiry.RefusedError](err); !ok || refused.Code != inquiry.WrongShard {
		t.Errorf("the other shard's owner says %v", err)
	}
	_, err = inquiry.Ask(t.Context(), r.nc, other^1, inquiry.Question{Verb: "dance", Tenant: "acme"})
	if refused, ok := errors.AsType[*inquiry.RefusedError](err); !ok || refused.Code != inquiry.UnknownVerb {
		t.Errorf("an odd question: %v", err)
	}

	one.stop()
	if _, err := r.ask("acme"); !errors.Is(err, inquiry.ErrNobody) {
		t.Errorf("nobody serves the shard, and %v", err)
	}
	r.work()
	r.eventually(func() bool { a, err := r.ask("acme"); return err == nil && a.Epoch == 2 })
}

// TestStateTellsWhy: of a tenant that waits for its broker the shard's owner knows what for,
// since when and until when, with a session and without one.
func TestStateTellsWhy(t *testing.T) {
	r := newRigOf(t, 1)
	refused := make(chan struct{})
	once := sync.OnceFunc(func() { close(refused) })
	r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
		if call == "place" && id == "limited.one" {
			once()
			return &broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: time.Minute}
		}
		return nil
	}
	r.work(few)
	waits := func(aside bool) func() bool {
		return func() bool {
			a, err := r.ask("limited")
			if err != nil || (a.State.Phase == inquiry.Aside) != aside || a.State.Why != order.WhyRateLimit {
				return false
			}
			st := a.State
			if left := time.Until(st.Until); left <= 0 || left > time.Minute || time.Since(st.Since) < 0 || time.Since(st.Since) > time.Minute {
				t.Errorf("waits since %s until %s", st.Since, st.Until)
			}
			return true
		}
	}
	r.publish("limited", lasting("one"))
	<-refused
	r.eventually(waits(false))
	for n := range 4 { // who want its place
		r.publish(fmt.Sprintf("t%d", n), lasting("one"))
	}
	r.eventually(waits(true))
}

// TestReseal: the owner of a tenant's shard seals its credentials again when it is asked to,
// and says so if it cannot.
func TestReseal(t *testing.T) {
	for name, tt := range map[string]struct {
		reseal func(context.Context, string) (inquiry.Resealed, error)
		want   string // of the refusal
	}{
		"it does": {func(_ context.Context, name string) (inquiry.Resealed, error) {
			return inquiry.Resealed{From: "digest of " + name, Blob: []byte("sealed"), Recipients: []string{"age1x"}}, nil
		}, ""},
		"it cannot": {func(context.Context, string) (inquiry.Resealed, error) {
			return inquiry.Resealed{}, errors.New("no identity fits")
		}, "no identity fits"},
		"it has no identity": {nil, "ORDERFLEET_IDENTITY_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.work(func(c *worker.Config) { c.Reseal = tt.reseal })
			r.awaitPhase("acme", inquiry.Idle)
			a, err := inquiry.Ask(t.Context(), r.nc, r.ledger.ShardOf("acme"), inquiry.Question{Verb: inquiry.Reseal, Tenant: "acme", By: "ops"})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || a.Resealed == nil || a.Resealed.From != "digest of acme" || string(a.Resealed.Blob) != "sealed" {
				t.Errorf("%+v, %v", a.Resealed, err)
			}
		})
	}
}
