package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

var (
	// ErrLimited says that the broker refused for now: the tenant's rate limit is used up,
	// and what is left of it belongs to its orders.
	ErrLimited = errors.New("reconcile: the tenant's rate limit is used up; try again later")
	// ErrRefused says that the broker does not let the tenant in.
	ErrRefused = errors.New("reconcile: the broker refuses")
	// ErrUnanswered says that the broker was asked and did not answer.
	ErrUnanswered = errors.New("reconcile: the broker does not answer")
)

const (
	// tries is how often a request is made whose answer does not come.
	tries = 3
	// maxLookups bounds the orders that are looked up one by one. If more are not on the
	// lists, the lists are read further back.
	maxLookups = 20
	// skew is by how much the ledger's clock and the broker's may differ.
	skew = time.Minute
)

// paced are books whose every request waits for the pace, and is counted.
type paced struct {
	broker.Books
	pace     *pace
	requests int
}

func (p *paced) request(ctx context.Context, send func() broker.Verdict) broker.Verdict {
	if err := p.pace.take(ctx); err != nil {
		return broker.Verdict{Kind: broker.Unsent, Message: err.Error()}
	}
	p.requests++
	v := send()
	p.pace.learn(v.Limits)
	return v
}

func (p *paced) Orders(ctx context.Context, q broker.OrdersQuery) (page []broker.Record, v broker.Verdict) {
	v = p.request(ctx, func() broker.Verdict { page, v = p.Books.Orders(ctx, q); return v })
	return page, v
}

func (p *paced) Record(ctx context.Context, id string) (one broker.Record, v broker.Verdict) {
	v = p.request(ctx, func() broker.Verdict { one, v = p.Books.Record(ctx, id); return v })
	return one, v
}

func (p *paced) Fills(ctx context.Context, q broker.FillsQuery) (page []broker.Fill, v broker.Verdict) {
	v = p.request(ctx, func() broker.Verdict { page, v = p.Books.Fills(ctx, q); return v })
	return page, v
}

func (p *paced) Positions(ctx context.Context) (all []broker.Position, v broker.Verdict) {
	v = p.request(ctx, func() broker.Verdict { all, v = p.Books.Positions(ctx); return v })
	return all, v
}

// reader reads a tenant's account at its broker. One goroutine owns it.
type reader struct{ books *paced }

// ask makes a request, and again if its answer does not come.
func (r *reader) ask(ctx context.Context, request func() broker.Verdict) error {
	var v broker.Verdict
	for range tries {
		v = request()
		switch v.Kind {
		case broker.Found, broker.NotFound:
			return nil
		case broker.RetryAfter:
			return ErrLimited
		case broker.Rejected, broker.Expired, broker.Accepted:
			return fmt.Errorf("%w: status %d: %s", ErrRefused, v.HTTPStatus, v.Message)
		case broker.Unknown, broker.Unsent:
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("%w: %s", ErrUnanswered, v.Message)
}

// account reads what the broker shows: the orders submitted from since on (zero: all), those
// that are open, those of which the book says that they should be among these, and what the
// account holds. told: see [Account].
func (r *reader) account(ctx context.Context, b *Book, since, told time.Time) (*Account, error) {
	a := &Account{Told: told}
	if told.After(since) {
		since = told
	}
	seen := make(map[string]struct{})
	note := func(page []broker.Record) {
		for i := range page {
			if _, twice := seen[page[i].ID]; !twice {
				a.Orders = append(a.Orders, page[i])
				mark(seen, &page[i])
			}
		}
	}
	if !since.IsZero() {
		if err := r.list(ctx, broker.OpenOrders, func(page []broker.Record) bool { note(page); return true }); err != nil {
			return nil, err
		}
	}
	err := r.list(ctx, broker.AllOrders, func(page []broker.Record) bool {
		note(page)
		oldest := page[len(page)-1].Submitted
		return !oldest.Before(since) || len(b.unseen(seen, since, told)) > maxLookups
	})
	if err != nil {
		return nil, err
	}
	for i, id := range b.unseen(seen, since, told) {
		if i >= maxLookups && len(a.Absent) >= maxLookups {
			a.Absent = append(a.Absent, id) // the list was read to its end, and none of them is there
			continue
		}
		if err := r.lookUp(ctx, a, id); err != nil {
			return nil, err
		}
	}
	if err := r.inherit(ctx, a, b); err != nil {
		return nil, err
	}
	err = r.ask(ctx, func() (v broker.Verdict) {
		a.Positions, v = r.books.Positions(ctx)
		return v
	})
	return a, err
}

// mark notes an order and those that hang on it.
func mark(seen map[string]struct{}, r *broker.Record) {
	seen[r.ID] = struct{}{}
	for i := range r.Nested {
		mark(seen, &r.Nested[i])
	}
}

// list reads pages of orders, the latest first, while more wants them.
func (r *reader) list(ctx context.Context, state broker.OrdersState, more func(page []broker.Record) bool) error {
	q := broker.OrdersQuery{State: state, Nested: true, Limit: broker.MaxOrders}
	for {
		var page []broker.Record
		err := r.ask(ctx, func() (v broker.Verdict) {
			page, v = r.books.Orders(ctx, q)
			return v
		})
		if err != nil || len(page) == 0 || !more(page) || len(page) < q.Limit {
			return err
		}
		q.Before = page[len(page)-1].ID
	}
}

// lookUp asks for an order that was on no list.
func (r *reader) lookUp(ctx context.Context, a *Account, id string) error {
	var (
		one broker.Record
		v   broker.Verdict
	)
	err := r.ask(ctx, func() broker.Verdict {
		one, v = r.books.Record(ctx, id)
		return v
	})
	switch {
	case err != nil:
		return err
	case v.Kind == broker.NotFound:
		a.Absent = append(a.Absent, id)
	default:
		a.Orders = append(a.Orders, one)
	}
	return nil
}

// unseen are the orders that should have been on a list of those submitted from since on and
// of those that are open, and were not. told: see [Account].
func (b *Book) unseen(seen map[string]struct{}, since, told time.Time) []string {
	var ids []string
	for id, en := range b.orders {
		_, listed := seen[id]
		accepted := !en.at.IsZero()
		recent := accepted && en.at.After(since.Add(skew))
		if !listed && (recent || en.ended == "" && (accepted || told.IsZero())) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
