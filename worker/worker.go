package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/custody"
	"github.com/orderfleet/orderfleet/worker/fleet"
	"github.com/orderfleet/orderfleet/worker/outage"
	"github.com/orderfleet/orderfleet/worker/plant"
	"github.com/orderfleet/orderfleet/worker/pool"
	"github.com/orderfleet/orderfleet/worker/reconcile"
	"github.com/orderfleet/orderfleet/worker/retention"
	"github.com/orderfleet/orderfleet/worker/session"
	"github.com/orderfleet/orderfleet/worker/shard"
	"github.com/orderfleet/orderfleet/worker/updates"
	"github.com/rs/zerolog"
)

// Config is what a worker needs to know. The zero value of an optional field stands
// for its default.
type Config struct {
	// Name is written into every outcome. It must be this process's alone; by default
	// it is the host's name with a random suffix.
	Name string
	// Connect makes a tenant's line to its broker; see [session.Config]. Required.
	Connect func(ctx context.Context, tenant string) (broker.Line, error)
	// Books, if set, makes a tenant's second line to its broker, over which what becomes of
	// its open orders is followed. It fails as Connect does. Without it no updates reach the
	// ledger.
	Books func(ctx context.Context, tenant string) (broker.Books, error)
	// Reseal, if set, opens a tenant's credentials and seals them to the recipients of now,
	// because an operator asks; see [inquiry.Reseal].
	Reseal func(ctx context.Context, tenant string) (inquiry.Resealed, error)
	// MaxSessions bounds how many tenants are served at once, and with it the open
	// connections. By default three quarters of the process's limit of open files.
	MaxSessions int
	// MaxFollowers bounds how many tenants' orders are followed at once; the others take
	// turns. A follower has two connections at times. By default a tenth of the process's
	// limit of open files.
	MaxFollowers int
	// Linger, Check, Turn: see [updates.Config].
	Linger, Check, Turn time.Duration
	// ReconcileEvery is how often it is each tenant's turn to be reconciled with its broker; 0
	// is never but when an operator asks. It needs Books.
	ReconcileEvery time.Duration
	// ReconcileDelay is how long after a shard was taken the first turns begin, at most. By
	// default it is a quarter of a minute.
	ReconcileDelay time.Duration
	// ReconcileSettle: see [reconcile.Config].
	ReconcileSettle time.Duration
	// PerMinute, if set, is a tenant's rate limit in requests a minute, of which reconciling
	// takes a small part; 0 if nobody states one.
	PerMinute func(ctx context.Context, tenant string) int
	// Idle, Settle, Grace: see [session.Config].
	Idle, Settle, Grace time.Duration
	// LeaseTTL is how long the fleet waits for a sign of life; see [fleet.Config].
	LeaseTTL time.Duration
	// Registry, if set, says under which terms the tenants trade: limits, switches. Without it
	// they trade without any.
	Registry shard.Registry
	// Pools, if set, says which rate pools there are that tenants share, by their terms. Without
	// it nobody shares anything, and each tenant has its own limit alone. It needs Registry.
	Pools pool.Registry
	// Ready, if set, is called with "" when the worker is ready, and with the reason when
	// it no longer is.
	Ready func(why string)
	// Serving, if set, is called when a shard is folded and its tenants are served, from
	// the shard's goroutine.
	Serving func(shard int)
	Log     zerolog.Logger
}

// reconcileDelay is the default of [Config.ReconcileDelay].
const reconcileDelay = 15 * time.Second

// messageRoom is how many bytes of waiting messages a worker keeps, so that a burst need
// not be read from the ledger twice.
const messageRoom = 4 << 20

// Run serves the ledger of the server that nc is connected to, together with all other
// workers that do. Closing drain makes it finish what is under way, commit it, and return
// nil; the end of ctx makes it abandon its work, which its next owner resolves. It outlives
// cuts from the server.
func Run(ctx context.Context, drain <-chan struct{}, nc *nats.Conn, cfg Config) error {
	l, err := ledger.Await(ctx, nc, drain, func(err error) {
		if cfg.Ready != nil {
			cfg.Ready("waiting for the ledger")
		}
		cfg.Log.Warn().Err(err).Msg("waiting for the ledger")
	})
	if l == nil {
		return err
	}
	cfg, err = cfg.withDefaults(l.Shards())
	if err != nil {
		return err
	}
	log := cfg.Log.With().Str("worker", cfg.Name).Logger()
	outages := outage.New(log)
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the sessions
	var watch sync.WaitGroup
	watch.Go(func() { outages.Run(watching) })
	prices := new(price.Board)
	watch.Go(func() { prices.Watch(watching, l, log) })
	watch.Go(func() { custody.Run(watching, l, nc, log) })
	followed := cfg.Books != nil
	watch.Go(func() { retention.Run(watching, l, followed, log) })
	defer watch.Wait()
	defer unwatch()

	member := fleet.Config{
		Ledger: l,
		Name:   cfg.Name,
		TTL:    cfg.LeaseTTL,
		Ready:  cfg.Ready,
		Log:    log,
	}
	var (
		pools   *pool.Config
		sharing *pool.Client // nil: nothing is shared
	)
	if cfg.Pools != nil && cfg.Registry != nil {
		pools = &pool.Config{Worker: cfg.Name, Conn: nc, Shards: l.Shards(), Registry: cfg.Pools, Stale: member.Stale(), Log: log}
		sharing = pool.NewClient(pools)
		member.Members = sharing.Members
		if cfg.Books != nil {
			cfg.Books = sharing.Books(cfg.Books, cfg.Registry.Terms)
		}
		watch.Go(func() { sharing.Run(watching) })
	}

	var follow *updates.Config
	if cfg.Books != nil {
		follow = new(updates.Config{
			Worker: cfg.Name,
			Ledger: l,
			Books:  cfg.Books,
			Log:    log,
			Linger: cfg.Linger,
			Check:  cfg.Check,
			Turn:   cfg.Turn,
		}.WithDefaults())
	}
	var compare *shard.Reconcile
	if follow != nil {
		compare = &shard.Reconcile{
			Config: reconcile.Config{Ledger: l, Updates: follow, PerMinute: cfg.PerMinute, Settle: cfg.ReconcileSettle},
			Every:  cfg.ReconcileEvery,
			Delay:  cfg.ReconcileDelay,
		}
	}
	load := new(shard.Load)
	shards := shard.Config{
		MaxSessions:  max(cfg.MaxSessions/l.Shards(), 1),
		Room:         messageRoom / l.Shards(),
		Load:         load,
		Registry:     cfg.Registry,
		Reseal:       cfg.Reseal,
		Conn:         nc,
		Serving:      cfg.Serving,
		Updates:      follow,
		Reconcile:    compare,
		MaxFollowers: max(cfg.MaxFollowers/l.Shards(), 1),
		Session: session.Config{
			Worker:  cfg.Name,
			Ledger:  l,
			Connect: plant.Connect(cfg.Connect),
			Prices:  prices,
			Outages: outages,
			Pools:   sharing,
			Log:     log,
			Idle:    cfg.Idle,
			Settle:  cfg.Settle,
			Grace:   cfg.Grace,
		},
	}
	if cfg.Registry != nil {
		shards.Session.Refresh = cfg.Registry.Sync
	}
	member.Load = func() fleet.Load {
		return fleet.Load{Sessions: int(load.Sessions.Load()), Waiting: int(load.Waiting.Load()), Differing: int(load.Differing.Load())}
	}
	serve := fleet.Serve(shards.Serve)
	if pools != nil {
		serve = pools.Around(serve)
	}
	return member.Run(ctx, drain, serve)
}

func (c Config) withDefaults(shards int) (Config, error) {
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return c, fmt.Errorf("worker: no name given, and the host has none: %w", err)
		}
		c.Name = host + "-" + strings.ToLower(rand.Text()[:6])
	}
	if c.MaxSessions == 0 || c.MaxFollowers == 0 {
		limit, err := openFiles()
		if err != nil {
			return c, err
		}
		c.MaxSessions = cmp.Or(c.MaxSessions, limit/4*3)
		c.MaxFollowers = cmp.Or(c.MaxFollowers, limit/10)
	}
	if c.MaxSessions < shards {
		return c, fmt.Errorf("worker: room for %d sessions, but there are %d shards and each needs one: raise the limit of open files (ulimit -n) or the number of sessions", c.MaxSessions, shards)
	}
	if c.Ready == nil {
		c.Ready = func(string) {}
	}
	c.LeaseTTL = cmp.Or(c.LeaseTTL, fleet.DefaultTTL)
	c.ReconcileDelay = cmp.Or(c.ReconcileDelay, reconcileDelay)
	c.ReconcileSettle = cmp.Or(c.ReconcileSettle, reconcile.DefaultSettle)
	c.Idle = cmp.Or(c.Idle, session.DefaultIdle)
	c.Settle = cmp.Or(c.Settle, session.DefaultSettle)
	c.Grace = cmp.Or(c.Grace, session.DefaultGrace)
	return c, nil
}
