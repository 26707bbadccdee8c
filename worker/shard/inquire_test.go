package shard

import (
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/session"
)

// TestStateOf: what an operator is told of a tenant is what it is to its shard.
func TestStateOf(t *testing.T) {
	since, wake := time.Now(), time.Now().Add(time.Minute)
	for _, tc := range []struct {
		name string
		make func(*shard, *served)
		want inquiry.TenantState
	}{
		{"live", func(*shard, *served) {},
			inquiry.TenantState{Phase: inquiry.Live, First: 11, Given: 15, Inbox: 1, Waiting: 1}},
		{"behind", func(_ *shard, one *served) { one.behind = true },
			inquiry.TenantState{Phase: inquiry.Behind, First: 11, Given: 15, Inbox: 1, Waiting: 1}},
		{"all but one done", func(_ *shard, one *served) { one.outcome = outcome(t, 14) },
			inquiry.TenantState{Phase: inquiry.Live, First: 15, Given: 15, Inbox: 1, Waiting: 1}},
		{"ending", func(s *shard, _ *served) { s.answer(heldAt(16)) },
			inquiry.TenantState{Phase: inquiry.Ending, First: 11, Given: 15, Waiting: 5, HeldBy: 16}},
		{"held", func(s *shard, one *served) {
			s.answer(heldAt(16))
			delete(s.live, "acme")
		}, inquiry.TenantState{Phase: inquiry.Aside, First: 12, Waiting: 5, HeldBy: 16}},
		{"set aside", func(s *shard, one *served) {
			s.answer(session.Ask{Tenant: "acme", Wake: wake, Why: order.WhyBreaker, Since: since, Rest: []session.Item{item(12)}, Doubt: session.Doubt{Intents: 1, Last: 12}})
			delete(s.live, "acme")
		}, inquiry.TenantState{Phase: inquiry.Aside, First: 12, Waiting: 3, Why: order.WhyBreaker, Since: utc(since), Until: utc(wake), Doubts: 1}},
		{"in a wait", func(_ *shard, one *served) {
			one.note = session.Note{Tenant: "acme", Why: order.WhyRateLimit, Since: since, Until: wake}
		}, inquiry.TenantState{Phase: inquiry.Live, First: 11, Given: 15, Inbox: 1, Waiting: 1, Why: order.WhyRateLimit, Since: utc(since), Until: utc(wake)}},
		{"waiting", func(s *shard, one *served) {
			delete(s.live, "acme")
			s.waiting.push("acme")
		}, inquiry.TenantState{Phase: inquiry.Waiting, First: 17, Waiting: 1}},
		{"far behind", func(s *shard, one *served) { s.gaps = map[string]*gap{"acme": {3, 9}} },
			inquiry.TenantState{Phase: inquiry.Live, First: 3, Given: 15, Inbox: 1, Waiting: 1, From: 3, Before: 9}},
		{"idle", func(s *shard, one *served) {
			delete(s.live, "acme")
			s.apply(ledger.Entry{Class: ledger.Outcomes, Tenant: "acme", Seq: 18, Data: outcome(t, 17)})
		}, inquiry.TenantState{Phase: inquiry.Idle}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, one := heldShard(t)
			tc.make(s, one)
			tc.want.Read = 20
			if got := s.stateOf("acme"); *got != tc.want {
				t.Errorf("%+v, wanted %+v", *got, tc.want)
			}
		})
	}
}
