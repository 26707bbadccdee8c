package fleet

import "github.com/orderfleet/orderfleet/shared/ledger"

// view is the bucket up to some revision. Changes come in their order; until it is current
// a member may be missing whose leases are there.
type view struct {
	members map[string]Member
	shards  []entry
	current bool // it has been as new as the bucket, once
}

// entry is a shard's lease and its revision in the bucket, 0 if it was never taken.
type entry struct {
	Record
	revision uint64
}

func newView(shards int) *view {
	return &view{members: make(map[string]Member), shards: make([]entry, shards)}
}

// apply takes a change in, and says whether the assignment may depend on it.
func (v *view) apply(c ledger.KeyChange) (matters bool, err error) {
	matters = c.Current && !v.current
	v.current = v.current || c.Current
	id, m, shard, r, err := decode(c.Key, c.Value)
	switch {
	case err != nil:
		return matters, err
	case id == "":
		if shard < len(v.shards) {
			v.shards[shard] = entry{r, c.Revision}
		}
		return true, nil
	case c.Value == nil:
		delete(v.members, id)
		return true, nil
	}
	old, known := v.members[id]
	v.members[id] = m
	return matters || !known || old.Draining != m.Draining || old.Load.overloaded() != m.Load.overloaded(), nil
}

// candidates are the members that stay.
func (v *view) candidates() []candidate {
	all := make([]candidate, 0, len(v.members))
	for id, m := range v.members {
		if !m.Draining {
			all = append(all, candidate{id, m.Load.overloaded()})
		}
	}
	return all
}

// holders names the staying member that owns each shard.
func (v *view) holders() []string {
	all := make([]string, len(v.shards))
	for shard, e := range v.shards {
		if m, live := v.members[e.Owner]; live && !m.Draining {
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
