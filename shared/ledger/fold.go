package ledger

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Fold is what a shard's stream amounts to: which tenants there are, which of their
// intents have no outcome and were not taken yet, and which intent ids were used
// lately. A tenant without work is an empty map entry, a waiting intent a byte or two,
// and its message as well while the fold's room for messages lasts, and the tenant's share
// of it. One goroutine owns it.
type Fold struct {
	shard   int
	waiting map[string]*backlog // nil: the tenant has no work
	ids     firsts
	// again maps a waiting intent to an earlier one that seems to bear its id.
	again map[uint64]uint64
	// messages are those of waiting intents, as many as room is for.
	messages map[uint64]message
	room     int // bytes
	share    int // of the room, for each tenant that has more than one message
}

// backlog is what waits of one tenant.
type backlog struct {
	seqs
	kept int // bytes of messages
}

// message is what the fold keeps of a waiting intent's message, if it keeps it.
type message struct {
	at   time.Time
	data []byte
}

// size is what keeping it takes.
func (m message) size() int { return len(m.data) + messageOverhead }

// messageOverhead is what a kept message costs beside its body, in bytes.
const messageOverhead = 256

// shares is how many tenants share the room: one that has a long backlog leaves room for
// the others' first intents.
const shares = 32

// NewFold is the fold of an empty stream, with room for so many bytes of messages.
func NewFold(shard, room int) *Fold {
	return &Fold{
		shard:    shard,
		waiting:  make(map[string]*backlog),
		ids:      newFirsts(),
		again:    make(map[uint64]uint64),
		messages: make(map[uint64]message),
		room:     room,
		share:    room / shares,
	}
}

// Due is an intent that has no outcome yet.
type Due struct {
	Seq uint64
	// First is the sequence number of an earlier intent that seems to bear the same id,
	// or 0. A hint, to be checked at the ledger.
	First uint64
	// Time and Data are its message's, if the fold had room for it. Otherwise Data is nil
	// and the message has to be read from the ledger.
	Time time.Time
	Data []byte
}

// Apply folds one message in. Messages must come in the order of their sequence numbers.
func (f *Fold) Apply(e Entry) error {
	switch e.Class {
	case Intents:
		f.put(e)
	case Outcomes:
		seq, err := PeekIntentSeq(e.Data)
		if err != nil {
			return fmt.Errorf("ledger: outcome at %s sequence %d: %w", StreamName(f.shard), e.Seq, err)
		}
		f.done(e.Tenant, seq)
	case Updates, Controls, Epochs:
	}
	return nil
}

func (f *Fold) put(e Entry) {
	w := f.waiting[e.Tenant]
	if w == nil {
		w = new(backlog)
		f.waiting[e.Tenant] = w
	}
	w.push(e.Seq)
	if e.Data != nil {
		f.keep(w, e.Seq, message{e.Time, e.Data})
	}
	if id := order.PeekID(e.Data); id != "" {
		if first := f.ids.put(fingerprint(e.Tenant, id), e.Seq); first != 0 {
			f.again[e.Seq] = first
		}
	}
}

// keep keeps the message of a tenant's intent, if it fits: one of each tenant may be larger
// than a share.
func (f *Fold) keep(w *backlog, seq uint64, m message) {
	size := m.size()
	if size > f.room || w.kept > 0 && w.kept+size > f.share {
		return
	}
	f.room -= size
	w.kept += size
	f.messages[seq] = m
}

// done drops a tenant's intents up to seq: outcomes come in the order of their intents.
func (f *Fold) done(tenant string, seq uint64) {
	for w := f.waiting[tenant]; w != nil && w.len() > 0 && w.first() <= seq; {
		f.take(tenant, w)
	}
}

// take removes a tenant's first waiting intent, and with the last one the list.
func (f *Fold) take(tenant string, w *backlog) Due {
	d := Due{Seq: w.pop()}
	if first, ok := f.again[d.Seq]; ok {
		d.First = first
		delete(f.again, d.Seq)
	}
	if m, ok := f.messages[d.Seq]; ok {
		d.Time, d.Data = m.at, m.data
		f.room += m.size()
		w.kept -= m.size()
		delete(f.messages, d.Seq)
	}
	if w.len() == 0 {
		f.waiting[tenant] = nil
	}
	return d
}

// Take hands out the first limit intents of a tenant that wait; the fold forgets them.
func (f *Fold) Take(tenant string, limit int) []Due {
	w := f.waiting[tenant]
	if w == nil {
		return nil
	}
	taken := make([]Due, min(limit, w.len()))
	for i := range taken {
		taken[i] = f.take(tenant, w)
	}
	return taken
}

// Waiting is how many intents of a tenant wait.
func (f *Fold) Waiting(tenant string) int {
	if w := f.waiting[tenant]; w != nil {
		return w.len()
	}
	return 0
}

// First is the sequence number of a tenant's first waiting intent, 0 if none waits.
func (f *Fold) First(tenant string) uint64 {
	if w := f.waiting[tenant]; w != nil {
		return w.first()
	}
	return 0
}

// Firsts yields the tenants with work, each with the sequence number of its first waiting
// intent.
func (f *Fold) Firsts(yield func(tenant string, seq uint64) bool) {
	for tenant, w := range f.waiting {
		if w != nil && !yield(tenant, w.first()) {
			return
		}
	}
}

// Tenants is how many tenants the ledger knows.
func (f *Fold) Tenants() int { return len(f.waiting) }

// Due yields every tenant that has waiting intents, in no order.
func (f *Fold) Due(yield func(tenant string) bool) {
	for tenant, w := range f.waiting {
		if w != nil && !yield(tenant) {
			return
		}
	}
}

// PeekIntentSeq reads of an outcome which intent it is of.
func PeekIntentSeq(outcome []byte) (uint64, error) {
	var o struct {
		IntentSeq uint64 `json:"intent_seq"`
	}
	if err := json.Unmarshal(outcome, &o); err != nil {
		return 0, err
	}
	return o.IntentSeq, nil
}
