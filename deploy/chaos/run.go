package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Run runs the system through its storms and judges it. The error says that the run could
// not be carried out; what it found is in the report. No process outlives it. Its logs do
// if something is wrong.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.progress("boot", 0, 1)
	alive, kill := context.WithCancel(context.WithoutCancel(ctx)) // the parts live until stop
	defer kill()
	defer context.AfterFunc(ctx, kill)()
	s, err := boot(alive, o)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	defer func() {
		s.keep = ctx.Err() == nil && (err != nil || !report.OK())
		err = errors.Join(err, s.stop())
		if err != nil && s.keep {
			err = fmt.Errorf("%w (logs are in %s)", err, s.dir)
		}
		err = interrupted(ctx, err)
	}()

	watching, unwatch := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); s.leases.follow(watching, s.ledger) }()
	defer func() { unwatch(); <-watched }()
	if err := s.awaitServed(ctx); err != nil {
		return nil, err
	}

	publishing, stop := context.WithCancel(ctx)
	defer stop()
	l, err := s.newLoad(ctx)
	defer l.stop()
	defer stop()
	if err != nil {
		return nil, err
	}
	if err := s.behave(ctx); err != nil {
		return nil, err
	}
	l.run(ctx, publishing, o.Rate)

	o.progress("boot", 1, 1)
	st := &storming{system: s, began: time.Now()}
	if err := st.run(ctx, Plan(o.Seed, o.Duration)); err != nil {
		return nil, err
	}
	sleep(ctx, time.Until(st.began.Add(o.Duration)))
	if err := st.healAll(ctx); err != nil {
		return nil, err
	}
	stop()
	l.running.Wait()
	if err := s.awaitQuiet(ctx); err != nil {
		return nil, err
	}
	if err := s.awaitStill(ctx); err != nil {
		return nil, err
	}
	return st.judge(ctx, l)
}

// errSilent ends a run whose NATS servers do not come back.
var errSilent = fmt.Errorf("chaos: NATS did not answer for %s although everything was healed", bootPatience)

// interrupted prefers the end of ctx to what follows from it.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// awaitServed waits until every shard has an owner.
func (s *system) awaitServed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	for !s.leases.served() {
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("chaos: not every shard was taken within %s; the last worker that ended: %s", bootPatience, s.pool.lastError())
		}
	}
	return nil
}

// awaitQuiet waits until every intent has its outcome, or nothing has happened for so long
// that what is missing is lost.
func (s *system) awaitQuiet(ctx context.Context) error {
	last, since := -1, time.Now()
	for {
		var intents, outcomes int
		once, cancel := context.WithTimeoutCause(ctx, bootPatience, errSilent)
		err := retry(once, func(ctx context.Context) (err error) {
			intents, outcomes, err = s.count(ctx)
			return err
		})
		cancel()
		if err != nil {
			return err
		}
		s.progress("waiting for quiet", outcomes, max(intents, 1))
		switch {
		case outcomes >= intents:
			return nil
		case outcomes != last:
			last, since = outcomes, time.Now()
		case time.Since(since) > s.Patience:
			return nil
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// still is longer than any delay of a wire or of the broker: what is under way by then
// has arrived.
const still = time.Second

// awaitStill drains the workers, and waits until nothing reaches the broker any more.
func (s *system) awaitStill(ctx context.Context) error {
	if err := s.pool.stop(); err != nil {
		return err
	}
	for arrived, booked := -1, -1; ; {
		arrivals, bookings, err := proof.ReadBroker(ctx, s.broker.Admin)
		if err != nil {
			return err
		}
		if len(arrivals) == arrived && len(bookings) == booked {
			return nil
		}
		arrived, booked = len(arrivals), len(bookings)
		if !sleep(ctx, still) {
			return context.Cause(ctx)
		}
	}
}

// count counts intents and outcomes on the ledger, by its index of subjects.
func (s *system) count(ctx context.Context) (intents, outcomes int, err error) {
	for shard := range s.Shards {
		stream, err := s.ledger.JetStream().Stream(ctx, ledger.StreamName(shard))
		if err != nil {
			return 0, 0, err
		}
		for class, sum := range map[ledger.Class]*int{ledger.Intents: &intents, ledger.Outcomes: &outcomes} {
			info, err := stream.Info(ctx, jetstream.WithSubjectFilter(class.Subject(shard, "*")))
			if err != nil {
				return 0, 0, err
			}
			for _, n := range info.State.Subjects {
				*sum += int(n)
			}
		}
	}
	return intents, outcomes, nil
}

// judge reads both ledgers and draws the report from them.
func (st *storming) judge(ctx context.Context, l *load) (*Report, error) {
	st.progress("judging", 0, 1)
	ctx, cancel := context.WithTimeoutCause(ctx, bootPatience, errSilent)
	defer cancel()
	defer st.progress("judging", 1, 1)
	var h proof.History
	err := retry(ctx, func(context.Context) (err error) {
		h, err = proof.Read(ctx, st.ledger)
		return err
	})
	if err != nil {
		return nil, err
	}
	h.Slack = 2 * time.Second
	h.Expect = proof.Expect{Credentials: true, Unblocked: true} // every tenant is known, and no other rule is set
	h.Stops, h.Limits = st.operator.stops(st.roles(), st.ledger.ShardOf), st.limits()
	if h.Open, err = st.openOrders(ctx, h.Limits); err != nil {
		return nil, err
	}
	var unknown int
	h.Receipts, unknown = l.receipts()
	if h.Arrivals, h.Bookings, err = proof.ReadBroker(ctx, st.broker.Admin); err != nil {
		return nil, err
	}
	r := newReport(st.Options, h, st.events, st.ledger.ShardOf)
	r.Unknown, r.Refused = unknown, int(l.refusals.Load())
	r.Missed = st.missed
	r.Switches = st.operator.switches()
	r.checkControls()
	r.Flaws = append(r.Flaws, st.pool.flaws()...)
	if err := retry(ctx, func(ctx context.Context) error { return st.audit(ctx, r) }); err != nil {
		return nil, err
	}
	st.pool.mu.Lock()
	defer st.pool.mu.Unlock()
	r.Started, r.Restarted, r.LastEnd = st.pool.serial, st.pool.restart, st.pool.lastErr
	if st.Dir != "" || !r.OK() {
		r.Logs = st.dir
	}
	return r, nil
}

// audit has both ledgers audited: whatever it finds is a flaw of the run.
func (st *storming) audit(ctx context.Context, r *Report) error {
	found, err := audit.Run(ctx, history.Live(st.ledger), audit.Paper(st.broker.Admin), history.Stretch{}, audit.Options{Progress: st.progress})
	if err != nil {
		return err
	}
	for _, f := range found.Findings {
		r.flaw("audit: %s: %s", f.Rule, f.Says)
	}
	return nil
}

// lastError is what the last worker that ended by itself said.
func (p *pool) lastError() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastErr == "" {
		return "none"
	}
	return p.lastErr
}
