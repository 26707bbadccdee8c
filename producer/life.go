package producer

import (
	"context"
	"fmt"
	"iter"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Until is how far the order of an intent is followed.
type Until string

// How far an order is followed. An intent that has no order of its own (it was not accepted,
// or it is a cancel) is followed to its outcome. An order that was replaced lives on as the
// one in its place, whoever replaced it.
const (
	// UntilFilled: until it is filled, or over without that.
	UntilFilled Until = "filled"
	// UntilDone: until nothing can come of the intent any more. The legs of a bracket, OCO or
	// OTO order are over, too.
	UntilDone Until = "done"
)

// ParseUntil reads an Until.
func ParseUntil(s string) (Until, error) {
	switch u := Until(s); u {
	case UntilFilled, UntilDone:
		return u, nil
	}
	return "", fmt.Errorf("%q is not %s or %s", s, UntilFilled, UntilDone)
}

// Life is what became of an intent.
type Life struct {
	Outcome order.Outcome
	// Updates are those of its order, of the orders that took that one's place, and of their
	// legs.
	Updates []Update
	// Filled says that its order, or the one in its place, was filled to its end.
	Filled bool
}

// AwaitUntil waits for the end of a published intent, or of ctx; see [Until].
func (p *Producer) AwaitUntil(ctx context.Context, r Receipt, until Until) (Life, error) {
	var whole Life
	f := p.Follow(r, until)
	for n, err := range f.News(ctx) {
		switch {
		case err != nil:
			return whole, err
		case n.Outcome != nil:
			whole.Outcome = n.Outcome.Outcome
		default:
			whole.Updates = append(whole.Updates, *n.Update)
		}
	}
	whole.Filled = f.Filled()
	if !f.Over() {
		return whole, fmt.Errorf("producer: await the end of intent %s of tenant %s: %w", r.ID, r.Tenant, context.Cause(ctx))
	}
	return whole, nil
}

// Following follows a published intent. One goroutine owns it.
type Following struct {
	producer *Producer
	receipt  Receipt
	until    Until
	life     life
}

// Follow follows a published intent to its end; see [Following.News].
func (p *Producer) Follow(r Receipt, until Until) *Following {
	f := &Following{producer: p, receipt: r, until: until}
	f.life.begin(order.ClientOrderID(r.Tenant, r.ID))
	return f
}

// News yields what becomes of the intent as it comes, its outcome and the updates of its
// order, until its end, or that of ctx, or until the reader stops. An error ends it. To be
// called once.
func (f *Following) News(ctx context.Context) iter.Seq2[News, error] {
	return func(yield func(News, error) bool) {
		for from := f.receipt.Seq + 1; from > 0; {
			from = f.read(ctx, from, yield)
		}
	}
}

// read reads the ledger from a sequence number on, and returns from where to read again, or 0.
func (f *Following) read(ctx context.Context, from uint64, yield func(News, error) bool) (again uint64) {
	for n, err := range f.producer.WatchAll(ctx, f.receipt.Tenant, FromSeq(from)) {
		if err != nil {
			yield(News{}, err)
			return 0
		}
		switch o := n.Outcome; {
		case o != nil && o.IntentSeq == f.receipt.Seq && f.life.outcome == nil:
			if f.life.decided(&o.Outcome) {
				again = 1
			}
		case n.Update == nil || !f.life.happened(&n.Update.Update):
			continue
		}
		if !yield(n, nil) || f.Over() {
			return 0
		}
		if again > 0 {
			return again
		}
	}
	return 0
}

// Over says that the end was reached.
func (f *Following) Over() bool { return f.life.over(f.until) }

// Accepted says that the intent was accepted.
func (f *Following) Accepted() bool {
	return f.life.outcome != nil && f.life.outcome.Status == order.Accepted
}

// Places says that the intent was accepted and has an order of its own.
func (f *Following) Places() bool { return f.life.outcome != nil && f.life.places() }

// Filled says that the intent's order, or the one in its place, was filled to its end.
func (f *Following) Filled() bool { return f.life.filled }

// life is what is known of an intent's order, of those that took its place, and of the legs.
type life struct {
	clientID string
	outcome  *order.Outcome
	order    string             // the broker's id of the order as it is now: the last in its place
	orders   map[string]bool    // all of them, by the broker's ids: whether they are over
	ends     map[string]*ending // of every order of the tenant that was seen to end
	filled   bool
}

// ending is what the end of an order says of others.
type ending struct {
	filled     bool
	replacedBy string
	legs       []string
}

func (l *life) begin(clientID string) {
	l.clientID = clientID
	l.orders, l.ends = make(map[string]bool), make(map[string]*ending)
}

// decided takes the outcome in. again says that the intent's order bears the id of an earlier
// intent, which an operator drove again: what is known of it has to be read from the start.
func (l *life) decided(o *order.Outcome) (again bool) {
	l.outcome = o
	if !l.places() {
		return false
	}
	if l.clientID != o.ClientOrderID {
		l.begin(o.ClientOrderID)
		again = true
	}
	if l.order == "" {
		l.order = o.BrokerOrderID
		l.enter(o.BrokerOrderID)
	}
	return again
}

// places says that the intent has an order of its own.
func (l *life) places() bool {
	if l.outcome.Status != order.Accepted {
		return false
	}
	switch l.outcome.Kind {
	case order.KindOrder, order.KindReplace, order.KindClosePosition:
		return true
	default:
		return false
	}
}

// happened takes an update in, and says whether it is of the intent.
func (l *life) happened(u *order.Update) (ours bool) {
	if over, known := l.orders[u.BrokerOrderID]; known {
		ours = !over
	} else if ours = u.ClientOrderID == l.clientID; ours {
		l.order = u.BrokerOrderID
		l.enter(u.BrokerOrderID)
	}
	if u.Ends() {
		l.ends[u.BrokerOrderID] = &ending{u.Event == order.EventFill, u.ReplacedBy, u.Legs}
		if ours {
			l.end(u.BrokerOrderID)
		}
	}
	return ours
}

// enter enters an order, which may be over already.
func (l *life) enter(id string) {
	if _, known := l.orders[id]; known {
		return
	}
	l.orders[id] = false
	if l.ends[id] != nil {
		l.end(id)
	}
}

// end ends an order, and goes on with those that come from it.
func (l *life) end(id string) {
	e := l.ends[id]
	l.orders[id] = true
	if id == l.order {
		l.filled = e.filled
		if e.replacedBy != "" {
			l.order = e.replacedBy
		}
	}
	for _, leg := range e.legs {
		l.enter(leg)
	}
	if e.replacedBy != "" {
		l.enter(e.replacedBy)
	}
}

// over says that there is nothing more to wait for.
func (l *life) over(until Until) bool {
	if l.outcome == nil {
		return false
	}
	if !l.places() {
		return true
	}
	if until == UntilFilled {
		return l.orders[l.order]
	}
	for _, over := range l.orders {
		if !over {
			return false
		}
	}
	return true
}
