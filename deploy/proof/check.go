package proof

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
)

// key identifies an intent: its tenant, which has one shard, and its place there.
type key struct {
	tenant string
	seq    uint64
}

// checker is one judgement.
type checker struct {
	Report
	h         History
	published map[key]*Intent
	answered  map[key]*Outcome // the first outcome of each intent
	claims    map[string]*claim
	stops     map[string][]*Stop // of each tenant
	traded    map[string]*traded // what each tenant under limits did
}

// claim is all there is about one client order id.
type claim struct {
	intents  []*Intent // in their order; more than one if the id was used again, or driven again
	arrivals []*Arrival
	bookings []*Booking
}

// Check judges a history.
func Check(h History) Report {
	c := &checker{
		Report:    Report{Acknowledged: len(h.Receipts), Intents: len(h.Intents), Outcomes: len(h.Outcomes)},
		h:         h,
		published: make(map[key]*Intent, len(h.Intents)),
		answered:  make(map[key]*Outcome, len(h.Outcomes)),
		claims:    make(map[string]*claim, len(h.Intents)),
		stops:     make(map[string][]*Stop),
	}
	c.index()
	c.gather()
	c.checkReceipts()
	c.checkOutcomes()
	c.checkOwners()
	for i := range h.Intents {
		c.checkIntent(&h.Intents[i])
	}
	c.checkBookings()
	c.checkArrivals()
	c.checkStops()
	c.checkLimits()
	return c.Report
}

// index sorts everything that is about one id together.
func (c *checker) index() {
	for i := range c.h.Intents {
		in := &c.h.Intents[i]
		c.published[key{in.Tenant, in.Seq}] = in
		if in.ID != "" {
			cl := c.claim(in.ClientOrderID(in.Tenant))
			cl.intents = append(cl.intents, in)
		}
	}
	for i := range c.h.Arrivals {
		if a := &c.h.Arrivals[i]; a.ClientOrderID != "" {
			cl := c.claim(a.ClientOrderID)
			cl.arrivals = append(cl.arrivals, a)
		}
	}
	for i := range c.h.Bookings {
		b := &c.h.Bookings[i]
		cl := c.claim(b.ClientOrderID)
		cl.bookings = append(cl.bookings, b)
	}
	for i := range c.h.Stops {
		s := &c.h.Stops[i]
		c.stops[s.Tenant] = append(c.stops[s.Tenant], s)
	}
}

// turn is the intent whose place the order of an id has; nil if an operator drove it again,
// at another time.
func (cl *claim) turn() *Intent {
	for _, in := range cl.intents {
		if in.RetryOf != "" {
			return nil
		}
	}
	return cl.intents[0]
}

func (c *checker) claim(id string) *claim {
	cl := c.claims[id]
	if cl == nil {
		cl = &claim{}
		c.claims[id] = cl
	}
	return cl
}

// checkReceipts: what was acknowledged is on the ledger.
func (c *checker) checkReceipts() {
	for _, r := range c.h.Receipts {
		switch in := c.published[key{r.Tenant, r.Seq}]; {
		case in == nil || in.ID != r.ID:
			c.find(MissingIntent, "%s of %s was acknowledged as %d, and is not there", r.ID, r.Tenant, r.Seq)
		case r.Digest != Digest{} && r.Digest != DigestOf(in.Intent):
			c.find(Altered, "intent %d of %s (%s) is not what was published", r.Seq, r.Tenant, r.ID)
		}
	}
}

// checkOutcomes: one an intent, in the order of the intents, by owners in their order.
func (c *checker) checkOutcomes() {
	type tip struct{ seq, epoch uint64 }
	last := make(map[string]tip)
	for i := range c.h.Outcomes {
		o := &c.h.Outcomes[i]
		k := key{o.Tenant, o.IntentSeq}
		if c.published[k] == nil {
			c.find(StrayOutcome, "outcome %d of %s is of no intent", o.Seq, o.Tenant)
			continue
		}
		if first := c.answered[k]; first != nil {
			c.find(SecondOutcome, "intent %d of %s ended as %s at %d, and as %s at %d", o.IntentSeq, o.Tenant, first.Status, first.Seq, o.Status, o.Seq)
			continue
		}
		c.answered[k] = o
		before := last[o.Tenant]
		if o.IntentSeq < before.seq {
			c.find(OutcomeOrder, "the outcome of intent %d of %s comes behind that of %d", o.IntentSeq, o.Tenant, before.seq)
		}
		if o.Epoch < before.epoch {
			c.find(Fenced, "outcome %d of %s is of epoch %d, behind one of epoch %d", o.Seq, o.Tenant, o.Epoch, before.epoch)
		}
		last[o.Tenant] = tip{max(o.IntentSeq, before.seq), max(o.Epoch, before.epoch)}
	}
}

// reign is an epoch of a shard.
type reign struct {
	shard int
	epoch uint64
}

// checkOwners: an epoch of a shard has one worker, and begins before its first outcome.
func (c *checker) checkOwners() {
	began := make(map[reign]uint64)
	for _, e := range c.h.Epochs {
		if r := (reign{e.Shard, e.Epoch.Epoch}); began[r] == 0 {
			began[r] = e.Seq
		}
	}
	owners := make(map[reign]string)
	for i := range c.h.Outcomes {
		o := &c.h.Outcomes[i]
		r := reign{o.Shard, o.Epoch}
		if from := began[r]; len(c.h.Epochs) > 0 && (from == 0 || o.Seq < from) {
			c.find(Unannounced, "outcome %d of %s is of epoch %d of shard %d, which begins at %d", o.Seq, o.Tenant, o.Epoch, o.Shard, from)
		}
		if owner, known := owners[r]; known && owner != o.Worker {
			c.find(SharedEpoch, "outcome %d of %s is by %s, but epoch %d of shard %d is that of %s", o.Seq, o.Tenant, o.Worker, o.Epoch, o.Shard, owner)
			continue
		}
		owners[r] = o.Worker
	}
}

// checkBookings: at most one order an id, in the order of the intents, each answered for.
func (c *checker) checkBookings() {
	order := newSequence()
	for i := range c.h.Bookings {
		b := &c.h.Bookings[i]
		cl := c.claims[b.ClientOrderID]
		if len(cl.intents) > 0 {
			c.Orders++
		}
		if b != cl.bookings[0] {
			c.find(SecondOrder, "the broker has %s and %s under %s", cl.bookings[0].OrderID, b.OrderID, b.ClientOrderID)
			continue
		}
		if !c.explain(cl, b) {
			continue
		}
		if in := cl.turn(); order.behind(in) {
			c.find(BookingOrder, "the order of intent %d of %s was booked behind that of %d", in.Seq, in.Tenant, order.last[in.Tenant])
		}
	}
}

// explain says whether an intent answers for an order.
func (c *checker) explain(cl *claim, b *Booking) bool {
	if len(cl.intents) == 0 {
		c.find(UnexplainedOrder, "the broker has %s under %q on the account of %s, which nobody asked for", b.OrderID, b.ClientOrderID, b.Account)
		return false
	}
	if tenant := cl.intents[0].Tenant; b.Account != "" && b.Account != tenant {
		c.find(OtherAccount, "%s is on the account of %s", b.ClientOrderID, b.Account)
	}
	denied := ""
	for _, in := range cl.intents {
		o := c.answered[key{in.Tenant, in.Seq}]
		switch {
		case o == nil, o.Status == order.Failed, o.Status == order.Accepted && Books(in.Kind):
			return true // without an outcome it is lost, which is another matter
		case o.Status != order.Duplicate || denied == "":
			denied = string(o.Status)
		}
	}
	c.find(DeniedOrder, "%s ended as %s, but the broker has order %s", b.ClientOrderID, denied, b.OrderID)
	return false
}

// checkArrivals: requests come in the order of the intents, none too late, each for an
// intent and on its tenant's account.
func (c *checker) checkArrivals() {
	order := newSequence()
	for i := range c.h.Arrivals {
		a := &c.h.Arrivals[i]
		cl := c.claims[a.ClientOrderID]
		if cl == nil || len(cl.intents) == 0 {
			c.find(StrangeRequest, "a request to %s %s on the account of %s bears the client order id %q, which is no intent's", a.Method, a.Path, a.Account, a.ClientOrderID)
			continue
		}
		if tenant := cl.intents[0].Tenant; a.Account != "" && a.Account != tenant {
			c.find(OtherAccount, "a request for %s arrived on the account of %s", a.ClientOrderID, a.Account)
		}
		if late := a.Time.Sub(cl.expires()); late > c.h.Slack && !cl.expires().IsZero() {
			c.find(Stale, "a request for %s arrived %s after it had expired", a.ClientOrderID, late)
		}
		if ended := c.ended(cl); !ended.IsZero() && a.Time.Sub(ended) > c.h.Slack {
			c.find(Afterlife, "a request for %s arrived %s after its outcome, and was answered by %d: %s", a.ClientOrderID, a.Time.Sub(ended), a.Status, c.account(cl))
		}
		if in := cl.turn(); order.behind(in) {
			c.find(ArrivalOrder, "a request for intent %d of %s arrived behind one for %d", in.Seq, in.Tenant, order.last[in.Tenant])
		}
	}
}

// account tells how the intents of an id ended.
func (c *checker) account(cl *claim) string {
	var all []string
	for _, in := range cl.intents {
		o := c.answered[key{in.Tenant, in.Seq}]
		if o == nil {
			continue
		}
		all = append(all, fmt.Sprintf("intent %d, expiring %s, ended as %s at %d %s by %s in epoch %d after %d attempts (%d %s)",
			in.Seq, in.ExpiresAt.Format(time.RFC3339Nano), o.Status, o.Seq, o.At.Format(time.RFC3339Nano), o.Worker, o.Epoch, o.Attempts, o.HTTPStatus, o.Message))
	}
	return strings.Join(all, "; ")
}

// ended is when the last intent of an id had its outcome; zero if one has none.
func (c *checker) ended(cl *claim) (last time.Time) {
	for _, in := range cl.intents {
		o := c.answered[key{in.Tenant, in.Seq}]
		if o == nil {
			return time.Time{}
		}
		if o.At.After(last) {
			last = o.At
		}
	}
	return last
}

// sequence watches that something happens in the order of each tenant's intents.
type sequence struct{ last map[string]uint64 }

func newSequence() *sequence { return &sequence{make(map[string]uint64)} }

// behind says whether an intent comes behind a later one.
func (s *sequence) behind(in *Intent) bool {
	if in == nil {
		return false
	}
	if in.Seq < s.last[in.Tenant] {
		return true
	}
	s.last[in.Tenant] = in.Seq
	return false
}
