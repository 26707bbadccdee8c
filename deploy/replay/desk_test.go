package replay_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// desk writes a ledger by hand.
type desk struct {
	testing.TB
	*ledger.Ledger
	nc   *nats.Conn
	tips map[string]uint64
}

const shards = 3

func newDesk(t *testing.T) *desk {
	l, nc := ledgertest.Open(t, shards)
	return &desk{t, l, nc, make(map[string]uint64)}
}

// put puts a message on the ledger, whatever it is.
func (d *desk) put(c ledger.Class, tenant string, data []byte) uint64 {
	d.Helper()
	ack, err := d.JetStream().Publish(d.Context(), c.Subject(d.ShardOf(tenant), tenant), data)
	if err != nil {
		d.Fatal(err)
	}
	return ack.Sequence
}

func (d *desk) publish(tenant string, in order.Intent) uint64 {
	d.Helper()
	data, err := order.EncodeIntent(in)
	if err != nil {
		d.Fatal(err)
	}
	return d.put(ledger.Intents, tenant, data)
}

// end writes an outcome as a worker does.
func (d *desk) end(tenant string, o order.Outcome) uint64 {
	d.Helper()
	o.Worker, o.Epoch = "w", 1
	f, err := d.Append(d.ShardOf(tenant), tenant, &o, d.tips[tenant])
	if err != nil {
		d.Fatal(err)
	}
	select {
	case ack := <-f.Ok():
		d.tips[tenant] = ack.Sequence
		return ack.Sequence
	case err := <-f.Err():
		d.Fatal(err)
		return 0
	}
}

// asked publishes an intent and ends it as a broker's worker would.
func (d *desk) asked(tenant string, in order.Intent, status order.Status) uint64 {
	d.Helper()
	seq := d.publish(tenant, in)
	o := order.Outcome{IntentID: in.ID, IntentSeq: seq, Kind: in.Kind, Status: status}
	switch in.Kind {
	case order.KindCancel:
		o.ClientOrderID = order.ClientOrderID(tenant, in.Target)
	case order.KindCancelAll:
	default:
		o.ClientOrderID = in.ClientOrderID(tenant)
	}
	if status == order.Accepted {
		o.HTTPStatus, o.BrokerOrderID = 200, "order-of-"+tenant+"-"+in.ID
	}
	d.end(tenant, o)
	return seq
}

func (d *desk) update(tenant string, u order.Update) {
	d.Helper()
	if u.At.IsZero() {
		u.At = time.Now()
	}
	data, err := order.EncodeUpdate(u)
	if err != nil {
		d.Fatal(err)
	}
	d.put(ledger.Updates, tenant, data)
}

// filled writes that an order was filled at once.
func (d *desk) filled(tenant, id, qty, price string) {
	d.Helper()
	d.update(tenant, order.Update{
		Event: "fill", BrokerOrderID: "order-of-" + tenant + "-" + id, IntentID: id, ClientOrderID: tenant + "." + id, OrderStatus: "filled",
		Price: num(price), Qty: num(qty), FilledQty: num(qty),
	})
}

func num(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}

// buy is a market order.
func buy(id, symbol, qty string, labels ...string) order.Intent {
	in := order.Intent{ID: id, Kind: order.KindOrder, ExpiresAt: time.Now().Add(time.Minute), Order: &order.Order{
		Symbol: symbol, Qty: num(qty), Side: order.Buy, Type: order.Market, TimeInForce: order.Day,
	}}
	for i := 0; i < len(labels); i += 2 {
		if in.Labels == nil {
			in.Labels = make(map[string]string)
		}
		in.Labels[labels[i]] = labels[i+1]
	}
	return in
}

// limit is a limit order to buy.
func limit(id, symbol, qty, price string) order.Intent {
	in := buy(id, symbol, qty)
	in.Order.Type, in.Order.LimitPrice, in.Order.TimeInForce = order.Limit, num(price), order.GTC
	return in
}

func cancel(id, target string) order.Intent {
	return order.Intent{ID: id, Kind: order.KindCancel, Target: target, ExpiresAt: time.Now().Add(time.Minute)}
}
