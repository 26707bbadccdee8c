package fleet

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// TestViewIsCurrentAtItsEnd: a lease stands in the bucket before its owner's last
// heartbeat. Whoever believed the first half would take the shard of a living owner.
func TestViewIsCurrentAtItsEnd(t *testing.T) {
	v := newView(1)
	for _, step := range []struct {
		change  ledger.KeyChange
		current bool
		free    bool
	}{
		{ledger.KeyChange{Key: "shard.0", Value: []byte(`{"owner":"a_1","epoch":3,"low":7}`), Revision: 5}, false, true},
		{ledger.KeyChange{Key: "member.b_1", Value: []byte(`{"name":"b"}`), Revision: 8}, false, true},
		{ledger.KeyChange{Key: "member.a_1", Value: []byte(`{"name":"a"}`), Revision: 9, Current: true}, true, false},
		{ledger.KeyChange{Key: "member.a_1", Revision: 10}, true, true},
	} {
		if _, err := v.apply(step.change, time.Now()); err != nil {
			t.Fatal(err)
		}
		if v.current != step.current || v.free(0) != step.free {
			t.Errorf("after %s at %d: current %v, free %v", step.change.Key, step.change.Revision, v.current, v.free(0))
		}
	}
}

// TestOnlySomeChangesMatter: a heartbeat that says nothing new starts no assignment.
func TestOnlySomeChangesMatter(t *testing.T) {
	v := newView(2)
	for _, step := range []struct {
		name, key, value string
		matters          bool
	}{
		{"a member comes", "member.a", `{"name":"a"}`, true},
		{"and lives on", "member.a", `{"name":"a","load":{"sessions":7}}`, false},
		{"has too much", "member.a", `{"name":"a","load":{"sessions":9,"waiting":2}}`, true},
		{"and still has", "member.a", `{"name":"a","load":{"sessions":9,"waiting":1}}`, false},
		{"comes again, blind", "member.b", `{"name":"b","joining":true}`, true},
		{"and sees", "member.b", `{"name":"b"}`, true},
		{"drains", "member.a", `{"name":"a","draining":true}`, true},
		{"a lease", "shard.1", `{"owner":"a","epoch":1}`, true},
		{"goes", "member.a", ``, true},
	} {
		c := ledger.KeyChange{Key: step.key}
		if step.value != "" {
			c.Value = []byte(step.value)
		}
		if matters, err := v.apply(c, time.Now()); err != nil || matters != step.matters {
			t.Errorf("%s: matters %v, %v", step.name, matters, err)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		name, key, value string
		foreign, fails   bool
	}{
		{name: "a member", key: "member.a_1", value: `{"name":"a"}`},
		{name: "a lease", key: "shard.17", value: `{"owner":"a_1","epoch":9,"low":1,"clean":true,"left":["acme"]}`},
		{name: "no JSON", key: "shard.17", value: `owner`, fails: true},
		{name: "no number", key: "shard.x", value: `{}`, foreign: true},
		{name: "another spelling", key: "shard.07", value: `{}`, foreign: true},
		{name: "a negative shard", key: "shard.-1", value: `{}`, foreign: true},
		{name: "nobody", key: "member.", value: `{}`, foreign: true},
		{name: "something else", key: "epoch.3", value: `{}`, foreign: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, _, _, err := decode(tc.key, []byte(tc.value))
			if errors.Is(err, errForeign) != tc.foreign || (err != nil) != (tc.foreign || tc.fails) {
				t.Errorf("%v", err)
			}
		})
	}
}

// FuzzDecode: what can be read is written as it was, and nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add("member.a_1", []byte(`{"name":"a","since":"2026-01-01T00:00:00Z","draining":true,"load":{"sessions":1,"waiting":2}}`))
	f.Add("shard.3", []byte(`{"owner":"a_1","epoch":18446744073709551615,"low":1,"left":["x"]}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		id, m, shard, r, err := decode(key, value)
		if err != nil {
			return
		}
		var again any = r
		if id != "" {
			again = m
		}
		data, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		id2, m2, shard2, r2, err := decode(key, data)
		if err != nil || id2 != id || shard2 != shard || !reflect.DeepEqual(m2, m) || !reflect.DeepEqual(r2, r) && len(r.Left) > 0 {
			t.Errorf("%s is read as %+v %+v, then as %+v %+v: %v", value, m, r, m2, r2, err)
		}
	})
}
