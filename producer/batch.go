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
// overtakes another. If what became of one is not known ([ErrUnknown]), or it could not be
// sent ([ErrUnsent]), the later ones of its tenant are not published: they end with
// [ErrHeldBack]. A refused intent holds back
// nobody.
func (p *Producer) PublishAll(ctx context.Context, items iter.Seq[Item]) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		b := &batch{producer: p, last: make(map[string]*job), inDoubt: make(map[string]bool)}
		defer b.abandon()
		next, stop := iter.Pull(items)
		defer stop()
		for more := true; ; {
			for more && len(b.window) < InFlight {
				var item Item
				if item, more = next(); more {
					b.add(item)
				}
			}
			if len(b.window) == 0 || !yield(b.oldest(ctx)) {
				return
			}
		}
	}
}

// batch is one PublishAll. One goroutine, the caller's, does everything: it begins as many
// publishes as may be under way, and waits for the oldest.
type batch struct {
	producer *Producer
	added    int
	window   []*job          // in the order of the items
	last     map[string]*job // each tenant's last job in the window
	inDoubt  map[string]bool // tenants of which the fate of an intent is not known, or nothing could be sent
}

// job is an item in the window.
type job struct {
	result  Result
	message *message // nil if the item cannot be published
	begun   bool
	attempt attempt
	next    *job // of the same tenant: begun when this one has ended
}

// add takes an item into the window, and begins it unless one of its tenant is ahead.
func (b *batch) add(item Item) {
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
	b.begin(j)
}

func (b *batch) begin(j *job) {
	if j.message != nil && !b.inDoubt[j.result.Item.Tenant] {
		j.begun, j.attempt = true, b.producer.begin(j.message)
	}
}

// oldest waits for the first job of the window, takes it out, and begins the next one of
// its tenant.
func (b *batch) oldest(ctx context.Context) Result {
	j := b.window[0]
	b.window = b.window[1:]
	tenant := j.result.Item.Tenant
	switch {
	case j.begun:
		j.result.Receipt, j.result.Err = b.producer.await(ctx, j.message, j.attempt)
		b.inDoubt[tenant] = errors.Is(j.result.Err, ErrUnknown) || errors.Is(j.result.Err, ErrUnsent)
	case j.message != nil:
		j.result.Err = fmt.Errorf("producer: intent %s of tenant %s: %w", j.message.id, tenant, ErrHeldBack)
	}
	if j.next != nil {
		b.begin(j.next)
	} else {
		delete(b.last, tenant)
	}
	return j.result
}

// abandon stops watching what is still under way.
func (b *batch) abandon() {
	for _, j := range b.window {
		if j.begun {
			j.attempt.end()
		}
	}
}
