package order_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"pgregory.net/rapid"
)

// TestCourseIsBounded: a course keeps the first steps and the last ones, in their order, and
// says how many it left out; its outcome fits into a message however long it was.
func TestCourseIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = order.CourseHead + order.CourseTail
		c := new(order.Course)
		n := rapid.IntRange(0, 100).Draw(t, "tries")
		long := strings.Repeat("\x00", 512) // six bytes each on the wire
		for i := range n {
			c.Tried(order.Try{Code: i, Problem: long, RequestID: long})
		}
		if len(c.Tries) > most || len(c.Tries)+c.TriesOmitted != n {
			t.Fatalf("%d of %d tries, %d left out", len(c.Tries), n, c.TriesOmitted)
		}
		for i, try := range c.Tries {
			want := i
			if i >= order.CourseHead {
				want += c.TriesOmitted
			}
			if try.Code != want {
				t.Fatalf("try %d is the one of place %d, wanted %d", i, try.Code, want)
			}
		}
		data, err := order.EncodeOutcome(order.Outcome{Course: c})
		if err != nil || len(data) > order.MaxMessage/2 {
			t.Fatalf("%d bytes: %v", len(data), err)
		}
	})
}

func TestCourseJoinsWaits(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)).UTC() }
	wait := func(why order.Why, from, until int) order.Wait {
		return order.Wait{Why: why, From: at(from), Until: at(until)}
	}
	for _, tc := range []struct {
		name  string
		steps []any
		want  []order.Wait
	}{
		{"one that goes on", []any{wait(order.WhyBreaker, 0, 100), wait(order.WhyBreaker, 101, 200)}, []order.Wait{wait(order.WhyBreaker, 0, 200)}},
		{"another reason", []any{wait(order.WhyBreaker, 0, 100), wait(order.WhyRateLimit, 100, 200)},
			[]order.Wait{wait(order.WhyBreaker, 0, 100), wait(order.WhyRateLimit, 100, 200)}},
		{"much later", []any{wait(order.WhyBreaker, 0, 100), wait(order.WhyBreaker, 150, 200)},
			[]order.Wait{wait(order.WhyBreaker, 0, 100), wait(order.WhyBreaker, 150, 200)}},
		{"a request between them", []any{wait(order.WhyBackOff, 0, 100), order.Try{At: at(100), Ended: at(101)}, wait(order.WhyBackOff, 101, 200)},
			[]order.Wait{wait(order.WhyBackOff, 0, 100), wait(order.WhyBackOff, 101, 200)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := new(order.Course)
			for _, step := range tc.steps {
				switch step := step.(type) {
				case order.Wait:
					c.Waited(step)
				case order.Try:
					c.Tried(step)
				}
			}
			if !slices.Equal(c.Waits, tc.want) {
				t.Errorf("got %v, wanted %v", c.Waits, tc.want)
			}
		})
	}
}
