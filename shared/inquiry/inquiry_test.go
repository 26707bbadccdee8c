package inquiry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

const shard = 3

// owner answers the questions to a shard until the test ends, or leave is called.
func owner(t *testing.T, nc *nats.Conn, answer func(*inquiry.Call)) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	calls, done := make(chan *inquiry.Call), make(chan error, 1)
	go func() { done <- inquiry.Serve(ctx, nc, inquiry.Owner{Worker: "w1", Shard: shard, Epoch: 7}, calls) }()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case c := <-calls:
				answer(c)
			case <-ctx.Done():
				return
			}
		}
	}()
	leave = func() {
		cancel()
		<-stopped
		if err, ok := <-done; ok && err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(cancel)
	awaitListener(t, nc)
	return leave
}

// awaitListener waits until somebody listens to the shard.
func awaitListener(t *testing.T, nc *nats.Conn) {
	t.Helper()
	for {
		_, err := nc.RequestWithContext(t.Context(), inquiry.Subject(shard), []byte("anybody?"))
		if err == nil {
			return
		}
		if !errors.Is(err, nats.ErrNoResponders) {
			t.Fatal(err)
		}
	}
}

var question = inquiry.Question{Verb: inquiry.State, Tenant: "acme", By: "ops", Reason: "looking"}

func refusedAs(err error) inquiry.Code {
	if r, ok := errors.AsType[*inquiry.RefusedError](err); ok {
		return r.Code
	}
	return ""
}

func TestAsk(t *testing.T) {
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 0))
	var asked inquiry.Question
	owner(t, nc, func(c *inquiry.Call) {
		asked = c.Question
		c.Answer(inquiry.Answer{State: &inquiry.TenantState{Phase: inquiry.Live, Read: 12}})
	})
	a, err := inquiry.Ask(t.Context(), nc, shard, question)
	if err != nil || a.Worker != "w1" || a.Epoch != 7 || a.State == nil || a.State.Phase != inquiry.Live || a.State.Read != 12 {
		t.Errorf("answered %+v, %v", a, err)
	}
	want := question
	want.Version = inquiry.Version
	if asked != want {
		t.Errorf("the owner was asked %+v, wanted %+v", asked, want)
	}
}

// TestNoAnswer: each way not to get an answer is told from the others.
func TestNoAnswer(t *testing.T) {
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 0))

	t.Run("nobody", func(t *testing.T) {
		if _, err := inquiry.Ask(t.Context(), nc, shard, question); !errors.Is(err, inquiry.ErrNobody) {
			t.Errorf("%v", err)
		}
	})
	t.Run("no tenant's name", func(t *testing.T) {
		if _, err := inquiry.Ask(t.Context(), nc, shard, inquiry.Question{Verb: inquiry.State, Tenant: "a.b"}); err == nil || !strings.Contains(err.Error(), "tenant") {
			t.Errorf("%v", err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		leave := owner(t, nc, func(c *inquiry.Call) { c.Refuse(inquiry.UnknownVerb, "%q?", c.Verb) })
		defer leave()
		_, err := inquiry.Ask(t.Context(), nc, shard, question)
		if refusedAs(err) != inquiry.UnknownVerb || !strings.Contains(err.Error(), "worker w1") || !strings.Contains(err.Error(), `"state"?`) {
			t.Errorf("%v", err)
		}
	})
	t.Run("dropped, and the asker loses patience", func(t *testing.T) {
		leave := owner(t, nc, func(c *inquiry.Call) { c.Drop() })
		defer leave()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := inquiry.Ask(ctx, nc, shard, question); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
	t.Run("gone", func(t *testing.T) {
		owner(t, nc, func(*inquiry.Call) {})()
		if _, err := inquiry.Ask(t.Context(), nc, shard, question); !errors.Is(err, inquiry.ErrNobody) {
			t.Errorf("%v", err)
		}
	})
}

// TestSilent: an owner that listens and says nothing is not waited for without end.
func TestSilent(t *testing.T) {
	t.Parallel()
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 0))
	owner(t, nc, func(*inquiry.Call) {})
	if _, err := inquiry.Ask(t.Context(), nc, shard, question); !errors.Is(err, inquiry.ErrSilent) {
		t.Errorf("%v", err)
	}
}

// TestTakesLonger: signs of life keep an asker waiting for longer than it would wait for an
// owner that says nothing.
func TestTakesLonger(t *testing.T) {
	t.Parallel()
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 0))
	signs, err := nc.SubscribeSync("signs")
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan *inquiry.Call, 1)
	owner(t, nc, func(c *inquiry.Call) {
		c.Take()
		taken <- c
	})
	body := []byte(`{"v":1,"verb":"state","tenant":"acme"}`)
	if err := nc.PublishRequest(inquiry.Subject(shard), "signs", body); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m, err := signs.NextMsgWithContext(t.Context())
		if err != nil || !strings.Contains(string(m.Data), `"under_way":true`) {
			t.Fatalf("%v, %v", m, err)
		}
	}
	(<-taken).Answer(inquiry.Answer{})
	for { // a sign may be on its way
		m, err := signs.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(m.Data), "under_way") {
			break
		}
	}
	answered := make(chan error, 1)
	go func() {
		_, err := inquiry.Ask(t.Context(), nc, shard, question)
		answered <- err
	}()
	c := <-taken
	timer := time.NewTimer(1500 * time.Millisecond) // a sign comes between
	defer timer.Stop()
	select {
	case err := <-answered:
		t.Fatalf("the asker did not wait: %v", err)
	case <-timer.C:
	}
	c.Answer(inquiry.Answer{})
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestLeaving: an owner that leaves tells everybody whose question is under way.
func TestLeaving(t *testing.T) {
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 0))
	taken := make(chan struct{}, 1)
	leave := owner(t, nc, func(c *inquiry.Call) {
		c.Take()
		taken <- struct{}{}
	})
	answered := make(chan error, 1)
	go func() {
		_, err := inquiry.Ask(t.Context(), nc, shard, question)
		answered <- err
	}()
	<-taken
	leave()
	if err := <-answered; refusedAs(err) != inquiry.Leaving {
		t.Errorf("%v", err)
	}
}

// TestBusy: what is under way is bounded, and one more is refused at once.
func TestBusy(t *testing.T) {
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 0))
	taken := make(chan *inquiry.Call, 100)
	owner(t, nc, func(c *inquiry.Call) { taken <- c })
	const room = 32
	answers := make(chan error, room)
	for range room {
		go func() {
			_, err := inquiry.Ask(t.Context(), nc, shard, question)
			answers <- err
		}()
	}
	var calls []*inquiry.Call
	for range room {
		calls = append(calls, <-taken)
	}
	if _, err := inquiry.Ask(t.Context(), nc, shard, question); refusedAs(err) != inquiry.Busy {
		t.Errorf("%v", err)
	}
	for _, c := range calls {
		c.Answer(inquiry.Answer{})
	}
	for range room {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

// TestGarbage: whatever a stranger asks is refused, and reaches nobody.
func TestGarbage(t *testing.T) {
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 0))
	owner(t, nc, func(c *inquiry.Call) { t.Errorf("asked %+v", c.Question) })
	for name, garbage := range map[string]string{
		"nothing":           ``,
		"no JSON":           `{`,
		"no tenant":         `{"v":1,"verb":"state"}`,
		"a subject's trick": `{"v":1,"verb":"state","tenant":"a.b"}`,
		"a newer version":   `{"v":2,"verb":"state","tenant":"acme"}`,
		"too much to say":   fmt.Sprintf(`{"v":1,"verb":"state","tenant":"acme","reason":%q}`, strings.Repeat("x", 600)),
		"too long":          fmt.Sprintf(`{"v":1,"verb":"state","tenant":"acme","x":%q}`, strings.Repeat("x", 9000)),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := nc.RequestWithContext(t.Context(), inquiry.Subject(shard), []byte(garbage))
			if err != nil || !strings.Contains(string(m.Data), `"code":"malformed"`) || len(m.Data) > 1000 {
				t.Errorf("%v, %v", m, err)
			}
		})
	}
}
