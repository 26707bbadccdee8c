package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/outage"
	"github.com/orderfleet/orderfleet/worker/plant"
	"github.com/orderfleet/orderfleet/worker/pool"
	"github.com/orderfleet/orderfleet/worker/risk"
	"github.com/rs/zerolog"
)

// Config is what all sessions of a worker have in common. Nobody changes it.
type Config struct {
	Worker string
	Ledger *ledger.Ledger
	// Connect makes a tenant's line to its broker. It fails with [tenant.ErrUnknown] or
	// [tenant.ErrNoCredentials] (package shared/tenant), which block an intent.
	Connect func(ctx context.Context, tenant string) (broker.Line, error)
	// Prices are the reference prices of the pre-trade checks; nil: there are none.
	Prices risk.Prices
	// Refresh waits until what was made of tenants' keys before it was called is what Connect
	// makes lines from; nil: keys do not change.
	Refresh func(ctx context.Context) error
	// Outages sees when all tenants of a broker fail.
	Outages *outage.Watch
	// Pools, if set, is where the requests of tenants that share a limit are taken from.
	Pools *pool.Client
	Log   zerolog.Logger
	// Idle is how long a session without work keeps its goroutine and connection.
	Idle time.Duration
	// Settle is how long a broker may show no trace of an order whose answer was lost
	// before that counts as proof that it has none.
	Settle time.Duration
	// Grace is how long after its expiry an intent may stay unresolved before it ends
	// as failed.
	Grace time.Duration
}

// Defaults of a [Config].
const (
	DefaultIdle   = 30 * time.Second
	DefaultSettle = time.Second
	DefaultGrace  = 30 * time.Second
)

// Start is what a shard knows when it starts a session.
type Start struct {
	Tenant string
	Shard  int
	Epoch  uint64
	// Doubt says which of its next intents may have reached the broker, under an earlier
	// owner or its session before.
	Doubt Doubt
	// Begin is the first message whose intent's id the shard remembers; see [Item].First.
	Begin uint64
	// State is what its session before left.
	State State
	// Terms are what the tenant trades under; nil: without any limit. Changes brings those that
	// hold instead: it has room for one, and what it holds is replaced while nobody took it.
	Terms   *tenant.Terms
	Changes <-chan *tenant.Terms

	// Inbox is taken from after the backlog, which the session asks for first.
	Inbox    <-chan Item
	Asks     chan<- Ask
	Notes    chan<- Note     // nil: nobody wants to know
	Draining <-chan struct{} // closed: take up no more
	// Yield is closed when other tenants wait for a session: do not wait for anything, and
	// ask after a window of intents.
	Yield <-chan struct{}
	// Superseded is closed when an earlier owner's outcome reached the ledger late: what the
	// session works on may have its outcome. It makes no more request, and ends; the next
	// one reads the ledger first.
	Superseded <-chan struct{}
	// Until is the moment from which on nothing may be written, since another worker may
	// own the shard soon; zero is never. It moves on while the shard is surely ours: ask as
	// late as possible.
	Until func() time.Time
}

// FencedError says that another worker owns the shard: the ledger has an outcome with a
// newer epoch.
type FencedError struct {
	Tenant, Worker string // whose outcome, and who wrote it
	Epoch, Ours    uint64
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("session: another worker owns the shard: %s wrote an outcome of tenant %s with epoch %d, ours is %d", e.Worker, e.Tenant, e.Epoch, e.Ours)
}

// Session serves one tenant. Only the goroutine in Run touches it.
type Session struct {
	cfg    *Config
	log    zerolog.Logger
	tenant string
	shard  int
	epoch  uint64
	doubt  Doubt
	begin  uint64
	begun  begun // the intent that was begun and not ended

	inbox    <-chan Item
	asks     chan<- Ask
	notes    chan<- Note
	reply    chan Answer
	draining <-chan struct{}
	yield    <-chan struct{}
	stale    <-chan struct{} // see [Start].Superseded
	until    func() time.Time
	timer    *time.Timer

	terms   *tenant.Terms // never nil
	changes <-chan *tenant.Terms

	backlog []Item    // read from the ledger, not begun
	behind  bool      // the ledger has more than the inbox
	passed  uint64    // up to where it was searched, what was found is begun
	had     int       // intents taken since it last asked whether others wait
	wake    time.Time // set aside: until when it would have waited; zero: for other terms
	paused  bool      // set aside: the tenant is paused

	done     uint64       // every intent up to here has its outcome
	tip      uint64       // sequence number of the tenant's last outcome
	status   order.Status // of that outcome; empty if there is none
	free     uint64       // the failed outcome that does not hold the tenant: a release stands behind it
	under    *commit      // the outcome on its way to the ledger
	troubled bool         // something at the ledger failed, and nothing worked since
	reader   *ledger.Reader

	checks checks
	waiter *pool.Waiter // for a token of the tenant's pool; nil: it waits for none
	keeps  bool         // it waits, and keeps its place
	token  *pool.Token  // of the pool, for the next request

	limiter limiter
	breaker breaker
	client  broker.Client // nil until the first intent that needs it, and with it:
	member  *outage.Member
	line    uint64 // see [tenant.Terms].Line
	keys    string // see [broker.Line].Keys
	// disowned: the broker does not know the client's keys.
	disowned bool
	holds    bool // the tenant's policy: an intent that failed holds the later ones
}

// New makes a session. Run it.
func New(cfg *Config, st Start) *Session {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	terms := st.Terms
	if terms == nil {
		terms = new(tenant.Terms)
	}
	if plant.Is(plant.Switch) {
		terms = &tenant.Terms{Revision: terms.Revision, Line: terms.Line, Limits: terms.Limits}
	}
	s := &Session{
		cfg:      cfg,
		log:      cfg.Log.With().Str("tenant", st.Tenant).Int("shard", st.Shard).Logger(),
		tenant:   st.Tenant,
		shard:    st.Shard,
		epoch:    st.Epoch,
		doubt:    st.Doubt,
		begin:    st.Begin,
		begun:    st.State.begun,
		checks:   st.State.checks,
		limiter:  st.State.limiter,
		breaker:  st.State.breaker,
		inbox:    st.Inbox,
		asks:     st.Asks,
		notes:    st.Notes,
		reply:    make(chan Answer, 1),
		draining: st.Draining,
		yield:    st.Yield,
		stale:    st.Superseded,
		until:    st.Until,
		timer:    timer,
		terms:    terms,
		changes:  st.Changes,
		behind:   true,
		reader:   cfg.Ledger.Reader(),
	}
	s.checks.adopt(terms)
	return s
}

// Run serves the tenant until the shard lets it end or draining is closed (nil),
// ctx ends (its cause), or another worker owns the shard ([*FencedError]).
func (s *Session) Run(ctx context.Context) error {
	if plant.Is(plant.Fence) {
		ctx = context.WithoutCancel(ctx)
	}
	defer s.hangup()
	defer s.reader.Close()
	err := s.serve(ctx)
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

func (s *Session) serve(ctx context.Context) error {
	if err := s.findTip(ctx); err != nil {
		return err
	}
	if err := s.checkHeld(ctx); err != nil {
		return err
	}
	for {
		it, err := s.next(ctx)
		if err != nil {
			return err
		}
		s.checks.published(it)
		if it.Intent.Seq <= s.done || plant.Is(plant.Skip) && it.Intent.Seq%50 == 0 {
			continue // an earlier owner's outcome stands
		}
		o, err := s.guarded(ctx, it)
		switch {
		case errors.Is(err, errEnd):
			return s.finish(ctx) // draining: the next owner takes it up again
		case errors.Is(err, errAside):
			w := s.begun.course.aside
			return s.giveWay(ctx, Ask{
				Wake: s.wakeUp(), Paused: s.paused, Why: w.Why, Since: w.From,
				Rest: append([]Item{it}, s.backlog...),
			})
		case err != nil:
			return err
		}
		if err := s.commit(ctx, o); err != nil {
			return err
		}
		s.doubt.ended()
		if err := s.checkHeld(ctx); err != nil {
			return err
		}
	}
}

// guarded decides an intent, and keeps a bug of ours from becoming every tenant's outage:
// the intent on which the code panicked is failed, for somebody to look at.
func (s *Session) guarded(ctx context.Context, it Item) (o *order.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error().Uint64("intent_seq", it.Intent.Seq).Interface("panic", p).Bytes("stack", debug.Stack()).Msg("panic while deciding an intent")
			o, err = s.failed(s.newTask(it), fmt.Sprintf("a bug of the worker's: %v; the broker may have the order", p)), nil
		}
	}()
	return s.decide(ctx, it)
}

// wakeUp is when its tenant is to have a session again, by the monotonic clock; zero if that
// is no question of time.
func (s *Session) wakeUp() time.Time {
	if s.wake.IsZero() {
		return s.wake
	}
	return time.Now().Add(time.Until(s.wake))
}

func (s *Session) drained() bool  { return closed(s.draining) }
func (s *Session) yielding() bool { return closed(s.yield) }

func closed(signal <-chan struct{}) bool {
	select {
	case <-signal:
		return true
	default:
		return false
	}
}

// InDoubt says which of the tenant's next intents may be at the broker. Read it when Run has
// returned.
func (s *Session) InDoubt() Doubt {
	if s.under != nil {
		return Doubt{Suspects, math.MaxUint64, time.Now()}
	}
	return s.doubt
}

// silent says that nothing may be written now.
func (s *Session) silent() bool {
	until := s.until()
	return !until.IsZero() && !time.Now().Before(until) && !plant.Is(plant.Fence)
}

// await waits while nothing may be written: until the lease is renewed, or is lost, which
// ends ctx.
func (s *Session) await(ctx context.Context) error {
	for s.silent() {
		if err := sleep(ctx, silenceStep); err != nil {
			return err
		}
	}
	return nil
}

// silenceStep is how often a session looks whether it may write again.
const silenceStep = 10 * time.Millisecond

func (s *Session) hangup() {
	if s.client != nil {
		s.client.Close()
		s.member.Leave()
	}
}
