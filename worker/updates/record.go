package updates

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// lookback is how many messages of the shard before the last update are read as well, for
// orders that are over: the feed may tell of one again that the owner before recorded.
const lookback = 1 << 12

// load reads the book.
func (f *Follower) load(ctx context.Context) error {
	f.under = nil
	last, tip, err := f.last(ctx)
	if err != nil {
		return err
	}
	from := max(last.OpenSince, 1)
	begin := min(from, max(tip, lookback)-lookback+1)
	b := newBook(f.st.Tenant, from-1)
	end := max(f.st.Inbox.Position, tip)
	if f.book != nil { // the inbox told of more
		end = max(end, f.book.seen)
	}
	err = f.read(ctx, begin, end, func(e ledger.Entry) error {
		if e.Seq >= from {
			return b.fold(e)
		}
		if e.Class != ledger.Updates {
			return nil
		}
		u, err := order.DecodeUpdate(e.Data)
		if err == nil && u.Ends() {
			b.past.Add(u.BrokerOrderID)
		}
		return err
	}, ledger.Outcomes, ledger.Updates)
	if err != nil {
		return err
	}
	b.tip = tip
	b.prune(time.Now())
	f.book = b
	return nil
}

// read reads messages of the tenant from the ledger. What makes no sense is not ours, and
// changes nothing.
func (f *Follower) read(ctx context.Context, from, end uint64, fold func(ledger.Entry) error, classes ...ledger.Class) error {
	return f.cfg.Ledger.ReadTenant(ctx, f.st.Shard, f.st.Tenant, from, end, func(e ledger.Entry) error {
		if err := fold(e); err != nil {
			f.log.Error().Err(err).Msg("a message of the ledger makes no sense; going on without it")
		}
		return nil
	}, classes...)
}

// last reads the tenant's last update until the ledger answers; a zero update and 0 if there
// is none. It fails with an [*UnreadableError] if it makes no sense, and with a [*FencedError]
// if it is of a newer owner.
func (f *Follower) last(ctx context.Context) (order.Update, uint64, error) {
	var pause backoff
	for {
		u, seq, err := f.cfg.Ledger.LastUpdate(ctx, f.st.Shard, f.st.Tenant)
		switch {
		case err == nil && u.Epoch > f.st.Epoch:
			return u, 0, f.fence(&u)
		case err == nil, errors.Is(err, ledger.ErrNone):
			return u, seq, nil
		case ctx.Err() != nil:
			return u, 0, context.Cause(ctx)
		}
		if wrong, ok := errors.AsType[*order.FieldError](err); ok {
			return u, 0, &UnreadableError{f.st.Tenant, wrong}
		}
		f.complain("the ledger", err.Error())
		if err := wait(ctx, pause.next()); err != nil {
			return u, 0, err
		}
	}
}

// written is an update on its way to the ledger.
type written struct {
	update order.Update
	entry  *entry
	ack    jetstream.PubAckFuture // nil if it is not published
	err    error                  // why not
}

// record writes an update behind the tenant's last one. It does not wait for the new one's
// acknowledgement: the next one does.
func (f *Follower) record(ctx context.Context, u order.Update) error {
	if err := f.settle(ctx); err != nil {
		return err
	}
	e := f.book.apply(&u)
	u.Worker, u.Epoch, u.OpenSince = f.cfg.Worker, f.st.Epoch, f.book.openSince()
	f.under = &written{update: u, entry: e}
	return f.publish(ctx)
}

// publish starts to write the update under way, once nothing says that another worker may
// own the shard.
func (f *Follower) publish(ctx context.Context) error {
	for f.silent() {
		if err := wait(ctx, silenceStep); err != nil {
			return err
		}
	}
	f.under.ack, f.under.err = f.cfg.Ledger.AppendUpdate(f.st.Shard, f.st.Tenant, &f.under.update, f.book.tip)
	return nil
}

// silenceStep is how often a follower looks whether it may write again.
const silenceStep = 10 * time.Millisecond

// silent says that nothing may be written now.
func (f *Follower) silent() bool {
	until := f.st.Until()
	return !until.IsZero() && !time.Now().Before(until)
}

// settle waits until the update under way stands on the ledger, whatever that takes.
func (f *Follower) settle(ctx context.Context) error {
	var pause backoff
	for f.under != nil {
		err := f.acknowledged(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !ledger.IsConflict(err) {
			f.complain("the ledger", err.Error())
			if err := wait(ctx, pause.next()); err != nil {
				return err
			}
		}
		if err := f.reread(ctx); err != nil {
			return err
		}
	}
	return nil
}

// acknowledged waits for the acknowledgement of the update under way.
func (f *Follower) acknowledged(ctx context.Context) error {
	if f.under.ack == nil {
		return f.under.err
	}
	select {
	case ack := <-f.under.ack.Ok():
		f.stood(ack.Sequence)
		return nil
	case err := <-f.under.ack.Err():
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *Follower) stood(seq uint64) {
	f.book.stood(f.under.entry, seq)
	f.under = nil
}

// reread finds out what became of the update under way, whose acknowledgement was lost or
// whose compare-and-set failed.
func (f *Follower) reread(ctx context.Context) error {
	last, seq, err := f.last(ctx)
	if err != nil {
		return err
	}
	switch u := &f.under.update; {
	case seq > f.book.tip && last.Worker == u.Worker && last.Epoch == u.Epoch && same(&last, u):
		f.stood(seq)
		return nil
	case seq != f.book.tip && seq != 0: // 0: retention took the last one
		return errStale
	}
	f.book.tip = seq
	return f.publish(ctx)
}

// same says that two updates tell of the same event.
func same(a, b *order.Update) bool {
	if a.BrokerOrderID != b.BrokerOrderID || a.Event != b.Event {
		return false
	}
	if a.FilledQty == nil || b.FilledQty == nil {
		return a.FilledQty == b.FilledQty
	}
	return a.FilledQty.Equal(*b.FilledQty)
}

func (f *Follower) fence(last *order.Update) error {
	return &FencedError{f.st.Tenant, last.Worker, last.Epoch, f.st.Epoch}
}

// wait waits for d or ctx.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
