package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// watch is one run of a registry. Its goroutine alone changes the registry.
type watch struct {
	*Registry
	trust *trust
	// first are the last changes of the keys that were there at the beginning, until all are;
	// nil afterwards.
	first map[string]ledger.KeyChange
}

// pause is until the bucket is looked for again.
const pause = 250 * time.Millisecond

// Run reads the bucket, and then every change, until ctx ends, or the first error that waiting
// cannot cure. It is called once.
func (r *Registry) Run(ctx context.Context) error {
	end, err := r.store.bucket.End(ctx)
	for err != nil && ledger.Transient(err) {
		if err := wait(ctx); err != nil {
			return err
		}
		end, err = r.store.bucket.End(ctx)
	}
	if err != nil {
		return err
	}
	w := &watch{Registry: r, trust: new(trust), first: make(map[string]ledger.KeyChange)}
	if end == 0 {
		w.publish(0, nil) // nothing will say that this is all
	}
	return r.store.bucket.Watch(ctx, func(c ledger.KeyChange) error {
		if w.first == nil {
			return w.take(c)
		}
		w.first[c.Key] = c
		if !c.Current {
			return nil
		}
		return w.load(ctx, c.Revision)
	})
}

func wait(ctx context.Context) error {
	select {
	case <-time.After(pause/2 + rand.N(pause)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// verdict is what the last change of a key comes to: the last one that counts.
type verdict struct {
	Change
	last uint64  // revision of the last one
	bad  *Change // it, if it does not count
}

// load takes in what was there at the beginning.
func (w *watch) load(ctx context.Context, end uint64) error {
	for {
		verdicts, err := w.judgeFirst(ctx)
		if err == nil {
			w.first = nil
			w.publish(end, verdicts)
			for _, v := range verdicts {
				if v.bad != nil {
					w.rejected(*v.bad)
				}
			}
			return nil
		}
		if !ledger.Transient(err) {
			return err
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

// judges is how many of the first changes are judged at once: each takes fifty microseconds for
// its signature, and an answer of the server's if its key was changed before.
const judges = 32

// judgeFirst judges the keys' last changes, by whose signatures count in the end and did
// before.
func (w *watch) judgeFirst(ctx context.Context) ([]verdict, error) {
	t, err := w.store.trust(ctx)
	if err != nil {
		return nil, err
	}
	w.trust = t.clone()
	counts, err := w.store.bucket.Counts(ctx) // behind the first changes: one that is not the last one is not counted as the only one
	if err != nil {
		return nil, err
	}
	changes := make([]ledger.KeyChange, 0, len(w.first))
	for _, c := range w.first {
		changes = append(changes, c)
	}
	verdicts, failed := make([]verdict, len(changes)), make([]error, judges)
	var all sync.WaitGroup
	for judge := range judges {
		all.Go(func() {
			for i := judge; i < len(changes) && failed[judge] == nil; i += judges {
				verdicts[i], failed[judge] = w.judgeLast(ctx, changes[i], counts[changes[i].Key])
			}
		})
	}
	all.Wait()
	return verdicts, errors.Join(failed...)
}

// judgeLast judges the last change of a key, of which those before were not read, and which has
// so many. It counts if it is the first behind the one that it was signed to stand behind:
// nothing ever leaves the bucket. If not, all of the key's are read for the last one that does.
func (w *watch) judgeLast(ctx context.Context, c ledger.KeyChange, changes uint64) (verdict, error) {
	v := verdict{last: c.Revision}
	if v.Change = w.trust.judge(c, 0); v.Err == nil {
		if v.Record.After == 0 && changes == 1 {
			return v, nil // it is the only one: most tenants' settings never change
		}
		next, err := w.store.bucket.Next(ctx, c.Key, v.Record.After)
		if err != nil || next == c.Revision {
			return v, err
		}
	}
	var found Change
	err := w.store.history(ctx, c.Key, c.Revision, w.trust, func(change Change) error {
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

// take takes in one change, of which all before are in.
func (w *watch) take(c ledger.KeyChange) error {
	v := verdict{Change: w.trust.judge(c, w.book.entries[c.Key].last), last: c.Revision}
	if v.Err != nil {
		w.rejected(v.Change)
	}
	if err := w.trust.take(v.Change); err != nil {
		return err
	}
	w.publish(c.Revision, []verdict{v})
	return nil
}

// publish makes what was found the registry's, up to a revision.
func (w *watch) publish(revision uint64, verdicts []verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range verdicts {
		w.book.put(v)
		w.forget(v.Key)
	}
	w.revision, w.loaded = revision, true
	close(w.changed)
	w.changed = make(chan struct{})
}

// forget drops the terms that a key's change may concern.
func (w *watch) forget(k Key) {
	switch {
	case k.Tenant() != "":
		delete(w.terms, k.Tenant())
	case k.Kind == KindLimits || k.Kind == KindSwitch:
		w.terms = make(map[string]*tenant.Terms)
	}
}
