package alpaca

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	sdk "github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// Orders implements [broker.Books]. The SDK's own call cuts times to seconds, and cannot go
// on behind an order.
func (c *Client) Orders(ctx context.Context, q broker.OrdersQuery) ([]broker.Record, broker.Verdict) {
	query := url.Values{
		"status":    {string(q.State)},
		"direction": {"desc"},
		"limit":     {strconv.Itoa(limit(q.Limit, broker.MaxOrders))},
	}
	if q.Nested {
		query.Set("nested", "true")
	}
	if q.Ascending {
		query.Set("direction", "asc")
	}
	for name, id := range map[string]string{"before_order_id": q.Before, "after_order_id": q.After} {
		if id == "" {
			continue
		}
		if err := checkOrderID(id); err != nil {
			return nil, refused(err)
		}
		query.Set(name, id)
	}
	setTimes(query, q.Since, q.Until)
	return list(ctx, c, "/v2/orders", query, func(raw json.RawMessage) (r broker.Record, err error) {
		o := new(sdk.Order)
		if err := o.UnmarshalJSON(raw); err != nil {
			var ok bool
			if o, ok = repaired(raw); !ok {
				return r, err
			}
		}
		if o.ID == "" {
			return r, errNameless
		}
		return record(o), nil
	})
}

// Record implements [broker.Books].
func (c *Client) Record(ctx context.Context, brokerOrderID string) (broker.Record, broker.Verdict) {
	if err := checkOrderID(brokerOrderID); err != nil {
		return broker.Record{}, refused(err)
	}
	defer c.done()
	v := c.line.account.absent(c.get(ctx, "/v2/orders/"+brokerOrderID, url.Values{"nested": {"true"}}))
	if v.HTTPStatus/100 != 2 || c.line.x.err != nil {
		return broker.Record{}, v
	}
	if !isJSON(c.line.x.body) {
		return broker.Record{}, unproven(v, "the body is not JSON")
	}
	o := new(sdk.Order)
	if err := o.UnmarshalJSON(c.line.x.body); err != nil {
		var ok bool
		if o, ok = repaired(c.line.x.body); !ok {
			return broker.Record{}, unproven(v, "the body is no order: %s", c.line.clean(err.Error(), maxExcerpt))
		}
	}
	if !strings.EqualFold(o.ID, brokerOrderID) {
		return broker.Record{}, unproven(v, "the order is another: %q", c.line.clean(o.ID, 64))
	}
	v.Kind = broker.Found
	return record(o), v
}

// Fills implements [broker.Books].
func (c *Client) Fills(ctx context.Context, q broker.FillsQuery) ([]broker.Fill, broker.Verdict) {
	query := url.Values{
		"direction": {"desc"},
		"page_size": {strconv.Itoa(limit(q.Limit, broker.MaxFills))},
	}
	if q.Before != "" {
		query.Set("page_token", q.Before)
	}
	setTimes(query, q.Since, q.Until)
	return list(ctx, c, "/v2/account/activities/FILL", query, func(raw json.RawMessage) (broker.Fill, error) {
		if err := c.line.account.check(raw); err != nil {
			return broker.Fill{}, err
		}
		var a sdk.AccountActivity
		if err := a.UnmarshalJSON(raw); err != nil {
			return broker.Fill{}, err
		}
		if a.ID == "" || a.OrderID == "" {
			return broker.Fill{}, errNameless
		}
		return broker.Fill{
			ID: a.ID, OrderID: a.OrderID, Symbol: a.Symbol, Side: order.Side(a.Side), Partial: a.Type == order.EventPartialFill,
			Price: a.Price, Qty: a.Qty, Cum: a.CumQty, At: a.TransactionTime,
		}, nil
	})
}

// Positions implements [broker.Books].
func (c *Client) Positions(ctx context.Context) ([]broker.Position, broker.Verdict) {
	return list(ctx, c, "/v2/positions", nil, func(raw json.RawMessage) (broker.Position, error) {
		var p sdk.Position
		if err := p.UnmarshalJSON(raw); err != nil {
			return broker.Position{}, err
		}
		if p.Symbol == "" {
			return broker.Position{}, errNameless
		}
		return *held(&p), nil
	})
}

// errNameless is what is wrong with a line of a list that does not say what it is of.
var errNameless = fmt.Errorf("it has no id")

// list asks for a list, and reads its lines.
func list[T any](ctx context.Context, c *Client, path string, query url.Values, read func(json.RawMessage) (T, error)) ([]T, broker.Verdict) {
	defer c.done()
	v := c.get(ctx, path, query)
	if v.HTTPStatus/100 != 2 || c.line.x.err != nil {
		return nil, v
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(c.line.x.body, &raw); err != nil || raw == nil {
		return nil, unproven(v, "the body is no list")
	}
	lines := make([]T, 0, len(raw))
	for i := range raw {
		line, err := read(raw[i])
		if err != nil {
			return nil, unproven(v, "line %d of the list cannot be read: %s", i, c.line.clean(err.Error(), maxExcerpt))
		}
		lines = append(lines, line)
	}
	v.Kind = broker.Found
	return lines, v
}

// get makes a request that the SDK has no call for. What was read stays until done.
func (c *Client) get(ctx context.Context, path string, query url.Values) broker.Verdict {
	address := *c.base
	address.Path += path
	address.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return refused(err)
	}
	c.line.begin(exchange{ctx: ctx, most: maxList})
	_, _ = c.line.RoundTrip(req) //nolint:bodyclose // it lies in memory; the verdict tells of errors
	return c.line.verdict()
}

func limit(asked, most int) int {
	if asked <= 0 {
		return most
	}
	return min(asked, most)
}

func setTimes(query url.Values, since, until time.Time) {
	for name, at := range map[string]time.Time{"after": since, "until": until} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
}

// record reads an order as it stands in the books.
func record(o *sdk.Order) broker.Record {
	r := broker.Record{
		Order:          *booked(o),
		FilledAvgPrice: o.FilledAvgPrice,
		Submitted:      o.SubmittedAt,
		Ended:          ended(o),
	}
	for i := range o.Legs {
		r.Nested = append(r.Nested, record(&o.Legs[i]))
	}
	return r
}

// ended is when an order came to its end.
func ended(o *sdk.Order) time.Time {
	switch o.Status {
	case "filled":
		return deref(o.FilledAt)
	case order.EventCanceled:
		return deref(o.CanceledAt)
	case order.EventExpired:
		return deref(o.ExpiredAt)
	case order.EventRejected:
		return deref(o.FailedAt)
	case order.EventReplaced:
		return deref(o.ReplacedAt)
	}
	return time.Time{}
}
