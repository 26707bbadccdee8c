package paper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"
)

// Unlimited is the [Config.RateLimit] of accounts without a limit.
const Unlimited = -1

// Defaults of [Config].
const (
	DefaultRateLimit = 200         // requests a minute an account
	DefaultTick      = time.Second // between two steps of the prices
	DefaultHeartbeat = 15 * time.Second

	// Of a correspondent, over all its accounts: what Alpaca grants is not published.
	DefaultCorrespondentLimit = 1000
	DefaultWindow             = time.Minute
)

// DefaultCash is what an account opens with, in dollars.
var DefaultCash = decimal.NewFromInt(100_000)

// Config describes a broker. The zero value is a working one.
type Config struct {
	// Cash that an account opens with, in dollars; 0 means [DefaultCash].
	Cash decimal.Decimal
	// RateLimit in requests a minute an account; 0 means [DefaultRateLimit], below 0
	// none ([Unlimited]).
	RateLimit int
	// Correspondent is the limit of each correspondent of the Broker API, over all its
	// accounts, which have none of their own.
	Correspondent Limit
	// Heartbeat is between two comments on a stream of server-sent events on which nothing
	// happens; 0 means [DefaultHeartbeat].
	Heartbeat time.Duration
	// Seed of prices, ids and the probabilities of faults. The same requests at the
	// same times of Clock get the same answers from a broker with the same seed.
	Seed uint64
	// NoDuplicateCheck lets a client order id be used again, as no real broker does:
	// with it the ledger shows every second attempt as a second order.
	NoDuplicateCheck bool
	// Clock tells the time; nil means [time.Now].
	Clock func() time.Time
	// Tick between two steps of the prices while [Broker.Run] runs; 0 means
	// [DefaultTick], below 0 they stand still but for [Broker.Tick].
	Tick time.Duration
	// Assets are listed beside those that every broker knows; of one that it knows, the
	// price alone counts.
	Assets []Listing
}

// Listing is an asset by its symbol, with the price of its last trade, above 0. A symbol
// with a slash is a pair of crypto and a currency, any other one an equity.
type Listing struct {
	Symbol string
	Price  decimal.Decimal
}

// Broker is a paper broker. It is safe for concurrent use.
type Broker struct {
	seed      uint64
	cash      num
	tick      time.Duration
	heartbeat time.Duration
	clock     func() time.Time

	market *market
	ledger Ledger
	faults faultList

	requests  atomic.Uint64 // answered so far, for X-Request-ID
	rateLimit atomic.Int64
	// correspondentLimit is whole, and never nil.
	correspondentLimit atomic.Pointer[Limit]
	duplicate          atomic.Bool         // check for used client order ids
	depth              atomic.Pointer[num] // liquidity; nil is all
	session            session

	mu             sync.RWMutex        // guards the maps
	accounts       map[string]*account // by API key, or by id if a correspondent's
	correspondents map[string]*correspondent
	passes         map[string]pass // other keys of accounts, and revoked ones

	closing chan struct{} // closed when Run stops: ends what hangs and streams
	once    sync.Once
	streams sync.WaitGroup // websockets, for which an http.Server does not wait
}

// New makes a broker. It starts nothing.
func New(c Config) *Broker {
	b := &Broker{
		seed: c.Seed, cash: c.Cash, tick: c.Tick, heartbeat: c.Heartbeat, clock: c.Clock,
		market: newMarket(c.Seed, c.Assets), accounts: make(map[string]*account),
		correspondents: make(map[string]*correspondent), closing: make(chan struct{}),
	}
	b.SetCorrespondentLimit(c.Correspondent)
	if b.heartbeat <= 0 {
		b.heartbeat = DefaultHeartbeat
	}
	if b.cash.IsZero() {
		b.cash = DefaultCash
	}
	if b.tick == 0 {
		b.tick = DefaultTick
	}
	if b.clock == nil {
		b.clock = time.Now
	}
	if c.RateLimit == 0 {
		c.RateLimit = DefaultRateLimit
	}
	b.rateLimit.Store(int64(c.RateLimit))
	b.faults.seed = c.Seed ^ hash("faults")
	b.duplicate.Store(!c.NoDuplicateCheck)
	b.session.opened.Store(true)
	return b
}

// Ledger returns the broker's record of what arrived and what it booked.
func (b *Broker) Ledger() *Ledger { return &b.ledger }

// Lists says whether an asset can be traded.
func (b *Broker) Lists(symbol string) bool { return b.market.find(upper(symbol), b.now()) != nil }

// now is the broker's time: its clock's, moved by what was set.
func (b *Broker) now() time.Time { return b.session.now(b.clock()) }

// shutdownTimeout bounds how long Run waits for requests that are being answered.
const shutdownTimeout = 5 * time.Second

// Run serves the API and the admin endpoints on the listeners and moves the prices,
// until ctx is done; then it ends streams and hanging requests, lets the others
// finish, closes the listeners, and returns nil. admin may be nil. A broker runs once.
func (b *Broker) Run(ctx context.Context, api, admin net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	b.serveOn(ctx, group, api, b.Handler())
	if admin != nil {
		b.serveOn(ctx, group, admin, b.Admin())
	}
	group.Go(func() error {
		<-ctx.Done()
		b.once.Do(func() { close(b.closing) })
		return nil
	})
	if b.tick > 0 {
		group.Go(func() error { return b.tickUntil(ctx) })
	}
	err := group.Wait()
	b.streams.Wait()
	return err
}

func (b *Broker) tickUntil(ctx context.Context) error {
	ticker := time.NewTicker(b.tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			b.Tick()
		}
	}
}

// serveOn serves a handler until ctx is done.
func (b *Broker) serveOn(ctx context.Context, group *errgroup.Group, l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("paper: serve on %s: %w", l.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if server.Shutdown(wait) != nil {
			_ = server.Close() // what did not finish in time is cut off
		}
		return nil
	})
}
