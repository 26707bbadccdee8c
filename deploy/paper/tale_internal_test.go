package paper

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTalesLost: who falls behind what is kept is told how much is missing, once, and goes on
// with the rest.
func TestTalesLost(t *testing.T) {
	c := new(correspondent)
	at := stampOf(time.Date(2026, 6, 17, 16, 0, 0, 0, time.UTC))
	for range 2*talesSize + 10 {
		c.tell(&account{owner: c}, event{at: at})
	}
	none := &eventSpan{since: at.time().Add(time.Hour)} // nothing is rendered
	lines, reached, _ := broadcast{c, false}.behindEvent(3, none)
	const first = talesSize // the number of the last one that is no longer kept
	if len(lines) != 1 || !strings.Contains(lines[0].text, "dropped 49997 messages") || reached != first+streamBatch {
		t.Fatalf("told %v, and came to %d", lines, reached)
	}
	for reached < 2*talesSize+10 {
		was := reached
		if lines, reached, _ = (broadcast{c, false}).behindEvent(reached, none); len(lines) > 0 || reached == was {
			t.Fatalf("told %v behind %d", lines, reached)
		}
	}
	if lines, _, _ := (broadcast{c, false}).behindEvent(0, none); len(lines) > 0 {
		t.Errorf("who asks for all is told %v", lines)
	}
}

// TestULID: an id gives its number back, and ids are in the order of time, then number.
func TestULID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) *tale {
			at := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, name+" at"))
			return &tale{number: rapid.IntRange(1, 1<<50).Draw(t, name), event: event{at: stampOf(at)}}
		}
		a, b := draw("a"), draw("b")
		if n, ok := ulidNumber(a.ulid()); !ok || n != a.number {
			t.Fatalf("%s is %d, want %d", a.ulid(), n, a.number)
		}
		before := a.event.at < b.event.at || a.event.at == b.event.at && a.number < b.number
		if before != (a.ulid() < b.ulid()) {
			t.Fatalf("%s and %s", a.ulid(), b.ulid())
		}
	})
}
