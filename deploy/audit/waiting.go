package audit

import (
	"sort"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
)

// account is what is known of a tenant at a place of its shard.
type account struct {
	name  string
	queue []waiting // in the order of the ledger; those that are done leave from the front
	done  uint64    // the furthest intent that has its outcome
	epoch uint64    // the newest of its outcomes
	// failed is the last outcome if that is a failure, else 0; released the last release.
	failed, released uint64
	// driven says that a request of its may have reached the broker: it has an account.
	driven bool
}

// waiting is an intent whose outcome was not read yet.
type waiting struct {
	seq     uint64
	at      time.Time
	id      string // empty if it has none that could be one
	retryOf string
	kind    order.Kind
	expires time.Time // zero if that cannot be read
	first   uint64    // the first intent with its id, if that is another one
	valid   bool
	done    bool
}

// orderID is the id after the tenant's name in the client order id of its order.
func (w *waiting) orderID() string {
	if w.retryOf != "" {
		return w.retryOf
	}
	return w.id
}

// find finds a waiting intent; nil if there is none.
func (t *account) find(seq uint64) *waiting {
	i := sort.Search(len(t.queue), func(i int) bool { return t.queue[i].seq >= seq })
	if i == len(t.queue) || t.queue[i].seq != seq || t.queue[i].done {
		return nil
	}
	return &t.queue[i]
}

// drop forgets the intents in front that have their outcome.
func (t *account) drop() {
	n := 0
	for n < len(t.queue) && t.queue[n].done {
		t.queue[n] = waiting{}
		n++
	}
	if t.queue = t.queue[n:]; len(t.queue) == 0 {
		t.queue = nil
	}
}
