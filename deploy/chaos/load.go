package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// producers is how many processes' worth of producers there are: each with wires and a
// connection of its own, and every so many-th tenant.
const producers = 2

// load is the producers at work: a goroutine a tenant, which publishes one intent after
// the other and tries again until it is acknowledged.
type load struct {
	conns    []*nats.Conn
	sdk      []*producer.Producer
	tenants  []*trader
	running  sync.WaitGroup
	refusals atomic.Int64 // publishes that were tried again
}

// trader is one tenant's producer. Its goroutine owns it until the load has ended.
type trader struct {
	name     string
	random   *rand.Rand
	sdk      *producer.Producer
	serial   int
	recent   []string // ids of the last orders, to change or to use again
	receipts []proof.Receipt
	unknown  int // publishes that were given up unacknowledged
}

// newLoad connects the producers.
func (s *system) newLoad(ctx context.Context) (*load, error) {
	l := &load{}
	for g := range producers {
		var urls []string
		for i, v := range s.nats {
			at, err := s.wires.connect(ProducerNATS, fmt.Sprintf("producer%d", g), serverName(i), v.at)
			if err != nil {
				return l, err
			}
			urls = append(urls, "nats://"+at)
		}
		nc, err := natsconn.Dial(ctx, "orderfleet chaos producer", natsconn.Options{URL: strings.Join(urls, ",")}, nats.ErrorHandler(overlook))
		if err != nil {
			return l, err
		}
		l.conns = append(l.conns, nc)
		p, err := producer.New(ctx, nc)
		if err != nil {
			return l, err
		}
		l.sdk = append(l.sdk, p)
	}
	for n := range s.Tenants {
		l.tenants = append(l.tenants, &trader{
			name: roleOf(n).name, sdk: l.sdk[n%producers], random: rand.New(rand.NewPCG(s.Seed, uint64(1000+n))),
		})
	}
	return l, nil
}

// run publishes until stop is done; publishes under way then have until ctx ends. Tenants
// take turns, each once in an interval, with a jitter of a fifth of it: so a tenant that
// is silent for much longer has been kept waiting.
func (l *load) run(ctx, stop context.Context, rate int) {
	interval := time.Duration(len(l.tenants)) * time.Second / time.Duration(rate)
	for n, t := range l.tenants {
		l.running.Go(func() {
			turn := time.Now().Add(interval * time.Duration(n) / time.Duration(len(l.tenants)))
			for {
				if !sleep(stop, time.Until(turn)+time.Duration(t.random.Int64N(int64(interval)/5+1))) {
					return
				}
				in := t.next()
				l.publish(ctx, stop, t, in)
				if in.Kind == order.KindCancel && stop.Err() == nil { // which is no request for an order
					l.publish(ctx, stop, t, t.next())
				}
				turn = latest(turn.Add(interval), time.Now())
			}
		})
	}
}

// publish publishes one intent until it is acknowledged. When the load is to stop it is
// tried for a little longer.
func (l *load) publish(ctx, stop context.Context, t *trader, in order.Intent) {
	for {
		once, cancel := context.WithTimeout(ctx, producer.DefaultPatience)
		receipt, err := t.sdk.Publish(once, t.name, in)
		cancel()
		if err == nil {
			r := proof.Receipt{Tenant: receipt.Tenant, ID: receipt.ID, Seq: receipt.Seq}
			if in.ID == fmt.Sprintf("%06d", t.serial) { // else the receipt may be that of its first use
				r.Digest = proof.DigestOf(in)
			}
			t.receipts = append(t.receipts, r)
			return
		}
		l.refusals.Add(1)
		if stop.Err() != nil || !sleep(ctx, 100*time.Millisecond) {
			t.unknown++
			return
		}
	}
}

// stop waits for the producers, and hangs up.
func (l *load) stop() {
	l.running.Wait()
	for _, nc := range l.conns {
		nc.Close()
	}
}

// receipts are all acknowledgements.
func (l *load) receipts() (all []proof.Receipt, unknown int) {
	for _, t := range l.tenants {
		all = append(all, t.receipts...)
		unknown += t.unknown
	}
	return all, unknown
}

// lifetime is longer than any trouble of a run; some intents are in more of a hurry.
const lifetime = 10 * time.Minute

// next is a tenant's next intent: mostly an order that rests at the broker; market orders,
// orders that the broker refuses, replacements, cancels, an id that was used before; one
// in ten is soon stale.
func (t *trader) next() order.Intent {
	t.serial++
	in := order.Intent{ID: fmt.Sprintf("%06d", t.serial), Kind: order.KindOrder, ExpiresAt: time.Now().Add(lifetime)}
	if t.random.IntN(10) == 0 {
		in.ExpiresAt = time.Now().Add(ms(200, 4000).draw(t.random))
	}
	qty, price := decimal.NewFromInt(1+t.random.Int64N(9)), decimal.RequireFromString("1.25")
	in.Order = &order.Order{Symbol: "AAPL", Qty: &qty, Side: order.Buy, Type: order.Limit, TimeInForce: order.Day, LimitPrice: &price}
	switch draw := t.random.IntN(100); {
	case draw < 72:
	case draw < 82:
		in.Order.Type, in.Order.LimitPrice = order.Market, nil
	case draw < 85: // there is no such share
		in.Order.Symbol = "ZZZZ"
	case draw < 86 && t.serial > 20: // its id was used before
		in.ID = fmt.Sprintf("%06d", t.serial-20)
	case draw < 93 && len(t.recent) > 0:
		in.Kind, in.Target, in.Order = order.KindReplace, t.old(), &order.Order{Qty: &qty}
	case len(t.recent) > 0:
		in.Kind, in.Target, in.Order = order.KindCancel, t.old(), nil
	}
	if in.Kind == order.KindOrder && in.Order.Type == order.Limit && in.Order.Symbol == "AAPL" {
		if t.recent = append(t.recent, in.ID); len(t.recent) > 8 {
			t.recent = t.recent[1:]
		}
	}
	return in
}

// old is one of the tenant's last orders.
func (t *trader) old() string { return t.recent[t.random.IntN(len(t.recent))] }
