package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/plant"
	"github.com/rs/zerolog"
)

// commit is an outcome on its way to the ledger.
type commit struct {
	outcome *order.Outcome
	ack     jetstream.PubAckFuture // nil if it is not published
	err     error                  // why not
}

// findTip reads the tenant's last outcome, which the first commit has to follow.
func (s *Session) findTip(ctx context.Context) error {
	last, seq, err := s.lastOutcome(ctx)
	if err != nil {
		return err
	}
	if last.Epoch > s.epoch {
		return s.fence(last)
	}
	s.tip, s.done, s.status = seq, last.IntentSeq, last.Status
	if s.checks.done != s.done {
		s.checks.forget()
	}
	return nil
}

// commit publishes an outcome, after the one before it is confirmed. It waits for
// the new one's confirmation only where the order of things depends on it.
func (s *Session) commit(ctx context.Context, o *order.Outcome) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if o.IntentSeq <= s.done {
		return nil // an earlier owner's late outcome stands
	}
	if err := s.publish(ctx, o); err != nil {
		return err
	}
	if pipelined(o) {
		return nil
	}
	return s.settle(ctx)
}

// pipelined says that the tenant's next order may be submitted before this outcome
// is confirmed: should the confirmation never come, doing the intent again after
// that order ends the same. An order that was accepted is found by its id. A
// rejected one would be tried again, behind its successor; a cancel-all would take
// its successor with it.
func pipelined(o *order.Outcome) bool {
	switch o.Status {
	case order.Accepted:
		return o.Kind == order.KindOrder || o.Kind == order.KindReplace
	case order.Invalid, order.Duplicate, order.Expired:
		return true
	default:
		return false
	}
}

// publish starts to write an outcome. The compare-and-set would let the first outcome of a
// worker pass that froze and lost its shard meanwhile; its own clock does not. From here on
// the outcome is under way, also if the session ends before it may be written.
func (s *Session) publish(ctx context.Context, o *order.Outcome) error {
	s.under = &commit{outcome: o}
	from := time.Now()
	if err := s.await(ctx); err != nil {
		return err
	}
	o.Committed = time.Now()
	if o.Committed.Sub(from) >= worthTelling {
		if o.Course == nil {
			o.Course = new(order.Course)
		}
		o.Course.Waited(order.Wait{Why: order.WhySilence, From: from, Until: o.Committed})
	}
	s.checks.count(o)
	s.under.ack, s.under.err = s.cfg.Ledger.Append(s.shard, s.tenant, o, s.tip)
	return nil
}

// settle waits until the outcome under way is confirmed, whatever that takes.
func (s *Session) settle(ctx context.Context) error {
	var b backoff
	for s.under != nil {
		err := s.acknowledged(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !ledger.IsConflict(err) {
			s.complain(err)
			if err := sleep(ctx, b.next()); err != nil {
				return err
			}
		}
		if err := s.reread(ctx); err != nil {
			return err
		}
	}
	return nil
}

// complain says why the tenant waits.
func (s *Session) complain(err error) {
	level, what := zerolog.WarnLevel, "outcome not acknowledged; reading the ledger"
	if ledger.IsFull(err) {
		level, what = zerolog.ErrorLevel, "outcome refused; the tenant waits"
		err = fmt.Errorf("%w: %w", ledger.ErrFull, err)
	}
	s.trouble(level).Err(err).Uint64("intent_seq", s.under.outcome.IntentSeq).Msg(what)
}

// acknowledged waits for the acknowledgement of the outcome under way.
func (s *Session) acknowledged(ctx context.Context) error {
	if s.under.ack == nil {
		return s.under.err
	}
	select {
	case ack := <-s.under.ack.Ok():
		s.stood(ack.Sequence)
		return nil
	case err := <-s.under.ack.Err():
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stood records that the outcome under way is the tenant's last one.
func (s *Session) stood(seq uint64) {
	if plant.Is(plant.TwiceCommit) {
		s.cfg.Ledger.Append(s.shard, s.tenant, s.under.outcome, seq) //nolint:errcheck // a planted bug
	}
	s.tip, s.done, s.status = seq, s.under.outcome.IntentSeq, s.under.outcome.Status
	s.checks.stood(seq)
	s.under, s.troubled = nil, false
}

// reread finds out what became of the outcome under way, whose acknowledgement was
// lost or whose compare-and-set failed: both look the same from here. Either it
// stands, or it is published again behind what stands there, or what stands there
// makes it void.
func (s *Session) reread(ctx context.Context) error {
	o := s.under.outcome
	last, seq, err := s.lastOutcome(ctx)
	if err != nil {
		return err
	}
	switch {
	case last.IntentSeq == o.IntentSeq && last.Worker == o.Worker && last.Epoch == o.Epoch:
		s.stood(seq)
		return nil
	case plant.Is(plant.Fence):
		s.tip = seq
		return s.publish(ctx, o)
	case last.Epoch > s.epoch:
		return s.fence(last)
	}
	if seq != s.tip && seq != 0 {
		// An earlier owner wrote until a moment ago; it may have more at the broker.
		s.doubt = Doubt{Suspects, math.MaxUint64, time.Now()}
	}
	s.tip, s.done, s.status = seq, max(s.done, last.IntentSeq), last.Status
	s.checks.forget()
	if s.done >= o.IntentSeq {
		s.under = nil
		return nil
	}
	return s.publish(ctx, o)
}

// lastOutcome reads until the ledger answers, also while the session is to end; a zero
// outcome and 0 if there is none.
func (s *Session) lastOutcome(ctx context.Context) (order.Outcome, uint64, error) {
	type last struct {
		outcome order.Outcome
		seq     uint64
	}
	l, err := persist(ctx, s, "read the last outcome", sleep, func() (l last, err error) {
		l.outcome, l.seq, err = s.cfg.Ledger.LastOutcome(ctx, s.shard, s.tenant)
		return l, err
	})
	if errors.Is(err, ledger.ErrNone) {
		err = nil
	}
	return l.outcome, l.seq, err
}

func (s *Session) fence(last order.Outcome) error {
	return &FencedError{s.tenant, last.Worker, last.Epoch, s.epoch}
}
