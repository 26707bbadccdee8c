package pool

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// Registry knows the pools. Safe for concurrent use.
type Registry interface {
	// Pool is the pool of a name, as of now; false if there is none.
	Pool(name string) (tenant.Pool, bool)
}

// Config is what a worker's part in pools needs to know. Nobody changes it.
type Config struct {
	// Worker is the worker's name, for people.
	Worker string
	Conn   *nats.Conn
	// Shards of the ledger: the owner of the one that a pool's name hashes to is its banker.
	Shards   int
	Registry Registry
	// Stale is how far behind the truth a worker's view of the fleet may be that still makes
	// requests.
	Stale time.Duration
	Log   zerolog.Logger
}

func (c *Config) shardOf(pool string) int { return ledger.ShardOf(pool, c.Shards) }

// Client is a worker's side of all pools that its tenants share. Only the goroutine in Run
// touches its tills. Safe for concurrent use.
type Client struct {
	cfg    *Config
	id     string
	events chan func(now time.Time)
	done   chan struct{} // closed when Run has returned
	tills  map[string]*till
	shares shares
}

// NewClient makes a client. Run it.
func NewClient(cfg *Config) *Client {
	return &Client{
		cfg:    cfg,
		id:     strings.ToLower(rand.Text()[:16]),
		events: make(chan func(time.Time)),
		done:   make(chan struct{}),
		tills:  make(map[string]*till),
		shares: shares{stale: cfg.Stale},
	}
}

// Request is what somebody wants to make.
type Request struct {
	Pool   string
	Tenant string
	Weight int // of the tenant in the pool; below 1 it is 1
	Class  Class
}

// Waiter waits for a token.
type Waiter struct {
	till   *till
	key    tenantClass
	weight int
	tokens chan *Token
}

// Token yields the token, once; never if w is nil.
func (w *Waiter) Token() <-chan *Token {
	if w == nil {
		return nil
	}
	return w.tokens
}

// Wait begins to wait for a token. Take it from the waiter, or [Client.Leave].
func (c *Client) Wait(r Request) *Waiter {
	w := &Waiter{key: tenantClass{r.Tenant, r.Class}, weight: max(r.Weight, 1), tokens: make(chan *Token, 1)}
	c.tell(func(now time.Time) {
		w.till = c.till(now, r.Pool)
		w.till.join(now, w)
	})
	return w
}

// Leave ends a wait; a token that has come meanwhile goes back.
func (c *Client) Leave(w *Waiter) {
	c.tell(func(time.Time) {
		if w.till == nil {
			return
		}
		w.till.leave(w)
		select {
		case tok := <-w.tokens:
			w.till.giveBack(tok)
		default:
		}
	})
}

// Used reports what became of the one request that a token was good for.
func (c *Client) Used(tok *Token, v broker.Verdict) {
	v.Order, v.Position, v.Canceled = nil, nil, nil
	c.tell(func(now time.Time) { tok.till.report(now, tok, &v) })
}

// Back gives a token back: no request was made, and none will be.
func (c *Client) Back(tok *Token) {
	c.tell(func(now time.Time) { tok.till.report(now, tok, nil) })
}

// Members says who is in the fleet, by their ids, and which of them this worker is; it is
// none of them while it is in no fleet.
func (c *Client) Members(self string, members []string) {
	c.tell(func(now time.Time) { c.shares.see(now, self, members) })
}

// tell has the client's goroutine do something; it never waits for anybody.
func (c *Client) tell(event func(now time.Time)) {
	select {
	case c.events <- event:
	case <-c.done:
	}
}

func (c *Client) till(now time.Time, pool string) *till {
	t := c.tills[pool]
	if t == nil {
		t = newTill(pool, c.id, &c.shares, now)
		c.tills[pool] = t
	}
	return t
}

// inboxSize is how many messages may wait for a client, or a banker. What comes beyond is
// lost, as anything may be.
const inboxSize = 1024

// Run serves everybody who waits until ctx ends. It must outlive them.
func (c *Client) Run(ctx context.Context) {
	defer close(c.done)
	grants := make(chan *nats.Msg, inboxSize)
	sub, err := c.cfg.Conn.ChanSubscribe(grantSubjects(c.id), grants)
	if err != nil { // the connection is closed, or breaks a rule of the library's
		c.cfg.Log.Error().Err(err).Msg("no banker of a pool is heard: this worker makes do with what needs none")
	} else {
		defer sub.Unsubscribe() //nolint:errcheck // the connection is gone then
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if at := c.tick(time.Now()); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		select {
		case event := <-c.events:
			event(time.Now())
		case m := <-grants:
			c.hear(m)
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// hear takes in a banker's message.
func (c *Client) hear(m *nats.Msg) {
	g, err := decodeGrant(m.Data)
	if err != nil {
		c.cfg.Log.Warn().Err(err).Msg("a banker's message makes no sense; going on without it")
		return
	}
	if t := c.tills[g.Pool]; t != nil && m.Subject == grantSubject(c.cfg.shardOf(g.Pool), c.id) {
		t.grant(time.Now(), g)
	}
}

// registryInterval is how soon a pool that is not registered yet is noticed.
const registryInterval = 250 * time.Millisecond

// tick does what is due in all tills, and returns when the next thing is; zero is never.
func (c *Client) tick(now time.Time) (next time.Time) {
	for name, t := range c.tills {
		t.set(c.cfg.Registry.Pool(name))
		if a := t.tick(now); a != nil {
			c.say(askSubject(c.cfg.shardOf(name)), a)
		}
		if t.idle(now) {
			delete(c.tills, name)
			continue
		}
		at := t.next(now)
		if !t.known && len(t.order) > 0 {
			at = now.Add(registryInterval)
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// say sends a message. One that is not sent is lost, as any may be.
func (c *Client) say(subject string, m any) { send(c.cfg, subject, m) }

func send(cfg *Config, subject string, m any) {
	data, err := encode(m)
	if err == nil {
		err = cfg.Conn.Publish(subject, data)
	}
	if err != nil {
		cfg.Log.Debug().Err(err).Msg("a pool's message was not sent")
	}
}
