//go:build planted

package plant

import (
	"context"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/shopspring/decimal"
)

// Connect is connect, with the worker's bug between a session and its broker if it has one.
func Connect(connect func(context.Context, string) (broker.Line, error)) func(context.Context, string) (broker.Line, error) {
	return func(ctx context.Context, tenant string) (broker.Line, error) {
		name := tenant
		if Is(Account) {
			name = "planted"
		}
		line, err := connect(ctx, name)
		if err == nil {
			line.Client = client{line.Client, tenant}
		}
		return line, err
	}
}

// client is a tenant's line to its broker, with a bug in how orders are placed.
type client struct {
	broker.Client
	tenant string
}

func (c client) Place(ctx context.Context, id string, o *order.Order, notAfter time.Time) broker.Verdict {
	if Is(RandomID) {
		id = order.ClientOrderID(c.tenant, order.NewID())
	}
	if Is(Quantity) && o.Qty != nil {
		more := *o
		qty := o.Qty.Add(decimal.NewFromInt(1))
		more.Qty, o = &qty, &more
	}
	v := c.Client.Place(ctx, id, o, notAfter)
	switch {
	case Is(Unknown) && v.Kind == broker.Unknown:
		v.Kind = broker.Rejected
	case Is(Accept) && v.Kind == broker.Rejected && v.HTTPStatus != 0:
		v.Kind = broker.Accepted
	}
	return v
}
