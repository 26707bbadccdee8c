package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

const (
	// saveInterval is how often the low watermark of a served shard is written, if it
	// has moved.
	saveInterval = 5 * time.Second
	// writeTimeout bounds one write to the bucket, saveTimeout one that nobody needs.
	writeTimeout = 2 * time.Second
	saveTimeout  = 500 * time.Millisecond
	// maxLeft bounds the tenants that a lease names; if there are more, all are in doubt.
	maxLeft = 1000
)

// holding is a shard that a member takes, serves and gives back. Its own goroutine runs
// all of that; the term's goroutine only closes draining and cancels.
type holding struct {
	bucket   *ledger.Bucket
	record   Record // as we wrote it last
	revision uint64 // of that
	lease    Lease
	draining chan struct{}
	cancel   context.CancelCauseFunc
}

// hold makes a holding of a shard whose lease was found free.
func (t *term) hold(shard int, found entry, cancel context.CancelCauseFunc) *holding {
	h := &holding{
		bucket:   t.bucket,
		record:   Record{Owner: t.id, Epoch: max(found.Epoch, t.newer[shard]) + 1, Mark: found.Mark},
		revision: found.revision,
		draining: make(chan struct{}),
		cancel:   cancel,
	}
	h.lease = Lease{
		Shard: shard, Epoch: h.record.Epoch, Mark: found.Mark, Legacy: t.legacy(found),
		Draining: h.draining, term: t.deadline, mark: new(atomic.Pointer[Mark]),
	}
	h.lease.mark.Store(&found.Mark)
	return h
}

// legacy is what the last owner of a lease left. One whose heartbeat ran out had been silent
// before.
func (t *term) legacy(found entry) Legacy {
	now := time.Now()
	switch found.Owner {
	case "":
		return Legacy{Clean: found.Clean, Tenants: found.Left, Before: now}
	case t.id: // its release failed
		return Legacy{Before: now}
	}
	before := now.Add(-t.silence())
	if since := found.alive.Add(t.quiet()); !found.alive.IsZero() && since.Before(before) {
		before = since // the server takes its time to remove a key
	}
	return Legacy{Before: before}
}

// run takes the shard, serves it, and gives it back.
func (h *holding) run(ctx context.Context, serve Serve) error {
	if err := h.write(ctx); err != nil {
		return fmt.Errorf("fleet: take shard %d: %w", h.lease.Shard, err)
	}
	served := make(chan end, 1)
	go func() {
		left, err := serve(ctx, h.lease)
		served <- end{left, err}
	}()
	ticker := time.NewTicker(saveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := h.save(ctx); ledger.IsConflict(err) {
				h.cancel(ErrLost) // it was taken from us
			}
		case e := <-served:
			return errors.Join(e.err, h.release(ctx, e))
		}
	}
}

// end is how the serving of a shard ended.
type end struct {
	left Legacy
	err  error
}

// write makes the record in the bucket what ours says.
func (h *holding) write(ctx context.Context) error {
	value, err := json.Marshal(h.record)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	revision, err := h.bucket.Put(ctx, shardKey(h.lease.Shard), value, h.revision, 0)
	if err != nil {
		return err
	}
	h.revision = revision
	return nil
}

// save writes the low watermark if it has moved. That it could not be written costs the
// next owner some reading and nothing else.
func (h *holding) save(ctx context.Context) error {
	mark := *h.lease.mark.Load()
	if mark.Low == h.record.Low && maps.Equal(mark.Behind, h.record.Behind) {
		return nil
	}
	h.record.Mark = mark
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	return h.write(ctx)
}

// errUnreleased says that a lease may bear our name although we serve its shard no more.
var errUnreleased = errors.New("fleet: the lease could not be released")

// release clears the owner, so that the next one can start at once. After the loss of the
// membership there is nothing to release. If it fails, whoever owns the shard then, the view
// will tell: another, or still we.
func (h *holding) release(ctx context.Context, e end) error {
	if errors.Is(context.Cause(ctx), ErrLost) {
		return nil
	}
	if newer, ok := errors.AsType[*NewerError](e.err); ok {
		h.record.Epoch = max(h.record.Epoch, newer.Epoch)
	}
	h.record.Owner, h.record.Mark = "", *h.lease.mark.Load()
	if e.err == nil && e.left.Clean && len(e.left.Tenants) <= maxLeft {
		h.record.Clean, h.record.Left = true, e.left.Tenants
	}
	if err := h.write(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("%w: shard %d: %w", errUnreleased, h.lease.Shard, err)
	}
	return nil
}

// drain asks for the shard to be given up in peace. The term's goroutine calls it.
func (h *holding) drain() {
	select {
	case <-h.draining:
	default:
		close(h.draining)
	}
}
