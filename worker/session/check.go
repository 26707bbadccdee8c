package session

import (
	"context"
	"errors"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/risk"
)

// checks are the tenant's pre-trade checks, and what they know. What they know is folded from
// the ledger when it is first needed, and kept up from then on.
type checks struct {
	rules  *risk.Rules // nil: there are none
	book   *risk.Book  // nil until it is needed, as flood
	flood  *risk.Flood
	done   uint64    // what is known has every outcome up to that of this intent
	told   uint64    // the book has every update up to here
	looked time.Time // when it had
	used   time.Time // when they were asked the last time
}

// adopt finds the rules that terms set. What was not kept up for them is to be read again.
func (c *checks) adopt(terms *tenant.Terms) {
	c.rules = risk.Compile(terms)
	if scope := c.rules.Scope(); c.book != nil && (scope.Empty() || !c.book.Scope().Covers(scope)) {
		c.book = nil
	}
	if c.flood != nil && (!c.rules.Floods() || !c.flood.Covers(c.rules)) {
		c.flood = nil
	}
}

// forget drops what is known: the ledger has to be read again.
func (c *checks) forget() { c.book, c.flood = nil, nil }

// checksFor is how long what is known is kept although nobody asks.
const checksFor = 10 * time.Minute

// calm says that reading the ledger again costs less than keeping what is known.
func (c *checks) calm(now time.Time) bool {
	return c.book == nil && c.flood == nil || now.Sub(c.used) > checksFor
}

// published notes that an intent was taken up.
func (c *checks) published(it Item) {
	if c.flood != nil {
		c.flood.Published(it.Intent.Seq, it.Intent.Time)
	}
}

// count counts an outcome that is about to be published, once.
func (c *checks) count(o *order.Outcome) {
	if o.Counted != nil && !risk.Sent(o) {
		o.Counted = nil
	}
	if o.IntentSeq <= c.done {
		return
	}
	c.done = o.IntentSeq
	if c.book != nil {
		c.book.Outcome(o, nil)
	}
	if c.flood != nil {
		c.flood.Outcome(0)
	}
}

// stood notes where the tenant's last outcome stands.
func (c *checks) stood(seq uint64) {
	if c.flood != nil {
		c.flood.Stood(seq)
	}
}

// blockedError says that a rule does not let a request go that had to wait.
type blockedError struct{ refusal *risk.Refusal }

func (e *blockedError) Error() string {
	return "session: blocked by " + e.refusal.Rule + ": " + e.refusal.String()
}

// blocked makes the outcome of such an error; others it returns.
func (s *Session) blocked(t *task, err error) (*order.Outcome, error) {
	if no, ok := errors.AsType[*blockedError](err); ok {
		return t.refuse(no.refusal), nil
	}
	return nil, err
}

// refuse finishes a task that a rule does not let go.
func (t *task) refuse(no *risk.Refusal) *order.Outcome {
	t.outcome.Rule = no.Rule
	return t.end(order.Blocked, no.String())
}

// admit makes the checks that need no more than the intent's place on the ledger, before its
// tenant's broker is even dialled. What may be at the broker is found out first.
func (s *Session) admit(ctx context.Context, t *task) (*order.Outcome, error) {
	if !s.checks.rules.Floods() || t.open || !makesOrder(t.intent.Kind) {
		return nil, nil
	}
	if err := s.know(ctx, t); err != nil {
		return nil, err
	}
	if s.checks.flood.Unsure() {
		if err := s.settle(ctx); err != nil {
			return nil, err
		}
		if err := s.know(ctx, t); err != nil { // which the wait may have dropped
			return nil, err
		}
	}
	q := s.query(t, nil, nil)
	q.Flood = s.checks.flood
	if no := s.checks.rules.Admit(&q); no != nil {
		return t.refuse(no), nil
	}
	return nil, nil
}

// check makes all checks of an order that is about to be requested, and sees to it that they
// are made again if the request has to wait. It returns the outcome of one that may not go.
func (s *Session) check(ctx context.Context, t *task, b booking) (*order.Outcome, error) {
	t.gate = nil
	switch {
	case s.checks.rules == nil:
		return nil, nil
	case !s.lets(b.call): // what is checked under a halt says nothing of when it is over
		return nil, errTerms
	}
	q := s.query(t, b.order, b.target)
	for _, symbol := range s.checks.rules.Holdings(&q) {
		h, o, err := s.holding(ctx, t, symbol)
		if o != nil || err != nil {
			return o, err
		}
		if q.Holdings == nil {
			q.Holdings = make(map[string]risk.Holding)
		}
		q.Holdings[symbol] = h
	}
	judge := func() error {
		again := s.query(t, b.order, b.target)
		again.Holdings = q.Holdings
		return s.judge(ctx, t, &again)
	}
	if err := judge(); err != nil {
		return s.blocked(t, err)
	}
	t.gate = judge
	return nil, nil
}

// query is a question about the task's order as of now.
func (s *Session) query(t *task, o *order.Order, target *broker.Order) risk.Query {
	s.checks.used = time.Now()
	return risk.Query{
		Ask:    risk.Ask{Kind: t.intent.Kind, ID: t.id, Seq: t.outcome.IntentSeq, Order: o, Target: target},
		Now:    s.checks.used,
		Prices: s.cfg.Prices,
	}
}

// rereads is how often a book that counts dollars is brought up to date without need: a trade
// may take more of them than its order was counted at.
const rereads = time.Second

// judge makes all checks. An order that is refused for what may have ended since is judged
// again by what the ledger says now.
func (s *Session) judge(ctx context.Context, t *task, q *risk.Query) error {
	c := &s.checks
	if err := s.know(ctx, t); err != nil {
		return err
	}
	if scope := c.rules.Scope(); scope.Day && scope.Open && time.Since(c.looked) >= rereads {
		if err := s.catchUp(ctx); err != nil {
			return err
		}
	}
	q.Book, q.Flood = c.book, c.flood
	no := c.rules.Check(q)
	if no != nil && no.Frees() {
		if err := s.catchUp(ctx); err != nil {
			return err
		}
		no = c.rules.Check(q)
	}
	if no != nil {
		return &blockedError{no}
	}
	t.outcome.Counted = c.rules.Count(q)
	return nil
}

// weigh notes what an order counts as that the broker has, or may have, and that was not
// checked by this session.
func (s *Session) weigh(t *task, o order.Order, replaces string) {
	if s.checks.rules.Scope().Empty() || t.outcome.Counted != nil {
		return
	}
	var target *broker.Order
	if replaces != "" {
		target = &broker.Order{ID: replaces}
	}
	q := s.query(t, &o, target)
	t.outcome.Counted = s.checks.rules.Count(&q)
}

// holding asks the broker what the account holds of a symbol.
func (s *Session) holding(ctx context.Context, t *task, symbol string) (risk.Holding, *order.Outcome, error) {
	v, o, err := s.inquire(ctx, t, order.CallPosition, func(ctx context.Context) broker.Verdict { return s.client.Position(ctx, symbol) })
	if o != nil || err != nil || v.Kind != broker.Found {
		return risk.Holding{}, o, err
	}
	return risk.Holding{Qty: v.Position.Qty, Free: v.Position.Available.Abs()}, nil, nil
}
