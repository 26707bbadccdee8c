package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// TestOutcomeTellsItsCourse: an outcome tells the requests that were made for it and what
// they waited for, and nothing where its own fields say it all.
func TestOutcomeTellsItsCourse(t *testing.T) {
	lost := broker.Verdict{Kind: broker.Unknown, Message: "connection reset"}
	for _, tc := range []struct {
		name   string
		answer map[string][]broker.Verdict // to the first requests; afterwards the broker works
		booked bool                        // the first place was booked all the same
		tries  string                      // empty: there is no course
		waits  []order.Why                 // at least these
	}{
		{name: "accepted at once"},
		{name: "refused at once", answer: map[string][]broker.Verdict{"place": {{Kind: broker.Rejected, HTTPStatus: 403}}}},
		{
			name:   "rate limited",
			answer: map[string][]broker.Verdict{"place": {{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: 300 * time.Millisecond, RequestID: "r1"}}},
			tries:  "place retry_after 429 r1, place accepted 200",
			waits:  []order.Why{order.WhyRateLimit},
		},
		{
			name:   "answer lost, booked",
			answer: map[string][]broker.Verdict{"place": {lost}}, booked: true,
			tries: "place unknown, lookup found 200",
		},
		{
			name:   "answer lost, not booked",
			answer: map[string][]broker.Verdict{"place": {lost}},
			tries:  "place unknown, lookup not_found 404, …lookup not_found 404, place accepted 200",
			waits:  []order.Why{order.WhySettle},
		},
		{
			name: "not sent, then not answered, then down",
			answer: map[string][]broker.Verdict{
				"place":        {{Kind: broker.Unsent, Message: "connection refused"}, lost},
				"by_client_id": {lost, lost, {Kind: broker.Unknown, HTTPStatus: 503, Message: "down"}},
			},
			booked: true,
			tries:  "place unsent, place unknown, lookup unknown, lookup unknown, lookup unknown 503, lookup found 200",
			waits:  []order.Why{order.WhyBreaker},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			given := make(map[string]int)
			r.books.meddle = func(call, _ string, book func()) *broker.Verdict {
				n := given[call]
				given[call]++
				if n >= len(tc.answer[call]) {
					return nil
				}
				if tc.booked && call == "place" && n == len(tc.answer[call])-1 {
					book()
				}
				v := tc.answer[call][n]
				return &v
			}
			r.work()
			r.publish("acme", buy("one"))
			o := r.outcomes("acme", 1)[0]
			if tc.tries == "" {
				if o.Course != nil {
					t.Errorf("tells %+v", o.Course)
				}
				return
			}
			if o.Course == nil {
				t.Fatalf("tells nothing: %+v", o)
			}
			checkCourse(t, o, tc.tries, tc.waits)
		})
	}
}

// checkCourse compares tries with a list, in which … stands for any, and checks that a
// course's times make sense.
func checkCourse(t *testing.T, o order.Outcome, tries string, waits []order.Why) {
	t.Helper()
	var got []string
	last := o.Received
	for _, try := range o.Course.Tries {
		text := fmt.Sprintf("%s %s", try.Call, try.Verdict)
		if try.HTTPStatus != 0 {
			text += fmt.Sprint(" ", try.HTTPStatus)
		}
		if got = append(got, strings.TrimRight(text+" "+try.RequestID, " ")); try.At.Before(last) || try.Ended.Before(try.At) {
			t.Errorf("%s at %s until %s, after %s", text, try.At, try.Ended, last)
		}
		last = try.Ended
	}
	first, rest, more := strings.Cut(tries, "…")
	if all := strings.Join(got, ", "); !strings.HasPrefix(all, first) || !strings.HasSuffix(all, rest) || !more && all != tries {
		t.Errorf("tries are %s, wanted %s", all, tries)
	}
	told := make(map[order.Why]time.Duration)
	for _, w := range o.Course.Waits {
		told[w.Why] += w.Until.Sub(w.From)
	}
	for _, why := range waits {
		if told[why] < 10*time.Millisecond {
			t.Errorf("waited %v; %s is missing", told, why)
		}
	}
}

// TestCourseOfASetAside: who gave its place to others goes on where it was, and its outcome
// tells of both its sessions and of what came between them.
func TestCourseOfASetAside(t *testing.T) {
	r := newRigOf(t, 1)
	refused := make(chan struct{})
	r.books.meddle = func(call, id string, _ func()) *broker.Verdict {
		if call == "place" && id == "limited.one" && !isClosed(refused) {
			close(refused)
			return &broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429, Wait: time.Second}
		}
		return nil
	}
	r.work(few) // so few that one shard has two places
	r.publish("limited", lasting("one"))
	<-refused
	for n := range 4 {
		r.publish(fmt.Sprintf("t%d", n), lasting("one"))
	}
	o := r.outcomes("limited", 1)[0]
	if o.Status != order.Accepted || o.Course == nil {
		t.Fatalf("outcome %+v", o)
	}
	checkCourse(t, o, "place retry_after 429, place accepted 200", []order.Why{order.WhyRateLimit})
	aside := false
	for _, w := range o.Course.Waits {
		aside = aside || w.Aside
	}
	if !aside {
		t.Errorf("was not set aside: %+v", o.Course.Waits)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
