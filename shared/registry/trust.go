package registry

import (
	"fmt"
	"slices"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// trust is whose signatures count: the lists of operators, in their order. A record is judged
// by the list that stood when it was written, so that what somebody changed stays when they
// go. Before the first list every signature counts.
type trust struct{ lists []inForce }

// inForce is a list that stands behind its own revision.
type inForce struct {
	revision uint64
	OperatorList
}

// check says whether the signer of a record that was written at a revision may sign it.
func (t *trust) check(k Key, r *Record, revision uint64) error {
	list := t.before(revision)
	if list == nil {
		if k.Kind != KindOperators {
			return nil
		}
		// The first list is made by one of those on it, who so cannot shut themselves out.
		var err error
		if list, err = Held[OperatorList](Change{Record: *r}); err != nil {
			return err
		}
	}
	if !list.may(r.Signer, k) {
		return fmt.Errorf("%w: %s", ErrNotAllowed, r.Signer)
	}
	return nil
}

func (t *trust) clone() *trust { return &trust{slices.Clone(t.lists)} }

// before is the list that stood right before a revision, nil if there was none.
func (t *trust) before(revision uint64) *OperatorList {
	for i := len(t.lists) - 1; i >= 0; i-- {
		if l := &t.lists[i]; l.revision < revision {
			return &l.OperatorList
		}
	}
	return nil
}

// take learns from a change, if it is one of the lists and counts.
func (t *trust) take(c Change) error {
	n := len(t.lists)
	if counts := c.Err == nil; !counts || c.Key != OperatorsKey || n > 0 && t.lists[n-1].revision >= c.Revision {
		return nil // it is none, or known
	}
	list, err := Held[OperatorList](c)
	if err != nil {
		return err
	}
	t.lists = append(t.lists, inForce{c.Revision, *list})
	return nil
}

// judge reads a change that stands behind the last one of its key before, and says why it does
// not count if it does not.
func (t *trust) judge(c ledger.KeyChange, last uint64) Change {
	change := Change{Name: c.Key, Revision: c.Revision, Time: c.Time}
	if change.Key, change.Err = ParseKey(c.Key); change.Err != nil {
		return change
	}
	if c.Value == nil {
		change.Err = fmt.Errorf("%w: the key was deleted", ErrMalformed)
		return change
	}
	if change.Record, change.Err = decode(change.Key, last, c.Revision, c.Value); change.Err == nil {
		change.Err = t.check(change.Key, &change.Record, c.Revision)
	}
	return change
}
