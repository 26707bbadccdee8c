package registry

import (
	"context"
	"errors"
	"sync"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// verdict is what the last change of a key comes to: the last one that counts.
type verdict struct {
	Change
	last uint64  // revision of the last one
	bad  *Change // it, if it does not count
}

// judges is how many changes are judged at once: each takes fifty microseconds for its
// signature, and an answer of the server's if its key was changed before.
const judges = 32

// judgeLast judges the last changes of the keys that a pattern covers, of which those before were
// not read.
func (s *Store) judgeLast(ctx context.Context, t *trust, pattern string, changes []ledger.KeyChange) ([]verdict, error) {
	counts, err := s.bucket.Counts(ctx, pattern) // behind the changes: one that is not the last one is not counted as the only one
	if err != nil {
		return nil, err
	}
	verdicts, failed := make([]verdict, len(changes)), make([]error, judges)
	var all sync.WaitGroup
	for judge := range judges {
		all.Go(func() {
			for i := judge; i < len(changes) && failed[judge] == nil; i += judges {
				verdicts[i], failed[judge] = s.judgeOne(ctx, t, changes[i], counts[changes[i].Key])
			}
		})
	}
	all.Wait()
	return verdicts, errors.Join(failed...)
}

// judgeOne judges the last change of a key, which has so many. It counts if it is the first behind
// the one that it was signed to stand behind: nothing ever leaves the bucket. If not, all of the
// key's are read for the last one that does.
func (s *Store) judgeOne(ctx context.Context, t *trust, c ledger.KeyChange, changes uint64) (verdict, error) {
	v := verdict{last: c.Revision}
	if v.Change = t.judge(c, 0); v.Err == nil {
		if v.Record.After == 0 && changes == 1 {
			return v, nil // it is the only one: most tenants' settings never change
		}
		next, err := s.bucket.Next(ctx, c.Key, v.Record.After)
		if err != nil || next == c.Revision {
			return v, err
		}
	}
	var found Change
	err := s.history(ctx, c.Key, c.Revision, t, func(change Change) error {
		if v.Change = change; v.Err == nil {
			found = change
		}
		return nil
	})
	if v.Err != nil {
		v.bad = new(v.Change)
		if found.Key != (Key{}) {
			v.Change = found
		}
	}
	return v, err
}
