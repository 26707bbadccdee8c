package pool

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// longestDraw is how long a second line waits for its turn before it gives up for now: who
// asks for lists has other things to do, too.
const longestDraw = 15 * time.Second

// Books makes tenants' second lines to their brokers as connect does, each of whose requests
// is taken from the pool that the tenant is in, in the background.
func (c *Client) Books(connect func(ctx context.Context, name string) (broker.Books, error), terms func(name string) *tenant.Terms) func(ctx context.Context, name string) (broker.Books, error) {
	return func(ctx context.Context, name string) (broker.Books, error) {
		line, err := connect(ctx, name)
		if err != nil {
			return nil, err
		}
		return &books{line, c, name, terms}, nil
	}
}

// books is a second line. It belongs to one goroutine.
type books struct {
	broker.Books
	client *Client
	tenant string
	terms  func(name string) *tenant.Terms
}

// request makes a request when its turn has come. RetryAfter if it does not come for long.
func (b *books) request(ctx context.Context, send func(context.Context) broker.Verdict) broker.Verdict {
	t := b.terms(b.tenant)
	if t.Pool == "" {
		return send(ctx)
	}
	timer := time.NewTimer(longestDraw)
	defer timer.Stop()
	for {
		w := b.client.Wait(Request{Pool: t.Pool, Tenant: b.tenant, Weight: t.Weight, Class: Background})
		select {
		case tok := <-w.Token():
			v := send(broker.WrittenBefore(ctx, tok.Until))
			b.client.Used(tok, v)
			if v.Kind == broker.Expired && ctx.Err() == nil {
				continue // it took too long to connect
			}
			v.Limits = broker.Limits{} // they are the pool's, which has them
			return v
		case <-timer.C:
			b.client.Leave(w)
			return broker.Verdict{Kind: broker.RetryAfter, Message: "the tenant's rate pool has nothing left for its lists", Wait: longestDraw}
		case <-ctx.Done():
			b.client.Leave(w)
			return broker.Verdict{Kind: broker.Unsent, Message: context.Cause(ctx).Error()}
		}
	}
}

// Orders implements [broker.Books].
func (b *books) Orders(ctx context.Context, q broker.OrdersQuery) (page []broker.Record, v broker.Verdict) {
	v = b.request(ctx, func(ctx context.Context) broker.Verdict { page, v = b.Books.Orders(ctx, q); return v })
	return page, v
}

// Record implements [broker.Books].
func (b *books) Record(ctx context.Context, id string) (one broker.Record, v broker.Verdict) {
	v = b.request(ctx, func(ctx context.Context) broker.Verdict { one, v = b.Books.Record(ctx, id); return v })
	return one, v
}

// Fills implements [broker.Books].
func (b *books) Fills(ctx context.Context, q broker.FillsQuery) (page []broker.Fill, v broker.Verdict) {
	v = b.request(ctx, func(ctx context.Context) broker.Verdict { page, v = b.Books.Fills(ctx, q); return v })
	return page, v
}

// Positions implements [broker.Books].
func (b *books) Positions(ctx context.Context) (all []broker.Position, v broker.Verdict) {
	v = b.request(ctx, func(ctx context.Context) broker.Verdict { all, v = b.Books.Positions(ctx); return v })
	return all, v
}

// Follow implements [broker.Books]. A feed may take longer to open than a token is good for;
// when its request was answered is known all the same.
func (b *books) Follow(ctx context.Context) (feed broker.Feed, v broker.Verdict) {
	v = b.request(ctx, func(ctx context.Context) broker.Verdict {
		feed, v = b.Books.Follow(ctx)
		if v.Kind != broker.Unsent && v.Kind != broker.Expired {
			v.Submitted = time.Now() // or before
		}
		return v
	})
	return feed, v
}
