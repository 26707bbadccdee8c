package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
	"pgregory.net/rapid"
)

// TestPace: whatever a tenant's limit is, and however eager the run, no minute sees more
// requests than a tenth of it, or than one.
func TestPace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 3000).Draw(rt, "limit")
		n := rapid.IntRange(1, 400).Draw(rt, "requests")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 30), 8, 8).Draw(rt, "pauses")
		problem := ""
		synctest.Test(t, func(*testing.T) {
			p := newPace(limit)
			var at []time.Time
			for i := range n {
				if err := p.take(context.Background()); err != nil {
					problem = err.Error()
				}
				at = append(at, time.Now())
				if i%7 == 0 {
					<-time.After(time.Duration(pauses[i%8]) * time.Second)
				}
			}
			share := max(limit/10, 1)
			for i := share; i < n; i++ {
				if took := at[i].Sub(at[i-share]); took < time.Minute {
					problem = fmt.Sprintf("%d requests within %s", share+1, took)
				}
			}
		})
		if problem != "" {
			rt.Fatalf("of a limit of %d: %s", limit, problem)
		}
	})
}

// TestPaceHeedsTheBroker: a limit that nobody states is learned from the answers, and where
// less than half of it remains, what remains is left to the tenant's orders.
func TestPaceHeedsTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0)
		if p.learn(broker.Limits{Limit: 1000, Remaining: 600, Reset: 30 * time.Second}); p.burst != 25 {
			t.Errorf("a burst of %d, of 100 requests a minute", p.burst)
		}
		began := time.Now()
		for range 25 {
			if err := p.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("waited for %s", waited)
		}
		p.learn(broker.Limits{Limit: 1000, Remaining: 499, Reset: 30 * time.Second})
		if err := p.take(t.Context()); err != nil || time.Since(began) < 30*time.Second {
			t.Errorf("took what belongs to the orders after %s, %v", time.Since(began), err)
		}
	})
}

// refusing are books of which every request ends alike.
type refusing struct {
	broker.Books
	verdict broker.Verdict
	asked   int
}

func (r *refusing) Orders(context.Context, broker.OrdersQuery) ([]broker.Record, broker.Verdict) {
	r.asked++
	return nil, r.verdict
}

// TestUnanswered: a run ends at once where the broker has had enough, or does not know the
// tenant, and soon where it does not answer.
func TestUnanswered(t *testing.T) {
	for _, tc := range []struct {
		name    string
		verdict broker.Verdict
		asked   int
		err     error
	}{
		{"429", broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429}, 1, ErrLimited},
		{"unknown keys", broker.Verdict{Kind: broker.Rejected, HTTPStatus: 401, Message: "unauthorized."}, 1, ErrRefused},
		{"no answer", broker.Verdict{Message: "reset"}, tries, ErrUnanswered},
		{"not sent", broker.Verdict{Kind: broker.Unsent, Message: "refused"}, tries, ErrUnanswered},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				books := &refusing{verdict: tc.verdict}
				r := &reader{books: &paced{Books: books, pace: newPace(200)}}
				_, err := r.account(t.Context(), NewBook("acme"), time.Time{}, time.Time{})
				if !errors.Is(err, tc.err) || books.asked != tc.asked {
					t.Errorf("after %d requests: %v", books.asked, err)
				}
			})
		})
	}
}
