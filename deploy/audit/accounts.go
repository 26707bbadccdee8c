package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// Accounts are the order lists of the tenants' accounts at their brokers, which speak Alpaca's
// API. It is used by one audit at a time. It asks with the tenants' own keys, at half the usual limit of requests: the other half is
// for their orders.
func Accounts(tenants tenant.Directory) Broker {
	return &accounts{tenants: tenants, pace: 600 * time.Millisecond, down: make(map[string]bool), client: &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // which would get the keys
	}}
}

type accounts struct {
	tenants tenant.Directory
	client  *http.Client
	pace    time.Duration // between requests
	// down are the brokers, by address, that did not answer when they were asked last, so
	// that not every tenant of theirs waits as long for that.
	down map[string]bool
}

func (a *accounts) Name() string { return "the tenants' accounts" }

// Tenants are those that the directory can name. The ledger names others.
func (a *accounts) Tenants(context.Context) ([]string, error) {
	if all, ok := a.tenants.(interface{ Names() []string }); ok {
		return all.Names(), nil
	}
	return nil, nil
}

// listed is an order on the list of an account.
type listed struct {
	ID            string    `json:"id"`
	ClientOrderID string    `json:"client_order_id"`
	Symbol        string    `json:"symbol"`
	Side          string    `json:"side"`
	Type          string    `json:"type"`
	Qty           string    `json:"qty"`
	Notional      string    `json:"notional"`
	Submitted     time.Time `json:"submitted_at"`
}

const (
	// page is the most orders that a list has.
	page = 500
	// overlap is how far pages reach back into the one before: the broker may cut times to
	// seconds.
	overlap = 2 * time.Second
)

// errDense says that a page of orders has one and the same time.
var errDense = errors.New("more orders bear one time than the broker lists at once")

func (a *accounts) Orders(ctx context.Context, name string, after time.Time, yield func(proof.Booking) error) error {
	t, err := a.tenants.Lookup(ctx, name)
	if errors.Is(err, tenant.ErrUnknown) || errors.Is(err, tenant.ErrNoCredentials) {
		return fmt.Errorf("%w: %w", ErrNoAccount, err)
	}
	if err != nil {
		return err
	}
	seen := make(map[string]time.Time) // in the overlap
	for from, last := after, (time.Time{}); ; {
		orders, err := a.list(ctx, t, from)
		if err != nil {
			return err
		}
		fresh := 0
		for _, o := range orders {
			if _, known := seen[o.ID]; known {
				continue
			}
			fresh++
			seen[o.ID], last = o.Submitted, o.Submitted
			if err := yield(proof.Booking{
				Account: name, ClientOrderID: o.ClientOrderID, OrderID: o.ID, Symbol: o.Symbol, Side: o.Side,
				Type: o.Type, Qty: o.Qty, Notional: o.Notional, Received: o.Submitted,
			}); err != nil {
				return err
			}
		}
		switch {
		case len(orders) < page:
			return nil
		case fresh > 0:
			from = last.Add(-overlap)
		case from.Equal(last):
			return fmt.Errorf("%w: %s", errDense, last)
		default: // the overlap alone has as many
			from = last
		}
		for id, at := range seen {
			if at.Before(from.Add(-overlap)) {
				delete(seen, id)
			}
		}
	}
}

// tries is how often a page is asked for, triesDown how often of a broker that is down.
const (
	tries     = 6
	triesDown = 2
)

// list reads a page: the first orders after a moment.
func (a *accounts) list(ctx context.Context, t tenant.Tenant, after time.Time) ([]listed, error) {
	q := url.Values{"status": {"all"}, "direction": {"asc"}, "nested": {"true"}, "limit": {strconv.Itoa(page)}}
	if !after.IsZero() {
		q.Set("after", after.UTC().Format(time.RFC3339Nano))
	}
	path := []string{"v2", "orders"}
	if id := t.Credentials.Account; id != "" { // by the Broker API
		path = []string{"v1", "trading", "accounts", url.PathEscape(id), "orders"}
	}
	address, err := url.JoinPath(t.BaseURL, path...)
	if err != nil {
		return nil, err
	}
	most := tries
	if a.down[t.BaseURL] {
		most = triesDown
	}
	for try, pause := 1, a.pace; ; try, pause = try+1, 2*pause {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		orders, again, err := a.get(ctx, t, address+"?"+q.Encode())
		if err == nil || !again || try == most || ctx.Err() != nil {
			a.down[t.BaseURL] = err != nil && again
			return orders, err
		}
	}
}

// get asks once; again says that asking again may help.
func (a *accounts) get(ctx context.Context, t tenant.Tenant, address string) (orders []listed, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, false, err
	}
	switch c := t.Credentials; {
	case c.OAuth != "":
		req.Header.Set("Authorization", "Bearer "+c.OAuth)
	case c.Account != "":
		req.SetBasicAuth(c.KeyID, c.Secret)
	default:
		req.Header.Set("APCA-API-KEY-ID", c.KeyID)
		req.Header.Set("APCA-API-SECRET-KEY", c.Secret)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		if whole, ok := errors.AsType[*url.Error](err); ok {
			err = whole.Err // without the address, which may hold more than is to be shown
		}
		return nil, true, fmt.Errorf("the broker does not answer: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	if resp.StatusCode != http.StatusOK {
		again := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= http.StatusInternalServerError
		return nil, again, fmt.Errorf("the broker lists no orders: %s", resp.Status)
	}
	const most = page * order.MaxMessage
	if err := json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&orders); err != nil {
		return nil, true, fmt.Errorf("the broker's orders: %w", err)
	}
	return orders, false, nil
}
