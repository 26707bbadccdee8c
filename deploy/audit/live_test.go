package audit_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// TestAnybodyGetsTheSameDigest: from the running ledger, again, and from an export of it, of all
// and of a part; and another ledger with the same orders has another one.
func TestAnybodyGetsTheSameDigest(t *testing.T) {
	s := newStory()
	for i := range 60 {
		in := s.ask(string(rune('a'+i%3)), fmt.Sprint(i), 2)
		s.accept(in)
		s.say(in, "fill", 2, 2)
	}
	digest := func(src history.Source, st history.Stretch) string {
		t.Helper()
		r, err := audit.Run(t.Context(), src, nil, st, audit.Options{})
		if err != nil || !r.OK() || r.Messages == 0 {
			t.Fatalf("%v: %+v", err, r)
		}
		return r.Digest
	}
	var digests []string
	for range 2 {
		l, _ := ledgertest.Open(t, 1)
		publish(t, l, s)
		live := history.Live(l)
		for _, st := range []history.Stretch{{}, {From: 20, To: 90}, {Tenants: []string{"b"}, From: 5}} {
			path := filepath.Join(t.TempDir(), "x.zip")
			if _, err := history.Export(t.Context(), live, st, path, func(string, int, int) {}); err != nil {
				t.Fatal(err)
			}
			a, err := history.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			one := digest(live, st)
			if again := digest(live, st); again != one {
				t.Errorf("%+v: read again it is %s, was %s", st, again, one)
			}
			for _, asked := range []history.Stretch{st, {}} {
				if exported := digest(a, asked); exported != one {
					t.Errorf("%+v: of the export it is %s, of the ledger %s", st, exported, one)
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			digests = append(digests, one)
		}
	}
	slices.Sort(digests)
	if n := len(slices.Compact(digests)); n != 6 {
		t.Errorf("%d different digests of 6 stretches", n)
	}
}

// TestShardsAreAuditedApart: several shards, one of them without a message.
func TestShardsAreAuditedApart(t *testing.T) {
	l, nc := ledgertest.Open(t, 4)
	for _, tenant := range []string{"a", "b", "c"} {
		if _, err := l.JetStream().PublishMsg(t.Context(), &nats.Msg{Subject: ledger.PublishSubject(tenant), Data: []byte("{")}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.JetStream().Publish(t.Context(), ledger.Outcomes.Subject(l.ShardOf(tenant), tenant), []byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := audit.Run(t.Context(), history.Live(l), nil, history.Stretch{}, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Violations[audit.Unreadable] != 3 || r.Due != 3 || r.Messages != 6 {
		t.Errorf("%+v", r)
	}
	for _, f := range r.Findings {
		if f.Shard != l.ShardOf(f.Tenant) {
			t.Errorf("%s is found in shard %d", f.Tenant, f.Shard)
		}
	}
}
