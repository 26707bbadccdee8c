package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"pgregory.net/rapid"
)

// model is a fleet and a broker that do what is promised, whatever is drawn: new owners, ids
// used again, retries, malformed intents, lost answers, tenants that wait.
type model struct {
	*rapid.T
	*story
	queues map[string][]*message      // intents without an outcome, by tenant
	first  map[string]uint64          // by client order id
	failed map[string][]*order.Intent // by tenant
	live   []*message                 // accepted, and not ended
	filled map[*message]int64
}

// drawStory draws a clean ledger.
func drawStory(t *rapid.T) *model {
	m := &model{T: t, story: newStory(), queues: map[string][]*message{}, first: map[string]uint64{}, failed: map[string][]*order.Intent{}, filled: map[*message]int64{}}
	for range rapid.IntRange(0, 60).Draw(t, "steps") {
		m.now = m.now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
		tenant := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant")
		switch rapid.SampledFrom([]string{"publish", "publish", "settle", "settle", "settle", "update", "own", "release"}).Draw(t, "step") {
		case "publish":
			m.publish(tenant)
		case "settle":
			m.settle(tenant)
		case "update":
			m.follow()
		case "own":
			m.own()
		case "release":
			m.release(tenant)
		}
	}
	return m
}

func (m *model) publish(tenant string) {
	id := fmt.Sprint(rapid.IntRange(1, 30).Draw(m.T, "id"))
	kind := rapid.SampledFrom([]string{"order", "order", "order", "cancel", "retry", "malformed"}).Draw(m.T, "kind")
	failed := m.failed[tenant]
	if kind == "malformed" {
		m.queues[tenant] = append(m.queues[tenant], m.tell(ledger.Intents, tenant, fmt.Appendf(nil, `{"id":%q,"no":"field"}`, id)))
		return
	}
	in := m.ask(tenant, id, rapid.Int64Range(2, 9).Draw(m.T, "qty"))
	body := in.body.(*order.Intent)
	body.ExpiresAt = m.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(m.T, "seconds")) * time.Second)
	switch {
	case kind == "cancel":
		body.Kind, body.Order, body.Target = order.KindCancel, nil, "x"
	case kind == "retry" && len(failed) > 0:
		body.ID, body.RetryOf, body.Order = fmt.Sprintf("again-%d", in.Seq), failed[0].ID, failed[0].Order
		m.failed[tenant] = failed[1:]
	}
	m.queues[tenant] = append(m.queues[tenant], in)
}

// settle gives a tenant's first waiting intent its outcome.
func (m *model) settle(tenant string) {
	if len(m.queues[tenant]) == 0 {
		return
	}
	in := m.queues[tenant][0]
	m.queues[tenant] = m.queues[tenant][1:]
	body, ok := in.body.(*order.Intent)
	if !ok {
		id := order.PeekID(encoded(in.body))
		m.tell(ledger.Outcomes, tenant, &order.Outcome{IntentID: id, IntentSeq: in.Seq, Status: order.Invalid, Worker: m.worker(), Epoch: m.epoch, Published: in.Time})
		m.use(tenant, id, in.Seq)
		return
	}
	if first := m.use(tenant, body.ID, in.Seq); first != 0 {
		m.end(in, order.Duplicate).body.(*order.Outcome).DuplicateOf = first
		return
	}
	switch {
	case !m.now.Before(body.ExpiresAt) && body.RetryOf == "":
		m.end(in, order.Expired)
	case body.Kind == order.KindCancel:
		m.end(in, rapid.SampledFrom([]order.Status{order.Accepted, order.Rejected}).Draw(m.T, "cancelled"))
	default:
		m.drive(in, body)
	}
}

// use notes the use of an id, and returns the first one if this is not that.
func (m *model) use(tenant, id string, seq uint64) uint64 {
	key := order.ClientOrderID(tenant, id)
	if first := m.first[key]; first != 0 {
		return first
	}
	m.first[key] = seq
	return 0
}

// drive has the broker decide.
func (m *model) drive(in *message, body *order.Intent) {
	switch rapid.SampledFrom([]string{"accepted", "accepted", "rejected", "blocked", "failed", "failed, but booked"}).Draw(m.T, "fate") {
	case "accepted":
		if body.RetryOf == "" || m.now.Before(body.ExpiresAt) && !m.booked(in) {
			m.book(in)
		}
		if !m.booked(in) {
			m.end(in, order.Expired)
			return
		}
		m.end(in, order.Accepted).body.(*order.Outcome).Submitted = time.Time{}
		m.live = append(m.live, in)
	case "rejected":
		if !m.booked(in) {
			m.end(in, order.Rejected)
			return
		}
		m.end(in, order.Failed)
	case "blocked":
		if !m.booked(in) {
			m.end(in, order.Blocked)
			return
		}
		m.end(in, order.Failed)
	case "failed, but booked":
		if body.RetryOf == "" {
			m.book(in)
		}
		fallthrough
	case "failed":
		m.end(in, order.Failed)
		if body.RetryOf == "" {
			m.failed[in.Tenant] = append(m.failed[in.Tenant], body)
		}
	}
}

func (m *model) booked(in *message) bool {
	id := in.body.(*order.Intent).ClientOrderID(in.Tenant)
	for _, b := range m.bookings {
		if b.ClientOrderID == id {
			return true
		}
	}
	return false
}

// follow has the broker say something about an order.
func (m *model) follow() {
	if len(m.live) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.live)-1).Draw(m.T, "which")
	in := m.live[i]
	body := in.body.(*order.Intent)
	all := body.Order.Qty.IntPart()
	event := rapid.SampledFrom([]string{"new", "partial_fill", "fill", "canceled"}).Draw(m.T, "event")
	filled := m.filled[in]
	if event == "partial_fill" && all-filled < 2 {
		event = "fill"
	}
	switch event {
	case "new":
		m.say(in, event, 0, filled)
		return
	case "partial_fill":
		n := rapid.Int64Range(1, all-filled-1).Draw(m.T, "n")
		m.filled[in] += n
		m.say(in, event, n, filled+n)
		return
	case "fill":
		m.say(in, event, all-filled, all)
	case "canceled":
		m.say(in, event, 0, filled)
	}
	m.live = append(m.live[:i:i], m.live[i+1:]...)
}

// TestCleanLedgersAreClean: whatever happens within the rules, nothing is found, in any stretch,
// and the counts add up.
func TestCleanLedgersAreClean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawStory(t)
		all := history.Stretch{}
		part := history.Stretch{
			From: rapid.Uint64Range(0, uint64(len(m.messages))).Draw(t, "from"),
			To:   rapid.Uint64Range(0, uint64(len(m.messages))).Draw(t, "to"),
		}
		if rapid.Bool().Draw(t, "of a tenant") {
			part.Tenants = []string{"b"}
		}
		for _, st := range []history.Stretch{all, part} {
			r := m.audited(t, st)
			if !r.OK() {
				t.Errorf("%+v: %+v", st, r.Findings)
			}
			ended := -r.Earlier
			for _, n := range r.Statuses {
				ended += n
			}
			if r.Intents != ended+r.Due+r.Held+r.Unknown {
				t.Errorf("%+v: of %d intents, %d ended, %d are due, %d held, %d unknown", st, r.Intents, ended, r.Due, r.Held, r.Unknown)
			}
			if sum := r.Intents + r.Outcomes + r.Updates + r.Controls + r.Epochs; sum != r.Messages {
				t.Errorf("%+v: %d messages, not %d", st, sum, r.Messages)
			}
		}
	})
}

// TestBrokenLedgersAreNot: a message lost anywhere is found, unless it is one that nothing else
// tells of.
func TestBrokenLedgersAreNot(t *testing.T) {
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		m := drawStory(t)
		var outcomes []int
		for i, msg := range m.messages {
			if msg.Class == ledger.Outcomes {
				outcomes = append(outcomes, i)
			}
		}
		if len(outcomes) == 0 {
			return
		}
		i := rapid.SampledFrom(outcomes).Draw(t, "lost")
		m.messages = append(m.messages[:i:i], m.messages[i+1:]...)
		m.now = m.now.Add(time.Hour)
		r := m.audited(t, history.Stretch{})
		if r.OK() && r.Held == 0 {
			t.Errorf("the loss of outcome %d was not found: %+v", i+1, r)
		}
		found += r.Found()
	})
	if found == 0 {
		t.Error("nothing was ever lost")
	}
}
