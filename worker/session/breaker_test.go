package session

import (
	"testing"

	"github.com/orderfleet/orderfleet/worker/broker"
	"pgregory.net/rapid"
)

// TestBreaker compares a breaker with what was found since it was last closed.
func TestBreaker(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b breaker
		now, row := someTime, 0
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			if !rapid.Bool().Draw(t, "fails") {
				b.close()
				row = 0
				if b.open {
					t.Fatal("open after an answer")
				}
				continue
			}
			row++
			opened := b.failed(now)
			if want := row >= tripAfter; opened != want || b.open != want {
				t.Fatalf("after %d failures in a row: opened %v, open %v", row, opened, b.open)
			}
			if !opened {
				continue
			}
			most := min(firstBreak<<min(row-tripAfter, 10), lastBreak)
			if pause := b.until.Sub(now); b.let || pause < most/2 || pause > most {
				t.Fatalf("after %d failures: a pause of %s, wanted %s to %s (let %v)", row, pause, most/2, most, b.let)
			}
			now = b.until
		}
	})
}

// TestJudge: what counts as the broker's failure, and what does not.
func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name    string
		verdict broker.Verdict
		want    finding
	}{
		{"no answer", broker.Verdict{Kind: broker.Unknown}, ill},
		{"a server error", broker.Verdict{Kind: broker.Unknown, HTTPStatus: 503}, ill},
		{"no connection", broker.Verdict{Kind: broker.Unsent}, ill},
		{"a rate limit", broker.Verdict{Kind: broker.RetryAfter, HTTPStatus: 429}, healthy},
		{"a refusal", broker.Verdict{Kind: broker.Rejected, HTTPStatus: 403}, healthy},
		{"a malformed call", broker.Verdict{Kind: broker.Rejected}, nothing},
		{"too late", broker.Verdict{Kind: broker.Expired}, nothing},
		{"not there", broker.Verdict{Kind: broker.NotFound, HTTPStatus: 404}, healthy},
		{"accepted", broker.Verdict{Kind: broker.Accepted, HTTPStatus: 200}, healthy},
		{"found", broker.Verdict{Kind: broker.Found, HTTPStatus: 200}, healthy},
	} {
		if got := judge(test.verdict); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// TestBackoffHasFullJitter: delays lie anywhere between nothing and a ceiling that doubles.
func TestBackoffHasFullJitter(t *testing.T) {
	const rounds = 2000
	var low, high int
	for range rounds {
		var b backoff
		for want := firstDelay; want < lastDelay; want *= 2 {
			d := b.next()
			if d < 0 || d > want {
				t.Fatalf("%s, and the ceiling is %s", d, want)
			}
			if want == firstDelay && d < want/4 {
				low++
			}
			if want == firstDelay && d > want*3/4 {
				high++
			}
		}
		for range 3 {
			if d := b.next(); d > lastDelay {
				t.Fatalf("%s, beyond %s", d, lastDelay)
			}
		}
	}
	for part, n := range map[string]int{"lowest": low, "highest": high} {
		if n < rounds/8 || n > rounds*3/8 {
			t.Errorf("the %s quarter has %d of %d delays", part, n, rounds)
		}
	}
}
