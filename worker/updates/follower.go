package updates

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// Config is what all followers of a worker have in common. Nobody changes it.
type Config struct {
	Worker string
	Ledger Ledger
	// Books makes a tenant's second line to its broker. It fails as a session's Connect does.
	Books func(ctx context.Context, tenant string) (broker.Books, error)
	Log   zerolog.Logger
	// Linger is how long a follower stays without an open order.
	Linger time.Duration
	// Check is how often it looks everything up although its feed is open; a quarter more or
	// less.
	Check time.Duration
	// Turn is how long it keeps its place at least when others wait for it.
	Turn time.Duration
}

// Ledger is what a follower needs of the ledger; see [ledger.Ledger].
type Ledger interface {
	AppendUpdate(shard int, tenant string, u *order.Update, after uint64) (jetstream.PubAckFuture, error)
	LastUpdate(ctx context.Context, shard int, tenant string) (order.Update, uint64, error)
	ReadTenant(ctx context.Context, shard int, tenant string, from, end uint64, deliver func(ledger.Entry) error, classes ...ledger.Class) error
}

// Defaults of a [Config].
const (
	DefaultLinger = 10 * time.Second
	DefaultCheck  = time.Minute
	DefaultTurn   = 10 * time.Second
)

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	c.Linger = cmp.Or(c.Linger, DefaultLinger)
	c.Check = cmp.Or(c.Check, DefaultCheck)
	c.Turn = cmp.Or(c.Turn, DefaultTurn)
	return c
}

// Start is what a shard knows when it starts a follower.
type Start struct {
	Tenant string
	Shard  int
	Epoch  uint64
	// Delay is how long the follower waits before it begins.
	Delay time.Duration
	Inbox Inbox
	// Asks takes the question of a follower whose inbox was closed because it was full.
	Asks chan<- Ask
	// Renewed says that a line to the broker is made of other settings or keys from now on: it
	// has room for one.
	Renewed <-chan struct{}
	// Yield is closed when others wait for the place. Whoever starts with it closed looks
	// everything up once and ends, without a feed.
	Yield <-chan struct{}
	// Pace is that of the tenant's last follower; see [Follower.Pace].
	Pace Pace
	// Until is the moment from which on nothing may be written; see the session's.
	Until func() time.Time
}

// Inbox is how a follower hears of its tenant's outcomes: those up to Position are read from
// the ledger, the later ones come through Outcomes. The shard closes that when it is full.
type Inbox struct {
	Position uint64
	Outcomes <-chan ledger.Entry
}

// Ask asks the shard for a new inbox.
type Ask struct {
	Tenant string
	Reply  chan<- Inbox
}

// FencedError says that another worker owns the shard: the ledger has an update with a newer
// epoch.
type FencedError struct {
	Tenant, Worker string // whose update, and who wrote it
	Epoch, Ours    uint64
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("updates: another worker owns the shard: %s wrote an update of tenant %s with epoch %d, ours is %d", e.Worker, e.Tenant, e.Epoch, e.Ours)
}

// UnreadableError says that a tenant's last update makes no sense to this release: a newer
// one wrote it, perhaps. Nothing can be written behind it.
type UnreadableError struct {
	Tenant string
	Err    error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("updates: the last update of tenant %s cannot be read by this release: %v", e.Tenant, e.Err)
}

func (e *UnreadableError) Unwrap() error { return e.Err }

// Follower follows one tenant. Only the goroutine in Run touches it.
type Follower struct {
	cfg   *Config
	st    Start
	log   zerolog.Logger
	began time.Time

	book  *book
	under *written // the update on its way to the ledger
	books broker.Books
	lent  bool // books are somebody else's
	stale bool // the open feed is of a line that is no longer to be used
	pacer Pace
	// firsts are orders that others go back to, by the ids of those.
	firsts map[string]broker.Record

	events <-chan *broker.Event // of the open feed; closed when it has ended
	next   *broker.Event        // taken from it, and not dealt with yet

	trouble string    // the last one, until all is well
	reached bool      // the broker answered
	shut    bool      // it did not, the first time that it was asked
	looked  time.Time // when it last looked everything up
	unheard time.Time // when to look for an order of which nothing is heard; zero is never
}

// New makes a follower. Run it.
func New(cfg *Config, st Start) *Follower {
	return &Follower{cfg: cfg, st: st, log: cfg.Log.With().Str("tenant", st.Tenant).Int("shard", st.Shard).Logger(), began: time.Now(), pacer: st.Pace}
}

// Why a follower stops what it does, beside the end of its context.
var (
	// errDone: no order is open.
	errDone = errors.New("updates: no order is open")
	// errYield: others wait for the place.
	errYield = errors.New("updates: others wait for the place")
	// errRenewed: the open feed is of an old line.
	errRenewed = errors.New("updates: the way to the broker is another one")
	// errStale: somebody else wrote an update.
	errStale = errors.New("updates: an update of somebody else's is on the ledger")
)

// Run follows the tenant until no order of its is open, for a while, or others want the
// place (nil); until ctx ends (its cause), or another worker owns the shard
// ([*FencedError]), or the tenant's last update cannot be read ([*UnreadableError]). Afterwards [Follower.Open] says whether orders are open.
func (f *Follower) Run(ctx context.Context) error {
	defer f.leave()
	if err := wait(ctx, f.st.Delay); err != nil {
		return err
	}
	for {
		err := f.load(ctx)
		if err == nil {
			err = f.serve(ctx)
		}
		switch {
		case errors.Is(err, errStale):
			f.log.Debug().Msg("somebody else wrote an update; reading the ledger again")
		case errors.Is(err, errDone), errors.Is(err, errYield):
			return nil
		default:
			return err
		}
	}
}

// Open says that orders of the tenant are open, or that it is not known. Read it when Run
// has returned.
func (f *Follower) Open() bool { return f.book == nil || f.book.open() }

// Pace is for the tenant's next follower. Read it when Run has returned. It leaves enough
// requests at once for a look at a few orders: turns may be too short for more.
func (f *Follower) Pace() Pace {
	p := f.pacer
	p.spent = min(p.spent, atOnce/2)
	return p
}

// serve follows the tenant on the book that was loaded.
func (f *Follower) serve(ctx context.Context) error {
	var pause backoff
	for {
		if err := f.linger(ctx); err != nil {
			return err
		}
		if f.yielding() {
			return cmp.Or(f.catchUp(ctx), errYield)
		}
		opened := time.Now()
		err := f.follow(ctx)
		if errors.Is(err, errRenewed) {
			f.log.Debug().Msg("the tenant's way to its broker changed; following its orders over the new one")
			continue
		}
		var cut *cutError
		if !errors.As(err, &cut) {
			return err
		}
		f.complain("the feed of updates", cut.why)
		if time.Since(opened) > lastDelay {
			pause = backoff{} // it was no quick failure
		}
		if err := f.sleep(ctx, max(pause.next(), min(cut.wait, maxAway))); err != nil {
			return err
		}
	}
}

// cutError says that a feed ended, or did not open, for a reason that may pass.
type cutError struct {
	why  string
	wait time.Duration // how long the broker asks us to stay away
}

func (e *cutError) Error() string { return "updates: " + e.why }

// linger waits until an order is open.
func (f *Follower) linger(ctx context.Context) error {
	if f.book.open() {
		return nil
	}
	enough := time.NewTimer(f.cfg.Linger)
	defer enough.Stop()
	for !f.book.open() {
		select {
		case e, ok := <-f.st.Inbox.Outcomes:
			if err := f.hear(ctx, e, ok); err != nil {
				return err
			}
		case <-enough.C:
			return errDone
		case <-f.st.Yield:
			return errDone
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// patience is how long an order may go unheard of after its outcome before it is looked up:
// what became of it may have been over before the feed was open.
const patience = 2 * time.Second

// hear folds in an outcome from the inbox, or gets a new inbox.
func (f *Follower) hear(ctx context.Context, e ledger.Entry, ok bool) error {
	if !ok {
		return f.again(ctx)
	}
	placed, err := f.book.heed(e)
	if err != nil {
		f.log.Error().Err(err).Msg("a message of the ledger makes no sense; going on without it")
	}
	if placed != nil && !placed.heard && f.unheard.IsZero() {
		f.unheard = time.Now().Add(patience)
	}
	return nil
}

// drain folds in the outcomes that are in the inbox.
func (f *Follower) drain(ctx context.Context) error {
	for {
		select {
		case e, ok := <-f.st.Inbox.Outcomes:
			if err := f.hear(ctx, e, ok); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// again gets a new inbox and reads from the ledger what the old one did not take.
func (f *Follower) again(ctx context.Context) error {
	reply := make(chan Inbox, 1)
	select {
	case f.st.Asks <- Ask{f.st.Tenant, reply}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case f.st.Inbox = <-reply:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f.unheard = time.Now().Add(patience)
	return f.read(ctx, f.book.seen+1, f.st.Inbox.Position, f.book.fold, ledger.Outcomes)
}

// yielding says that others want the place, from the start or after a turn.
func (f *Follower) yielding() bool {
	select {
	case <-f.st.Yield:
		return true
	default:
		return false
	}
}

// sleep waits, but not while others wait for the place.
func (f *Follower) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-f.turnOver():
		return errYield
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// turnOver is closed when others want the place; nil before the follower had its turn, which
// is over at once if it does not reach its broker.
func (f *Follower) turnOver() <-chan struct{} {
	if !f.shut && time.Since(f.began) < f.cfg.Turn {
		return nil
	}
	return f.st.Yield
}

// line makes the line to the broker, unless there is one that is still to be used.
func (f *Follower) line(ctx context.Context) error {
	f.heed()
	if f.books != nil {
		return nil
	}
	var pause backoff
	for {
		books, err := f.cfg.Books(ctx, f.st.Tenant)
		if err == nil {
			f.books = books
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f.shut = !f.reached
		f.complain("the way to the broker", err.Error())
		if err := f.sleep(ctx, pause.next()); err != nil {
			return err
		}
	}
}

// heed lets go of the line if another is to be used.
func (f *Follower) heed() {
	select {
	case <-f.st.Renewed:
		f.renew()
	default:
	}
}

func (f *Follower) renew() {
	f.leave()
	f.stale = true
}

// hangup closes the connection of the lists, until they are asked again.
func (f *Follower) hangup() {
	if f.books != nil {
		f.books.Hangup()
	}
}

// leave ends the line to the broker.
func (f *Follower) leave() {
	if f.books != nil {
		f.books.Close()
		f.books = nil
	}
}

// doubt drops a line whose keys the broker does not know: the tenant may have others by now.
func (f *Follower) doubt(v broker.Verdict) {
	if v.Kind == broker.Rejected && (v.HTTPStatus == http.StatusUnauthorized || v.HTTPStatus == http.StatusForbidden) && !f.lent {
		f.leave()
	}
}

// complain says what keeps the follower from its work, if that is something else than the
// last time.
func (f *Follower) complain(what, why string) {
	trouble := what + ": " + why
	if f.trouble == trouble {
		return
	}
	f.trouble = trouble
	f.log.Warn().Str("problem", why).Msg("updates wait for " + what)
}

// fine says that what was in the way is not any more.
func (f *Follower) fine() {
	if f.trouble != "" {
		f.trouble = ""
		f.log.Info().Msg("updates are followed again")
	}
}

// jittered is d, a quarter more or less.
func jittered(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }
