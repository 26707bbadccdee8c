package chaos

import (
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Shards have settled when each has an owner, no owner more than its share, and nothing
// has changed for a while.
func TestSettled(t *testing.T) {
	l := newLeases(3)
	lease := func(shard, owner string) {
		l.see(ledger.KeyChange{Key: "shard." + shard, Value: []byte(`{"owner":"` + owner + `"}`)})
	}
	beat := func(name string) {
		l.see(ledger.KeyChange{Key: "member." + name, Value: []byte(`{"name":"` + name + `"}`)})
	}
	beat("a")
	beat("b")
	lease("0", "a")
	lease("1", "a")
	if l.settled([]string{"a", "b"}, 0) {
		t.Error("settled without an owner of shard 2")
	}
	lease("2", "b")
	if !l.settled([]string{"a", "b"}, 0) {
		t.Error("two workers hold 2 and 1 of 3 shards, and have not settled")
	}
	if l.settled([]string{"a", "b"}, time.Hour) {
		t.Error("settled for an hour")
	}
	if l.settled([]string{"a", "b", "c"}, 0) {
		t.Error("settled although the third worker is no member")
	}
	if beat("c"); l.settled([]string{"a", "b", "c"}, 0) {
		t.Error("settled although the third worker has no shard")
	}
	if l.see(ledger.KeyChange{Key: "member.b"}); l.settled([]string{"a", "b"}, 0) {
		t.Error("settled although a worker is gone")
	}
}
