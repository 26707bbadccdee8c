package producer

import (
	"context"
	"errors"
	"fmt"
	"iter"

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
// overtakes another. If what became of one is not known ([ErrUnknown]), the later ones of
// its tenant are not published: they end with [ErrHeldBack]. A refused intent holds back
// nobody.
func (p *Producer) PublishAll(ctx context.Context, items iter.Seq[Item]) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		b := &batch{producer: p, lanes: make(map[string]*lane)}
		defer b.wait() // after cancel: what is under way ends with it
		defer cancel()
		next, stop := iter.Pull(items)
		defer stop()
		for index, more := 0, true; ; {
			for more && len(b.window) < InFlight {
				item, ok := next()
				if more = ok && ctx.Err() == nil; more {
					b.add(ctx, index, item)
					index++
				}
			}
			if len(b.window) == 0 || !yield(b.oldest()) {
				return
			}
		}
	}
}

// batch is one PublishAll. Its fields belong to the caller's goroutine.
type batch struct {
	producer *Producer
	window   []*job // in the order of the items
	lanes    map[string]*lane
}

// job is one item under way.
type job struct {
	result Result
	done   chan struct{} // closed when result is there
}

// lane is a tenant's jobs, which follow each other.
type lane struct {
	last *job // whose end the next one waits for
}

// add begins an item.
func (b *batch) add(ctx context.Context, index int, item Item) {
	j := &job{Result{Index: index, Item: item}, make(chan struct{})}
	b.window = append(b.window, j)
	l := b.lanes[item.Tenant]
	if l == nil {
		l = &lane{}
		b.lanes[item.Tenant] = l
	}
	before := l.last
	l.last = j
	go func() {
		defer close(j.done)
		if before != nil {
			<-before.done
			if err := before.result.Err; errors.Is(err, ErrUnknown) || errors.Is(err, ErrHeldBack) {
				j.result.Err = fmt.Errorf("producer: intent %q of tenant %s: %w", item.Intent.ID, item.Tenant, ErrHeldBack)
				return
			}
		}
		j.result.Receipt, j.result.Err = b.producer.Publish(ctx, item.Tenant, item.Intent)
	}()
}

// oldest waits for the first job of the window and takes it out.
func (b *batch) oldest() Result {
	j := b.window[0]
	b.window = b.window[1:]
	<-j.done
	return j.result
}

// wait waits for what is still under way.
func (b *batch) wait() {
	for _, j := range b.window {
		<-j.done
	}
}
