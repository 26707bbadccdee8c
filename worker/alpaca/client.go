package alpaca

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdk "github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// Client is one tenant's line to Alpaca: the official SDK over a connection of its
// own, with the tenant's own keys or, by the Broker API, a correspondent's. It implements [broker.Client] and [broker.Books] and, like every one of those,
// belongs to one goroutine: no method may be called while another runs.
type Client struct {
	sdk  *sdk.Client
	line *line
	base *url.URL
	tls  *tls.Config // for https: of the broker's host
}

var (
	_ broker.Client = (*Client)(nil)
	_ broker.Books  = (*Client)(nil)
)

// New makes a client; it does not dial. The errors are [tenant.ErrNoCredentials],
// [ErrCredentials], [ErrBaseURL], [ErrTenant] and [ErrDecimalSettings].
func New(cfg Config) (*Client, error) {
	base, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	creds := cfg.Credentials.Own()
	l := &line{
		account:  account(strings.Clone(creds.Account)),
		root:     base.Path,
		creds:    creds,
		headers:  newHeaders(creds),
		timeouts: cfg.Timeouts.withDefaults(),
		log:      cfg.Logger.With().Str("tenant", cfg.Tenant).Logger(),
	}
	if cfg.Transport != nil {
		l.wire = &borrowed{rt: cfg.Transport}
	} else {
		l.wire = newConn(base, cfg.TLS, l.timeouts)
	}
	c := &Client{
		line: l,
		base: base,
		sdk: sdk.NewClient(sdk.ClientOpts{
			BaseURL:    base.String(),
			RetryLimit: -1, // 0 means 3, and a retry would send an empty body
			HTTPClient: &http.Client{
				Transport:     l,
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
		}),
	}
	if base.Scheme == "https" {
		c.tls = tlsConfig(cfg.TLS, base.Hostname())
	}
	return c, nil
}

// Stats counts what a client did since it was made.
type Stats struct {
	Requests uint64 // calls that reached the wire, also those that found no connection
	Dials    uint64 // of the owned connection; 0 with an injected transport
}

// Stats may be called by the owner only.
func (c *Client) Stats() Stats {
	s := Stats{Requests: c.line.requests}
	if own, ok := c.line.wire.(*conn); ok {
		s.Dials = own.dials
	}
	return s
}

// Hangup implements [broker.Books]: it closes the connection, and wipes and frees the buffers.
// The next call dials again.
func (c *Client) Hangup() {
	c.line.wire.hangup()
	wipe(&c.line.request)
	c.line.x = exchange{}
}

// Close implements [broker.Client]: it hangs up, and wipes the client's copy of the keys.
// Later calls are Unsent.
func (c *Client) Close() {
	c.Hangup()
	c.line.closed = true
	c.line.headers.buffer.Wipe()
	c.line.creds.Wipe()
}

// Place implements [broker.Client]. Accepted says that the broker booked an order
// with our id; its status may already be rejected.
func (c *Client) Place(ctx context.Context, clientOrderID string, o *order.Order, notAfter time.Time) broker.Verdict {
	extra, err := change(clientOrderID, o)
	if err != nil {
		return refused(err)
	}
	defer c.done()
	c.line.begin(exchange{ctx: ctx, notAfter: notAfter, instructions: extra})
	placed, err := c.sdk.PlaceOrder(placeRequest(clientOrderID, o))
	return c.ordered(broker.Accepted, placed, err, clientOrderID)
}

// Replace implements [broker.Client]. Of o it sends what the broker can change:
// qty, time in force, limit price, stop price, trail and advanced instructions.
func (c *Client) Replace(ctx context.Context, brokerOrderID, clientOrderID string, o *order.Order, notAfter time.Time) broker.Verdict {
	extra, err := change(clientOrderID, o)
	if err == nil {
		err = checkOrderID(brokerOrderID)
	}
	if err != nil {
		return refused(err)
	}
	defer c.done()
	c.line.begin(exchange{ctx: ctx, notAfter: notAfter, instructions: extra})
	replaced, err := c.sdk.ReplaceOrder(brokerOrderID, replaceRequest(clientOrderID, o))
	return c.ordered(broker.Accepted, replaced, err, clientOrderID)
}

// Cancel implements [broker.Client]: 204 is Accepted, 404 NotFound, 422 (past
// cancelling) Rejected.
func (c *Client) Cancel(ctx context.Context, brokerOrderID string, notAfter time.Time) broker.Verdict {
	if err := checkOrderID(brokerOrderID); err != nil {
		return refused(err)
	}
	defer c.done()
	c.line.begin(exchange{ctx: ctx, notAfter: notAfter})
	err := c.sdk.CancelOrder(brokerOrderID)
	v := c.line.account.absent(c.verdict(err))
	switch {
	case v.HTTPStatus/100 != 2 || c.line.x.err != nil:
	case v.HTTPStatus == http.StatusNoContent:
		v.Kind = broker.Accepted
	default:
		v = unproven(v, "a cancel is answered by 204")
	}
	return v
}

// CancelAll implements [broker.Client]. The list comes from the captured body: the
// SDK reads none.
func (c *Client) CancelAll(ctx context.Context, notAfter time.Time) broker.Verdict {
	defer c.done()
	c.line.begin(exchange{ctx: ctx, notAfter: notAfter})
	err := c.sdk.CancelAllOrders()
	v := c.verdict(err)
	if v.HTTPStatus/100 != 2 || c.line.x.err != nil {
		return v
	}
	var list []struct {
		ID     string `json:"id"`
		Status int    `json:"status"`
	}
	if err := json.Unmarshal(c.line.x.body, &list); err != nil || list == nil {
		return unproven(v, "the body is no list of orders")
	}
	for _, one := range list {
		if one.ID == "" || one.Status == 0 {
			return unproven(v, "a line of the list names no order or no status")
		}
		v.Canceled = append(v.Canceled, broker.CanceledOrder{ID: one.ID, Status: one.Status})
	}
	v.Kind = broker.Accepted
	return v
}

// ByClientID implements [broker.Client].
func (c *Client) ByClientID(ctx context.Context, clientOrderID string) broker.Verdict {
	if err := checkClientOrderID(clientOrderID); err != nil {
		return refused(err)
	}
	defer c.done()
	c.line.begin(exchange{ctx: ctx})
	found, err := c.sdk.GetOrderByClientOrderID(clientOrderID)
	return c.line.account.absent(c.ordered(broker.Found, found, err, clientOrderID))
}

// ByID implements [broker.Client].
func (c *Client) ByID(ctx context.Context, brokerOrderID string) broker.Verdict {
	if err := checkOrderID(brokerOrderID); err != nil {
		return refused(err)
	}
	defer c.done()
	c.line.begin(exchange{ctx: ctx})
	found, err := c.sdk.GetOrder(brokerOrderID)
	v := c.line.account.absent(c.ordered(broker.Found, found, err, ""))
	if v.Kind == broker.Found && !strings.EqualFold(v.Order.ID, brokerOrderID) {
		return unproven(v, "the order is another: %s", c.line.clean(v.Order.ID, 64))
	}
	return v
}

// Position implements [broker.Client]. Crypto pairs may be written with their
// slash or without.
func (c *Client) Position(ctx context.Context, symbol string) broker.Verdict {
	path := strings.ReplaceAll(symbol, "/", "")
	if err := checkName("symbol", path, 64, "."); err != nil || strings.Trim(path, ".") == "" {
		return refused(fmt.Errorf("symbol %q is malformed", symbol))
	}
	defer c.done()
	c.line.begin(exchange{ctx: ctx})
	position, err := c.sdk.GetPosition(path)
	v := c.line.account.absent(c.verdict(err))
	switch {
	case v.HTTPStatus/100 != 2 || c.line.x.err != nil:
		return v
	case !isJSON(c.line.x.body):
		return unproven(v, "the body is not JSON")
	case err != nil:
		return unproven(v, "the body is no position: %s", c.line.clean(err.Error(), maxExcerpt))
	case !sameSymbol(position.Symbol, symbol) && position.AssetID != symbol:
		return unproven(v, "the position is of another asset")
	}
	v.Kind, v.Position = broker.Found, held(position)
	return v
}

// verdict is the line's, or a refusal if the SDK did not come as far as the line.
func (c *Client) verdict(err error) broker.Verdict {
	if !c.line.x.started {
		return refused(fmt.Errorf("the request could not be made: %w", err))
	}
	return c.line.verdict()
}

// ordered judges an answer whose body should be an order: 2xx proves kind if the
// order bears the client order id, where one was given, and an id of the broker's.
func (c *Client) ordered(kind broker.VerdictKind, o *sdk.Order, err error, clientOrderID string) broker.Verdict {
	v := c.verdict(err)
	if v.HTTPStatus/100 != 2 || c.line.x.err != nil {
		return v
	}
	if !isJSON(c.line.x.body) {
		return unproven(v, "the body is not JSON") // the SDK takes some that is not
	}
	if err != nil {
		var ok bool
		if o, ok = repaired(c.line.x.body); !ok {
			return unproven(v, "the body is no order: %s", c.line.clean(err.Error(), maxExcerpt))
		}
	}
	switch {
	case o.ID == "":
		return unproven(v, "the order has no id")
	case clientOrderID != "" && o.ClientOrderID != clientOrderID:
		return unproven(v, "the order bears another client order id: %q", c.line.clean(o.ClientOrderID, 128))
	}
	v.Kind, v.Order = kind, booked(o)
	return v
}

// isJSON says whether a body is one JSON value. It runs for every answer, and the JSON
// package that came first takes three times as long.
func isJSON(body []byte) bool {
	return jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// done ends a call: what it captured is no longer needed.
func (c *Client) done() {
	c.line.wire.release()
	if cap(c.line.request) > keepBuffer {
		wipe(&c.line.request)
	}
	c.line.x = exchange{}
	c.line.answer.Reset(nil)
}
