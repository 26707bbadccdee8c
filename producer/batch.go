package producer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/orderfleet/orderfleet/shared/order"
)

// InFlight is how many intents of one [Producer.PublishAll] are under way at most.
const InFlight = 256

// Item is an intent of a tenant.
type Item struct {
	Tenant string
	Intent order.Intent
}

// Result is what became of an item.
type Result struct {
	Index   int // of the item, from 0
	Item    Item
	Receipt Receipt
	Err     error // of this item alone
}

// PublishAll publishes items, at most [InFlight] at a time, and yields a result for each,
// in their order. Items are read as room comes free; stop reading results, or end ctx, to
// stop it.
//
// A tenant's intents are published one after the other's acknowledgement, so that none
// overtakes another; tenants do not wait for each other. Each intent is tried as
// [Producer.Publish] does, for as long, from when its turn has come. If what became of one
// is not known ([ErrUnknown]), or it could not be sent ([ErrUnsent]), the later ones of its
// tenant are not published: they end with [ErrHeldBack]. A refused intent holds back
// nobody.
func (p *Producer) PublishAll(ctx context.Context, items iter.Seq[Item]) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		b := &batch{producer: p, last: make(map[string]*job), inDoubt: make(map[string]bool)}
		defer b.running.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		next, stop := iter.Pull(items)
		defer stop()
		for more := true; ; {
			for more && len(b.window) < InFlight {
				var item Item
				if item, more = next(); more {
					b.add(ctx, item)
				}
			}
			if len(b.window) == 0 || !yield(b.oldest(ctx)) {
				return
			}
		}
	}
}

// batch is one PublishAll. One goroutine, the caller's, owns it and begins the publishes;
// each that is under way has a goroutine that waits for it, and tries again.
type batch struct {
	producer *Producer
	added    int
	window   []*job          // in the order of the items
	last     map[string]*job // each tenant's last job in the window
	inDoubt  map[string]bool // tenants of which the fate of an intent is not known, or nothing could be sent
	running  sync.WaitGroup
}

// job is an item in the window.
type job struct {
	result  Result        // once it is begun, of its goroutine until done is closed
	message *message      // nil if the item cannot be published
	done    chan struct{} // nil until it is begun
	next    *job          // of the same tenant: begun when this one is taken out
}

// add takes an item into the window, and begins it unless one of its tenant is ahead.
func (b *batch) add(ctx context.Context, item Item) {
	j := &job{result: Result{Index: b.added, Item: item}}
	b.added++
	j.message, j.result.Err = b.producer.prepare(item.Tenant, item.Intent)
	b.window = append(b.window, j)
	ahead := b.last[item.Tenant]
	b.last[item.Tenant] = j
	if ahead != nil {
		ahead.next = j
		return
	}
	b.begin(ctx, j)
}

func (b *batch) begin(ctx context.Context, j *job) {
	if j.message == nil || b.inDoubt[j.result.Item.Tenant] {
		return
	}
	j.done = make(chan struct{})
	first := b.producer.begin(ctx, j.message)
	b.running.Go(func() {
		defer close(j.done)
		j.result.Receipt, j.result.Err = b.producer.finish(ctx, j.message, first)
	})
}

// oldest waits for the first job of the window, takes it out, and begins the next one of
// its tenant.
func (b *batch) oldest(ctx context.Context) Result {
	j := b.window[0]
	b.window = b.window[1:]
	tenant := j.result.Item.Tenant
	switch {
	case j.done != nil:
		<-j.done
		if errors.Is(j.result.Err, ErrUnknown) || errors.Is(j.result.Err, ErrUnsent) {
			b.inDoubt[tenant] = true
		}
	case j.message != nil:
		j.result.Err = fmt.Errorf("producer: intent %s of tenant %s: %w", j.message.id, tenant, ErrHeldBack)
	}
	if j.next != nil {
		b.begin(ctx, j.next)
	} else {
		delete(b.last, tenant)
	}
	return j.result
}
