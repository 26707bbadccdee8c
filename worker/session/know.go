package session

import (
	"context"
	"errors"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/plant"
	"github.com/orderfleet/orderfleet/worker/risk"
)

// know folds from the ledger what the tenant's checks have to know and do not. All of the
// tenant's outcomes are there then: it waits for the one under way.
func (s *Session) know(ctx context.Context, t *task) error {
	c := &s.checks
	wantsBook := c.book == nil && !c.rules.Scope().Empty()
	wantsFlood := c.flood == nil && c.rules.Floods()
	if !wantsBook && !wantsFlood {
		return nil
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	if wantsBook {
		_, err := persist(ctx, s, "read what the tenant's limits count", s.pause, func() (struct{}, error) {
			return struct{}{}, s.readBook(ctx, t.outcome.Published)
		})
		if err != nil {
			return err
		}
	}
	if wantsFlood {
		_, err := persist(ctx, s, "read how fast the tenant publishes", s.pause, func() (struct{}, error) {
			return struct{}{}, s.readFlood(ctx, t.outcome.IntentSeq, t.outcome.Published)
		})
		if err != nil {
			return err
		}
	}
	c.done = s.done
	return nil
}

// skew is how far the clocks of a worker and a server may be apart.
const skew = time.Minute

// readBook folds the tenant's book: from the horizon of what it counts on, or from where its
// updates say that open orders are told of, whichever is earlier; up to its last outcome, which
// the session knows, and its last update. By the server's clock it is later than published.
func (s *Session) readBook(ctx context.Context, published time.Time) error {
	scope := s.checks.rules.Scope()
	if plant.Is(plant.Limits) {
		s.checks.book, s.checks.told = risk.NewBook(s.tenant, scope), s.tip
		return nil
	}
	from, err := s.cfg.Ledger.Since(ctx, s.shard, published.Add(-scope.Horizon()-skew))
	if err != nil {
		return err
	}
	began := time.Now()
	classes := []ledger.Class{ledger.Outcomes}
	var told uint64
	if scope.Day || scope.Open {
		var last order.Update
		last, told, err = s.cfg.Ledger.LastUpdate(ctx, s.shard, s.tenant)
		if err != nil && !errors.Is(err, ledger.ErrNone) {
			return err
		}
		if scope.Open {
			from = min(from, max(last.OpenSince, 1))
		}
		classes = append(classes, ledger.Updates)
	}
	end := max(s.tip, told)
	f := folding{session: s, ctx: ctx, book: risk.NewBook(s.tenant, scope)}
	if err := s.cfg.Ledger.ReadTenant(ctx, s.shard, s.tenant, from, end, f.take, classes...); err != nil {
		return err
	}
	if err := f.flush(); err != nil {
		return err
	}
	s.checks.book, s.checks.told, s.checks.looked = f.book, end, began
	return nil
}

// folding folds a tenant's outcomes and updates, some at a time: those that do not say what
// their orders count as need their intents.
type folding struct {
	session *Session
	ctx     context.Context
	book    *risk.Book
	waiting []any // *order.Outcome and *order.Update
	intents []uint64
}

const foldAtOnce = 256

func (f *folding) take(e ledger.Entry) error {
	switch e.Class {
	case ledger.Outcomes:
		o, err := order.DecodeOutcome(e.Data)
		if err != nil {
			return f.strange(e, err)
		}
		if o.Counted == nil && risk.Sent(&o) {
			f.intents = append(f.intents, o.IntentSeq)
		}
		f.waiting = append(f.waiting, &o)
	case ledger.Updates:
		u, err := order.DecodeUpdate(e.Data)
		if err != nil {
			return f.strange(e, err)
		}
		f.waiting = append(f.waiting, &u)
	case ledger.Intents, ledger.Controls, ledger.Epochs:
	}
	if len(f.waiting) < foldAtOnce {
		return nil
	}
	return f.flush()
}

// strange passes over what makes no sense: no worker of ours wrote it.
func (f *folding) strange(e ledger.Entry, err error) error {
	f.session.log.Error().Err(err).Uint64("seq", e.Seq).Msg("a message of the ledger makes no sense; the limits go on without it")
	return nil
}

func (f *folding) flush() error {
	derived := make(map[uint64]*order.Counted)
	if len(f.intents) > 0 {
		entries, err := f.session.reader.Read(f.ctx, f.session.shard, f.intents)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if in, err := order.DecodeIntent(e.Data); err == nil {
				derived[e.Seq] = risk.Derive(&in)
			}
		}
	}
	for _, one := range f.waiting {
		switch m := one.(type) {
		case *order.Outcome:
			f.book.Outcome(m, derived[m.IntentSeq])
		case *order.Update:
			f.book.Update(m)
		}
	}
	f.waiting, f.intents = f.waiting[:0], f.intents[:0]
	return nil
}

// catchUp brings the book up to the tenant's last update.
func (s *Session) catchUp(ctx context.Context) error {
	c := &s.checks
	began := time.Now()
	_, err := persist(ctx, s, "read the tenant's updates", s.pause, func() (struct{}, error) {
		_, last, err := s.cfg.Ledger.LastUpdate(ctx, s.shard, s.tenant)
		if err != nil || last <= c.told {
			return struct{}{}, err
		}
		var updates []order.Update // all or none: it may be tried again
		err = s.cfg.Ledger.ReadTenant(ctx, s.shard, s.tenant, c.told+1, last, func(e ledger.Entry) error {
			u, err := order.DecodeUpdate(e.Data)
			if err == nil {
				updates = append(updates, u)
			}
			return nil
		}, ledger.Updates)
		if err != nil {
			return struct{}{}, err
		}
		for i := range updates {
			c.book.Update(&updates[i])
		}
		c.told = last
		return struct{}{}, nil
	})
	if err != nil && !errors.Is(err, ledger.ErrNone) {
		return err
	}
	c.looked = began
	return nil
}

// readFlood reads where the tenant's outcomes stand behind an intent, and when the intents of
// the minute before it were published: no more of the past is asked for.
func (s *Session) readFlood(ctx context.Context, seq uint64, published time.Time) error {
	f := s.checks.rules.NewFlood()
	backlog, rate := f.Counts()
	if rate {
		from, err := s.cfg.Ledger.Since(ctx, s.shard, published.Add(-time.Minute))
		if err != nil {
			return err
		}
		err = s.cfg.Ledger.ReadTenant(ctx, s.shard, s.tenant, from, seq, func(e ledger.Entry) error {
			f.Published(e.Seq, e.Time)
			return nil
		}, ledger.Intents)
		if err != nil {
			return err
		}
		f.Published(seq, published) // should a reading have been cut short
	}
	if backlog {
		err := s.cfg.Ledger.ReadTenant(ctx, s.shard, s.tenant, seq+1, s.tip, func(e ledger.Entry) error {
			f.Outcome(e.Seq)
			return nil
		}, ledger.Outcomes)
		if err != nil {
			return err
		}
	}
	s.checks.flood = f
	return nil
}
