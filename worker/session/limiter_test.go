package session

import (
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
	"pgregory.net/rapid"
)

// someTime is any moment; limiters are told the time.
var someTime = time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)

// TestLimiterBucket: a tenant's own limit lets a minute's requests go at once and then
// one by one, so that over any span no more go than the bucket held and got.
func TestLimiterBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perMinute := rapid.IntRange(1, 1000).Draw(t, "per minute")
		l, now := newLimiter(perMinute), someTime
		var sent []time.Time
		for range rapid.IntRange(1, 300).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "thinking")))
			if wait := l.wait(now); wait > 0 {
				if wait > time.Minute {
					t.Fatalf("waits %s", wait)
				}
				now = now.Add(wait)
			}
			if wait := l.wait(now); wait > 0 {
				t.Fatalf("waits %s more after its wait", wait)
			}
			l.take(now)
			sent = append(sent, now)
		}
		for i, from := range sent {
			span := now.Sub(from)
			if most := perMinute + 1 + int(int64(perMinute)*int64(span)/int64(time.Minute)); len(sent)-i > most {
				t.Fatalf("%d requests within %s, more than %d", len(sent)-i, span, most)
			}
		}
	})
}

// TestLimiterFollowsTheBroker: with nothing but the headers of a broker that counts by
// fixed windows, whose clock is another and is shown in whole seconds, no request is ever
// refused, and none waits longer than the window is.
func TestLimiterFollowsTheBroker(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		window := time.Duration(rapid.IntRange(1, 59).Draw(t, "window in seconds")) * time.Second
		skew := time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "skew"))
		var l limiter
		now, used, current := someTime, 0, int64(-1)
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "thinking")))
			if wait := l.wait(now); wait > 0 {
				if wait > window+time.Second {
					t.Fatalf("waits %s, and the window is %s", wait, window)
				}
				now = now.Add(wait)
			}
			l.take(now)

			theirs := now.Add(skew)
			if w := theirs.UnixNano() / int64(window); w != current {
				current, used = w, 0
			}
			if used++; used > limit {
				t.Fatalf("request %d of a window of %d", used, limit)
			}
			end := time.Unix(0, (current+1)*int64(window))
			l.learn(now, broker.Verdict{Kind: broker.Accepted, Limits: broker.Limits{
				Limit: limit, Remaining: limit - used, Reset: max(end.Sub(theirs.Truncate(time.Second)), 0),
			}})
		}
	})
}

// TestLimiterBelievesNobodyForLong: whatever an answer says, the tenant's next request
// goes within a minute.
func TestLimiterBelievesNobodyForLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, now := newLimiter(rapid.IntRange(0, 500).Draw(t, "per minute")), someTime
		for range rapid.IntRange(1, 50).Draw(t, "answers") {
			l.learn(now, broker.Verdict{
				Wait: time.Duration(rapid.Int64().Draw(t, "wait")),
				Limits: broker.Limits{
					Limit:     rapid.Int().Draw(t, "limit"),
					Remaining: rapid.Int().Draw(t, "remaining"),
					Reset:     time.Duration(rapid.Int64().Draw(t, "reset")),
				},
			})
			wait := l.wait(now)
			if wait > longestStay {
				t.Fatalf("waits %s", wait)
			}
			now = now.Add(max(wait, 0))
			if wait := l.wait(now); wait > 0 {
				t.Fatalf("waits %s more", wait)
			}
			l.take(now)
		}
	})
}

func TestLimiter(t *testing.T) {
	for _, test := range []struct {
		name      string
		perMinute int
		answer    broker.Verdict
		want      time.Duration
	}{
		{"nothing known", 0, broker.Verdict{}, 0},
		{"some remain", 0, broker.Verdict{Limits: broker.Limits{Limit: 200, Remaining: 1, Reset: time.Second}}, 0},
		{"none remain", 0, broker.Verdict{Limits: broker.Limits{Limit: 200, Reset: 7 * time.Second}}, 7 * time.Second},
		{"none remain, for years", 0, broker.Verdict{Limits: broker.Limits{Limit: 200, Reset: 1e18}}, time.Minute},
		{"told to stay away", 0, broker.Verdict{Kind: broker.RetryAfter, Wait: 3 * time.Second}, 3 * time.Second},
		{"told to stay away for years", 0, broker.Verdict{Kind: broker.RetryAfter, Wait: 1e18}, time.Minute},
		{"told to stay away beyond the window", 0, broker.Verdict{Wait: 9 * time.Second, Limits: broker.Limits{Limit: 2, Reset: time.Second}}, 9 * time.Second},
		{"the bucket has one", 1, broker.Verdict{}, time.Minute},
		{"the bucket has two", 2, broker.Verdict{}, 0},
		{"the broker has fewer than the bucket", 100, broker.Verdict{Limits: broker.Limits{Limit: 50, Reset: time.Second}}, time.Second},
		{"the broker has more than the bucket", 1, broker.Verdict{Limits: broker.Limits{Limit: 50, Remaining: 49, Reset: time.Second}}, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLimiter(test.perMinute)
			if wait := l.wait(someTime); wait > 0 {
				t.Errorf("the first request waits %s", wait)
			}
			l.take(someTime)
			l.learn(someTime, test.answer)
			if wait := max(l.wait(someTime), 0); wait != test.want {
				t.Errorf("the second request waits %s, want %s", wait, test.want)
			}
		})
	}
}

func newLimiter(perMinute int) (l limiter) {
	l.bound(perMinute)
	return l
}
