package explain

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// tale gathers a life out of one tenant's messages, taken in the order of their shard. What it
// keeps grows with the tenant's waiting intents, not with its history.
type tale struct {
	tenant string
	what   string // as it was asked for
	root   string // the intent id within the client order id that is looked for
	seq    uint64 // or the intent that is looked for

	chapters []*chapter
	changes  []*chapter // replaces and cancels that name one of the chapters
	drops    []said     // of intents that bear the id
	updates  []update
	// hint is the root to look for instead: what was asked for leads there.
	hint string
	sure bool // the hint comes from the order itself, not from who changed it

	due   []waiting // the tenant's intents that have no outcome, in their order
	last  *past     // the tenant's last outcome
	hold  *hold     // nil unless the last outcome is a failure
	owner *owner    // of the shard, by its last epoch
	seen  int       // intents of the tenant
	name  string    // of the last one
	at    time.Time // of the last message
}

// chapter is one intent, and what happened on the ledger between it and its outcome.
type chapter struct {
	Intent
	before *past // the tenant's outcome before its own
	hold   *hold // what held the tenant up to it
	taken  []owner
	said   []said
}

type waiting struct {
	seq uint64
	id  string
}

// past is an outcome that came before.
type past struct {
	id        string
	seq       uint64 // its own
	status    order.Status
	committed time.Time
}

// hold is a failure that holds a tenant, if that is its policy, and what let it go on.
type hold struct {
	failed  past
	release *said // nil if nobody said anything
}

type owner struct {
	seq uint64
	at  time.Time
	ledger.Epoch
}

type said struct {
	at time.Time
	order.Control
}

type update struct {
	at  time.Time
	leg bool // it is of an order that hangs on the life's
	order.Update
}

// newTale is the tale of what somebody asks for: an intent id, a client order id, a broker
// order id, or # and a sequence number.
func newTale(tenant, what string) *tale {
	t := &tale{tenant: tenant, what: what, root: what}
	if _, id, ok := order.ParseClientOrderID(what); ok {
		t.root = id
	}
	if n, ok := strings.CutPrefix(what, "#"); ok {
		if seq, err := strconv.ParseUint(n, 10, 64); err == nil {
			t.root, t.seq = "", seq
		}
	}
	return t
}

// take takes one message in.
func (t *tale) take(e ledger.Entry) {
	t.at = e.Time
	switch e.Class {
	case ledger.Intents:
		t.intent(e)
	case ledger.Outcomes:
		if o, err := order.DecodeOutcome(e.Data); err == nil { // what makes no sense ends nothing
			t.outcome(e, o)
		}
	case ledger.Updates:
		if u, err := order.DecodeUpdate(e.Data); err == nil {
			t.update(e, u)
		}
	case ledger.Controls:
		if c, err := order.DecodeControl(e.Data); err == nil {
			t.control(said{e.Time, c})
		}
	case ledger.Epochs:
		if began, err := ledger.DecodeEpoch(e.Data); err == nil {
			t.epoch(owner{e.Seq, e.Time, began})
		}
	}
}

func (t *tale) intent(e ledger.Entry) {
	id := order.PeekID(e.Data)
	t.seen++
	t.name = id
	t.due = append(t.due, waiting{e.Seq, id})
	if !t.mentioned(e.Data) && e.Seq != t.seq {
		return
	}
	c := &chapter{Intent: Intent{ID: id, Seq: e.Seq, Published: e.Time, By: e.By()}}
	in, err := order.DecodeIntent(e.Data)
	if err != nil {
		c.Problem = err.Error()
	} else {
		c.Intent.Intent = &in
	}
	switch {
	case in.RetryOf != "" && in.RetryOf == t.root:
		c.Role = Retry
	case t.root != "" && id == t.root && in.RetryOf == "", e.Seq == t.seq:
		c.Role = Again
		if !t.has(First) {
			c.Role = First
		}
	case in.Target != "" && t.bears(in.Target):
		t.changes = append(t.changes, c)
		return
	}
	if t.root != "" && id == t.root && in.RetryOf != "" || e.Seq == t.seq && id != "" && err == nil { // it is of another one's life
		t.lead(idWithin(in.ClientOrderID(t.tenant)), true)
	}
	if c.Role != "" {
		t.chapters = append(t.chapters, c)
	}
}

// mentioned says that a message may be about the life: it has the id in it, or may have it in
// other letters.
func (t *tale) mentioned(data []byte) bool {
	if t.root == "" {
		return false
	}
	if bytes.Contains(data, []byte(t.root)) || bytes.Contains(data, []byte(`\u`)) {
		return true
	}
	for _, c := range t.chapters { // one that drove the first again may be named, too
		if c.Role == Retry && bytes.Contains(data, []byte(c.ID)) {
			return true
		}
	}
	return false
}

func (t *tale) has(r Role) bool {
	for _, c := range t.chapters {
		if c.Role == r {
			return true
		}
	}
	return false
}

// bears says that an intent with this id bears the client order id.
func (t *tale) bears(id string) bool {
	if id == t.root {
		return true
	}
	for _, c := range t.chapters {
		if c.ID == id {
			return true
		}
	}
	return false
}

// sought says that a broker order id is what was asked for, and has led nowhere yet.
func (t *tale) sought(id string) bool { return id == t.root && id != "" && t.root == t.what }

// lead notes where to look instead.
func (t *tale) lead(root string, sure bool) {
	if root != "" && root != t.root && (t.hint == "" || sure && !t.sure) {
		t.hint, t.sure = root, sure
	}
}

// idWithin is the intent id within a client order id, empty if it is none of ours.
func idWithin(clientOrderID string) string {
	_, id, _ := order.ParseClientOrderID(clientOrderID)
	return id
}

func (t *tale) outcome(e ledger.Entry, o order.Outcome) {
	for len(t.due) > 0 && t.due[0].seq <= o.IntentSeq { // outcomes come in the order of their intents
		t.due = t.due[1:]
	}
	if o.Committed.IsZero() { // not written by a worker of ours
		o.Committed = e.Time
	}
	if t.sought(o.BrokerOrderID) {
		t.lead(idWithin(o.ClientOrderID), o.Kind != order.KindCancel)
	}
	c := t.of(o)
	if c != nil {
		c.Outcome, c.OutcomeSeq = &o, e.Seq
		c.before, c.hold = t.last, t.hold
	}
	t.last = &past{o.IntentID, e.Seq, o.Status, o.Committed}
	t.hold = nil
	if o.Status == order.Failed {
		t.hold = &hold{failed: *t.last}
	}
}

// of is the chapter of an outcome; nil if it is none of this life. One whose intent is not in
// the source begins with it.
func (t *tale) of(o order.Outcome) *chapter {
	for _, all := range [][]*chapter{t.chapters, t.changes} {
		for _, c := range all {
			if c.Seq == o.IntentSeq {
				return c
			}
		}
	}
	own := t.root != "" && o.Kind != order.KindCancel && (o.IntentID == t.root || idWithin(o.ClientOrderID) == t.root)
	if !own && (t.seq == 0 || o.IntentSeq != t.seq) {
		return nil
	}
	c := &chapter{Intent: Intent{Role: First, ID: o.IntentID, Seq: o.IntentSeq, Published: o.Published, Problem: "it is not in what was read: older than that, or removed by retention"}}
	switch {
	case o.IntentID != t.root && t.root != "":
		c.Role = Retry
	case t.has(First):
		c.Role = Again
	}
	t.chapters = append(t.chapters, c)
	return c
}

func (t *tale) update(e ledger.Entry, u order.Update) {
	if t.sought(u.BrokerOrderID) || t.sought(u.ReplacedBy) {
		t.lead(cmp.Or(idWithin(u.ClientOrderID), u.IntentID), t.sought(u.BrokerOrderID))
	}
	own := idWithin(u.ClientOrderID)
	if t.root != "" && (own == t.root || own == "" && t.bears(u.IntentID)) { // the broker made up the id of a leg
		t.updates = append(t.updates, update{e.Time, own == "", u})
	}
}

func (t *tale) control(s said) {
	switch s.Verb {
	case order.Drop:
		if t.bears(s.IntentID) {
			t.drops = append(t.drops, s)
		}
		return
	case order.Release:
		if t.hold != nil {
			t.hold.release = &s
		}
	}
	for _, c := range t.open() {
		c.said = append(c.said, s)
	}
}

func (t *tale) epoch(o owner) {
	t.owner = &o
	for _, c := range t.open() {
		c.taken = append(c.taken, o)
	}
}

// open are the chapters that have no outcome yet.
func (t *tale) open() []*chapter {
	var all []*chapter
	for _, c := range t.chapters {
		if c.Outcome == nil {
			all = append(all, c)
		}
	}
	return all
}
