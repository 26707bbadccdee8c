package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/updates"
)

// Ledger is what a run needs of the ledger; see [ledger.Ledger].
type Ledger interface {
	updates.Ledger
	Extent(ctx context.Context, shard int) (ledger.Extent, error)
	ReadAbout(ctx context.Context, tenant string, start ledger.Start, end uint64, deliver func(ledger.Entry) error) error
}

// Config is what all runs of a worker have in common. Nobody changes it.
type Config struct {
	Ledger Ledger
	// Updates is how the worker writes updates, and makes tenants' lines for reading to their
	// brokers.
	Updates *updates.Config
	// PerMinute is a tenant's rate limit, in requests a minute. 0, or no function, leaves it to
	// the broker to state one.
	PerMinute func(ctx context.Context, tenant string) int
	// Settle is how long a difference has to last: what happens at the broker takes its time
	// to the ledger.
	Settle time.Duration
}

// DefaultSettle is the default of [Config.Settle].
const DefaultSettle = 5 * time.Second

// Owner is under which right updates are written.
type Owner struct {
	Shard int
	Epoch uint64
	// Until is the moment from which on nothing may be written; see the session's.
	Until func() time.Time
}

// Runner reconciles the tenants of a shard with their brokers. Safe for concurrent use, but
// for one tenant at a time.
type Runner struct {
	cfg   *Config
	owner Owner
	paces paces
}

// NewRunner makes a runner for the owner of a shard.
func NewRunner(cfg *Config, owner Owner) *Runner {
	return &Runner{cfg: cfg, owner: owner, paces: paces{all: make(map[string]*pace)}}
}

// Request is what to reconcile.
type Request struct {
	Tenant string
	// Since: see [inquiry.Reconciliation].
	Since time.Time
	// Repair has updates written that are missing.
	Repair bool
	// From, if set, leaves out what the ledger took before; see [Account]. It spares the
	// reading of a long history.
	From time.Time
}

// maxTold bounds the differences that a reconciliation tells, so that it fits into an answer.
const maxTold = 500

// Run reconciles a tenant: it compares, and what differs again a while later is a difference.
// It places, changes and cancels nothing at the broker. It fails with [ErrLimited],
// [ErrRefused], [ErrUnanswered], ctx's error, or another one of the ledger.
func (r *Runner) Run(ctx context.Context, q Request) (inquiry.Reconciliation, error) {
	books, err := r.cfg.Updates.Books(ctx, q.Tenant)
	if err != nil {
		return inquiry.Reconciliation{}, fmt.Errorf("reconcile: tenant %s: %w", q.Tenant, err)
	}
	defer books.Close()
	limit := 0
	if r.cfg.PerMinute != nil {
		limit = r.cfg.PerMinute(ctx, q.Tenant)
	}
	c := &run{Runner: r, Request: q, book: NewBook(q.Tenant)}
	pace := r.paces.borrow(q.Tenant, limit)
	defer r.paces.giveBack(q.Tenant, pace)
	c.reader.books = &paced{Books: books, pace: pace}
	if err := c.compare(ctx); err != nil {
		return inquiry.Reconciliation{}, err
	}
	if q.Repair && c.repairable() {
		err = c.mend(ctx)
	}
	return c.report(), err
}

// run is one under way.
type run struct {
	*Runner
	Request
	reader   reader
	book     *Book
	told     time.Time // see [Account]
	account  *Account
	lasting  []inquiry.Difference
	repaired int
}

// compare finds the differences that last.
func (c *run) compare(ctx context.Context) error {
	var first []inquiry.Difference
	for round := range 2 {
		if err := c.catchUp(ctx); err != nil {
			return err
		}
		var err error
		if c.account, err = c.reader.account(ctx, c.book, c.Since, c.told); err != nil {
			return err
		}
		before := Compare(c.book, c.account)
		if err := c.catchUp(ctx); err != nil { // what came to the ledger meanwhile
			return err
		}
		c.lasting = Stable(before, Compare(c.book, c.account))
		if round == 1 {
			c.lasting = Stable(first, c.lasting)
		}
		if first = c.lasting; len(first) == 0 {
			return nil
		}
		if round == 0 {
			if err := pause(ctx, c.cfg.Settle); err != nil {
				return err
			}
		}
	}
	return nil
}

// catchUp folds what the ledger has.
func (c *run) catchUp(ctx context.Context) error {
	extent, err := c.cfg.Ledger.Extent(ctx, c.owner.Shard)
	if err != nil {
		return err
	}
	from := ledger.Start{Seq: c.book.Read() + 1}
	if c.book.Read() == 0 {
		if extent.First > 1 {
			c.told = extent.Began
		}
		if c.From.After(extent.Began) {
			from, c.told = ledger.Start{Time: c.From}, c.From
		}
	}
	if err := c.cfg.Ledger.ReadAbout(ctx, c.Tenant, from, extent.End, c.book.Apply); err != nil {
		return err
	}
	c.book.read = max(c.book.read, extent.End)
	return nil
}

// repairable says that something lacks that a repair writes.
func (c *run) repairable() bool {
	for i := range c.lasting {
		if c.lasting[i].Kind.Repairable() {
			return true
		}
	}
	return false
}

// report is what the run found.
func (c *run) report() inquiry.Reconciliation {
	told := c.lasting[:min(len(c.lasting), maxTold)]
	if told == nil {
		told = []inquiry.Difference{}
	}
	return inquiry.Reconciliation{
		Since: c.Since, Read: c.book.Read(), Orders: count(c.account.Orders), Requests: c.reader.books.requests,
		Differences: told, More: len(c.lasting) - len(told), Repaired: c.repaired, Unheld: c.unheld(),
	}
}

// unheld says why what the account holds was not compared, if it was not.
func (c *run) unheld() string {
	if c.told.IsZero() {
		return ""
	}
	return "what was traded before " + c.told.UTC().Format(time.RFC3339) + " was not read, or is no longer on the ledger"
}

func count(orders []broker.Record) int {
	n := len(orders)
	for i := range orders {
		n += count(orders[i].Nested)
	}
	return n
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
