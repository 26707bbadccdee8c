package fleet

import (
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// view is the bucket up to some revision. Changes come in their order; until it is current
// a member may be missing whose leases are there.
type view struct {
	members map[string]Member
	seen    map[string]time.Time // when we learned of each member's last heartbeat
	shards  []entry
	current bool // it has been as new as the bucket, once
}

// entry is a shard's lease and its revision in the bucket, 0 if it was never taken.
type entry struct {
	Record
	revision uint64
	// alive is when we learned of the last heartbeat of an owner that is gone, zero if we
	// never did.
	alive time.Time
}

func newView(shards int) *view {
	return &view{members: make(map[string]Member), seen: make(map[string]time.Time), shards: make([]entry, shards)}
}

// apply takes a change in of which we learn now, and says whether the assignment may depend
// on it.
func (v *view) apply(c ledger.KeyChange, now time.Time) (matters bool, err error) {
	matters = c.Current && !v.current
	v.current = v.current || c.Current
	if c.Key == ledger.AboutKey {
		return matters, nil
	}
	id, m, shard, r, err := decode(c.Key, c.Value)
	switch {
	case err != nil:
		return matters, err
	case id == "":
		if shard < len(v.shards) {
			v.shards[shard] = entry{Record: r, revision: c.Revision}
		}
		return true, nil
	case c.Value == nil:
		v.remove(id)
		return true, nil
	}
	v.seen[id] = now
	old, known := v.members[id]
	v.members[id] = m
	return matters || !known || old.stays() != m.stays() || old.Load.overloaded() != m.Load.overloaded(), nil
}

// remove takes a member out.
func (v *view) remove(id string) {
	for shard := range v.shards {
		if e := &v.shards[shard]; e.Owner == id {
			e.alive = v.seen[id]
		}
	}
	delete(v.members, id)
	delete(v.seen, id)
}

// candidates are the members that stay.
func (v *view) candidates() []candidate {
	all := make([]candidate, 0, len(v.members))
	for id, m := range v.members {
		if m.stays() {
			all = append(all, candidate{id, m.Load.overloaded()})
		}
	}
	return all
}

// holders names the staying member that owns each shard.
func (v *view) holders() []string {
	all := make([]string, len(v.shards))
	for shard, e := range v.shards {
		if m, live := v.members[e.Owner]; live && m.stays() {
			all[shard] = e.Owner
		}
	}
	return all
}

// free says that a shard has no owner, or one that is gone.
func (v *view) free(shard int) bool {
	_, live := v.members[v.shards[shard].Owner]
	return !live
}
